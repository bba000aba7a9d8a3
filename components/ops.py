"""The Kubeflow signatures of all steps. Each body is its imports and one call."""

from typing import Dict, List, NamedTuple

from kfp import dsl
from kfp.dsl import HTML, Artifact, ClassificationMetrics, Dataset, Input, Markdown, Metrics, Model, Output

IMAGE = "sluice-pipelines:0.1.0"

step = dsl.component(base_image=IMAGE, install_kfp_package=False)


@step
def resolve(
    task: str, model: str, data: str, data_dir: str, destination: str, seed: int, overrides: Dict[str, str]
) -> NamedTuple(
    "Resolved",
    [
        ("model", str),
        ("snapshot", str),
        ("champion", str),
        ("inputs", str),
        ("preprocess_settings", Dict[str, str]),
        ("train_settings", Dict[str, str]),
        ("parameters", Dict[str, str]),
    ],
):
    from components import resolve

    return resolve.run(
        task=task,
        model=model,
        data=data,
        data_dir=data_dir,
        destination=destination,
        seed=seed,
        overrides=overrides,
    )


@step
def ingest(
    task: str,
    data: str,
    data_dir: str,
    snapshot: str,
    beam_args: List[str],
    examples: Output[Dataset],
    statistics: Output[Artifact],
) -> NamedTuple("Ingested", [("fingerprint", str), ("rows", int), ("rejected", int)]):
    from components import ingest

    return ingest.run(
        task=task,
        data=data,
        data_dir=data_dir,
        snapshot=snapshot,
        beam_args=beam_args,
        examples=examples.path,
        statistics=statistics.path,
    )


@step
def validate(task: str, destination: str, champion: str, statistics: Input[Artifact], anomalies: Output[Artifact]):
    from components import validate

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
    examples: Input[Dataset],
    transform_graph: Output[Artifact],
):
    from components import transform

    transform.run(
        task=task,
        settings=settings,
        beam_args=beam_args,
        examples=examples.path,
        transform_graph=transform_graph.path,
    )


@step
def train(
    task: str,
    model_name: str,
    settings: Dict[str, str],
    seed: int,
    examples: Input[Dataset],
    transform_graph: Input[Artifact],
    model: Output[Model],
):
    from components import train

    train.run(
        task=task,
        model_name=model_name,
        settings=settings,
        seed=seed,
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
    from components import evaluate

    return evaluate.run(
        task=task,
        model_name=model_name,
        data=data,
        destination=destination,
        champion=champion,
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
    task: str, model: Input[Model], examples: Input[Dataset], predictions: Input[Dataset], rehearsal: Output[Artifact]
) -> NamedTuple("Rehearsed", [("passed", bool), ("reasons", List[str])]):
    from components import rehearse

    return rehearse.run(
        task=task,
        model=model.path,
        examples=examples.path,
        predictions=predictions.path,
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
) -> NamedTuple("Pushed", [("version", int), ("pushed", str), ("reasons", List[str])]):
    from components import push

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
    )
