"""Cheap neighbours in one pod, for clusters on which a pod takes longer to start than to work.

Each is what `components.ops` has as several, one after the other, with all that they put out. A body is its imports, a
call for each step, and what they have returned.
"""

from typing import Dict, List, NamedTuple

from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

from components.ops import step


@step
def ingest_and_validate(
    task: str,
    data: str,
    data_dir: str,
    snapshot: str,
    beam_args: List[str],
    destination: str,
    champion: str,
    ingest_code: str,
    validate_code: str,
    examples: Output[Dataset],
    statistics: Output[Artifact],
    anomalies: Output[Artifact],
) -> NamedTuple("Ingested", [("fingerprint", str), ("rows", int), ("rejected", int)]):
    from components.ingest import step as ingest
    from components.validate import step as validate

    ingested = ingest.run(
        task=task,
        data=data,
        data_dir=data_dir,
        snapshot=snapshot,
        beam_args=beam_args,
        examples=examples.path,
        examples_uri=examples.uri,
        statistics=statistics.path,
    )
    validate.run(
        task=task,
        destination=destination,
        champion=champion,
        statistics=statistics.path,
        anomalies=anomalies.path,
    )
    return ingested


@step
def evaluate_and_push(
    task: str,
    model_name: str,
    data: str,
    destination: str,
    champion: str,
    inputs: str,
    run: str,
    force: str,
    publish: bool,
    keep: int,
    parameters: Dict[str, str],
    examples: Input[Dataset],
    statistics: Input[Artifact],
    anomalies: Input[Artifact],
    transform_graph: Input[Artifact],
    model: Input[Model],
    predictions: Output[Dataset],
    metrics: Output[Metrics],
    classification: Output[ClassificationMetrics],
    blessing: Output[Artifact],
    verdict: Output[Markdown],
    judged: Output[HTML],
    rehearsal: Output[Artifact],
    report: Output[HTML],
) -> NamedTuple("Pushed", [("blessed", bool), ("version", int), ("pushed", str), ("reasons", List[str])]):
    from components.evaluate import step as evaluate
    from components.push import step as push
    from components.rehearse import step as rehearse

    evaluated = evaluate.run(
        task=task,
        model_name=model_name,
        data=data,
        destination=destination,
        champion=champion,
        force=force,
        examples=examples.path,
        statistics=statistics.path,
        anomalies=anomalies.path,
        transform_graph=transform_graph.path,
        model=model.path,
        predictions=predictions.path,
        metrics=metrics.metadata,
        classification=classification.metadata,
        blessing=blessing.path,
        verdict=verdict.path,
        report=judged.path,
    )
    rehearse.run(
        task=task,
        model=model.path,
        examples=examples.path,
        rehearsal=rehearsal.path,
    )
    pushed = push.run(
        task=task,
        destination=destination,
        champion=champion,
        inputs=inputs,
        run=run,
        force=force,
        publish=publish,
        keep=keep,
        parameters=parameters,
        statistics=statistics.path,
        model=model.path,
        blessing=blessing.path,
        rehearsal=rehearsal.path,
        judged=judged.path,
        report=report.path,
        told=report.metadata,
    )
    return evaluated.blessed, pushed.version, pushed.pushed, pushed.reasons
