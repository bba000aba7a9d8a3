"""The Kubeflow signatures of all steps. Each body is its imports and one call.

`code` is for Kubeflow's cache alone: its key knows the image's name, not what is inside, and a name can be moved.
"""

from typing import Dict, List, NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

IMAGE = "sluice-pipelines:0.1.0"

step = dsl.component(base_image=IMAGE, install_kfp_package=False)


@step
def resolve(
    task: str,
    model: str,
    data: str,
    data_dir: str,
    destination: str,
    seed: int,
    overrides: Dict[str, str],
    scheduled: str,
    schedule: str,
    timezone: str,
    warm_start: bool,
) -> NamedTuple(
    "Resolved",
    [
        ("model", str),
        ("data", str),
        ("snapshot", str),
        ("champion", str),
        ("serving", int),
        ("start", str),
        ("inputs", str),
        ("preprocess_settings", Dict[str, str]),
        ("train_settings", Dict[str, str]),
        ("parameters", Dict[str, str]),
        ("ingest_code", str),
        ("validate_code", str),
        ("transform_code", str),
        ("train_code", str),
        ("evaluate_code", str),
        ("rehearse_code", str),
    ],
):
    from components.resolve import step as resolve

    return resolve.run(
        task=task,
        model=model,
        data=data,
        data_dir=data_dir,
        destination=destination,
        seed=seed,
        overrides=overrides,
        scheduled=scheduled,
        schedule=schedule,
        timezone=timezone,
        warm_start=warm_start,
    )


@step
def ingest(
    task: str,
    data: str,
    data_dir: str,
    snapshot: str,
    beam_args: List[str],
    code: str,
    examples: Output[Dataset],
    statistics: Output[Artifact],
) -> NamedTuple("Ingested", [("fingerprint", str), ("rows", int), ("rejected", int)]):
    from components.ingest import step as ingest

    return ingest.run(
        task=task,
        data=data,
        data_dir=data_dir,
        snapshot=snapshot,
        beam_args=beam_args,
        examples=examples.path,
        examples_uri=examples.uri,
        statistics=statistics.path,
    )


@step
def validate(
    task: str,
    destination: str,
    champion: str,
    code: str,
    statistics: Input[Artifact],
    anomalies: Output[Artifact],
):
    from components.validate import step as validate

    validate.run(
        task=task,
        destination=destination,
        champion=champion,
        statistics=statistics.path,
        anomalies=anomalies.path,
    )


@step
def transform(
    task: str,
    settings: Dict[str, str],
    beam_args: List[str],
    analysis: str,
    code: str,
    examples: Input[Dataset],
    transform_graph: Output[Artifact],
):
    from components.transform import step as transform

    transform.run(
        task=task,
        settings=settings,
        beam_args=beam_args,
        analysis=analysis,
        examples=examples.path,
        examples_uri=examples.uri,
        transform_graph=transform_graph.path,
        transform_graph_uri=transform_graph.uri,
    )


@step
def train(
    task: str,
    model_name: str,
    settings: Dict[str, str],
    seed: int,
    start: str,
    state: str,
    code: str,
    examples: Input[Dataset],
    transform_graph: Input[Artifact],
    model: Output[Model],
):
    from components.train import step as train

    train.run(
        task=task,
        model_name=model_name,
        settings=settings,
        seed=seed,
        start=start,
        state=state,
        examples=examples.path,
        transform_graph=transform_graph.path,
        model=model.path,
    )


@step
def evaluate(
    task: str,
    model_name: str,
    data: str,
    destination: str,
    champion: str,
    force: str,
    code: str,
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
    report: Output[HTML],
) -> NamedTuple("Evaluated", [("blessed", bool), ("reasons", List[str])]):
    from components.evaluate import step as evaluate

    return evaluate.run(
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
        report=report.path,
    )


@step
def rehearse(
    task: str,
    code: str,
    model: Input[Model],
    examples: Input[Dataset],
    rehearsal: Output[Artifact],
) -> NamedTuple("Rehearsed", [("passed", bool), ("reasons", List[str])]):
    from components.rehearse import step as rehearse

    return rehearse.run(
        task=task,
        model=model.path,
        examples=examples.path,
        rehearsal=rehearsal.path,
    )


@step
def push(
    task: str,
    destination: str,
    champion: str,
    inputs: str,
    run: str,
    force: str,
    publish: bool,
    keep: int,
    parameters: Dict[str, str],
    statistics: Input[Artifact],
    model: Input[Model],
    blessing: Input[Artifact],
    rehearsal: Input[Artifact],
    judged: Input[HTML],
    report: Output[HTML],
) -> NamedTuple("Pushed", [("version", int), ("pushed", str), ("reasons", List[str])]):
    from components.push import step as push

    return push.run(
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


@step
def conclude(publish: bool, blessed: bool, version: int, reasons: List[str]):
    from components.push import fail_if_rejected

    fail_if_rejected.run(publish=publish, blessed=blessed, version=version, reasons=reasons)
