"""Evaluation: the exported model on raw test rows, beside the serving one, and the gate's verdict on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import tensorflow as tf
import tensorflow_transform as tft

import tasks
from components.evaluate import answers, kubeflow_metrics, seen_in_training
from components.evaluate import blessing as verdict_
from components.evaluate import predictions as predictions_
from components.evaluate.explain import explain, past_gates
from components.evaluate.fingerprint import fingerprint
from components.evaluate.metrics import matrix
from components.evaluate.new_to_both import Comparable, comparable
from components.evaluate.report import report as report_
from components.evaluate.report.sample_rows_page import texts_shown
from components.examples.parse import Split, served_rows
from components.progress import say
from components.serving import trained_answers, trained_until, versions
from components.serving.output_names import CLOSE, main_output
from components.serving.preprocessing import Preprocessing
from components.storage.atomic_files import read_json, tree_hash, write_bytes, write_json
from tasks import Task


class Evaluated(NamedTuple):
    blessed: bool
    reasons: list[str]


def run(
    *,
    task: str,
    model_name: str,
    data: str,
    destination: str,
    champion: str,
    force: str = "",
    examples: str,
    statistics: str,
    anomalies: str,
    transform_graph: str,
    model: str,
    predictions: str,
    metrics: dict[str, Any],
    classification: dict[str, Any],
    blessing: str,
    verdict: str,
    report: str,
) -> Evaluated:
    definition = tasks.get(task)
    pushed = versions.versions(destination, task) if champion else []
    version = find_champion(pushed, champion)
    rival = load_champion(version) if version else None
    served = predictions_.ServedModel(Path(model) / "serving")
    test = Split(examples, "test")
    asked = ask(definition, served, rival, test, model, predictions)

    say("judging")
    frame, sha256 = answers.read(predictions), tree_hash(Path(model) / "serving")
    judged = compared(definition, version, frame)
    same_data = version is not None and is_experiment(version, read_json(statistics), frame)
    if len(judged.rows) < len(frame) or judged.against:  # the champion has learned from some of them
        frame = frame.drop(columns="champion")
    with ThreadPoolExecutor(1) as beside:
        looking_closer = beside.submit(look_closer, definition, served, test, transform_graph, frame)
        document = verdict_.document(
            definition,
            judged.rows,
            honest=seen_in_training.look(definition, examples, judged.rows["row"].to_numpy(), read_json(statistics)),
            raw=raw_rows(definition, examples),
            task=task, model_name=model_name, model_sha256=sha256, champion=champion,
            same_data=same_data,
            against=judged.against,
            predictions=fingerprint(predictions),
            **{**asked, **judged.facts, "rows": len(judged.rows)},
        )  # fmt: skip
        metrics.update({name: value for name, value in document["metrics"].items() if value is not None})
        classification.update(kubeflow_metrics.describe(definition, frame))
        write_verdict(document, blessing, verdict)

    say("writing the report")
    report_.write(
        report,
        task=definition, model_name=model_name, data=data, blessing=document, predictions=frame,
        **looking_closer.result(),
        past=past_gates(pushed, champion),
        force=force,
        **papers(statistics, anomalies, model),
    )  # fmt: skip
    stop_if_dishonest(document)
    return Evaluated(document["blessed"], document["reasons"])


def ask(
    task: Task,
    served: predictions_.ServedModel,
    rival: predictions_.ServedModel | None,
    test: Split,
    model: str,
    predictions: str,
) -> dict[str, Any]:
    """Put the raw test rows to both models; tells how many there were, and that what is served is what was trained."""
    say("comparing the served path with the trained path")
    Path(predictions).parent.mkdir(parents=True, exist_ok=True)
    with ThreadPoolExecutor(1) as beside:
        comparing = beside.submit(prove_equal, task, served, test, model)
        rows = predictions_.write(task, served, rival, test, predictions)
    return {"rows": rows, "equality": comparing.result()}


def look_closer(
    task: Task, served: predictions_.ServedModel, test: Split, transform_graph: str, frame: pd.DataFrame
) -> dict[str, Any]:
    """For the report: some test rows, what the model saw of them, and why it answers as it does."""
    samples = predictions_.raw_rows(task, test, set(report_.worth_showing(task, frame)))
    return {
        "samples": samples,
        "read": read_back(task, transform_graph, samples),
        "explained": explain(task, served, test, frame, texts_shown(task, frame, samples)),
    }


def write_verdict(document: Mapping[str, Any], blessing: str, verdict: str) -> None:
    """For the pusher, and as a table for people."""
    write_json(blessing, document)
    table = report_.markdown(document)
    print(table, flush=True)
    write_bytes(verdict, table.encode(errors="replace"))


def papers(statistics: str, anomalies: str, model: str) -> dict[str, Any]:
    """What earlier steps have written down for the report."""
    paths: dict[str, Path | str] = {
        "statistics": statistics,
        "anomalies": anomalies,
        "history": Path(model) / "history.json",
        "training": Path(model) / "training.json",
    }
    return {name: read_json(path) for name, path in paths.items()}


def raw_rows(task: Task, examples: str) -> pd.DataFrame | None:
    """The raw test rows, if a metric of the task's own asks for them."""
    if not any("rows" in metric.asks for metric in task.metrics.values()):
        return None
    return predictions_.raw_frame(task, examples)


def stop_if_dishonest(document: Mapping[str, Any]) -> None:
    """After all is written, so that there is something to look at."""
    problems = [finding["problem"] for finding in document["honesty"] if not finding["passed"]]
    if problems:
        raise RuntimeError(f"The evaluation cannot be believed. {' '.join(problems)}")


def read_back(task: Task, transform_graph: str, samples: Mapping[int, Mapping[str, Any]]) -> dict[int, str]:
    """What the model saw of these rows, in words, where the task can tell."""
    if task.seen is None or not samples:
        return {}
    rows = {feature.name: tf.constant([row[feature.name] for row in samples.values()]) for feature in task.features}
    outputs = Preprocessing(transform_graph).graph(rows)

    def vocabulary(name: str) -> list[str]:
        words = tft.TFTransformOutput(transform_graph).vocabulary_by_name(name)
        return [word.decode(errors="backslashreplace") for word in words]

    return dict(zip(samples, task.seen(outputs, vocabulary), strict=True))


def find_champion(pushed: Sequence[versions.Version], champion: str) -> versions.Version | None:
    """The serving version that the run is to be judged against."""
    if not champion:
        return None
    number = int(champion.partition(":")[0])
    version = next((version for version in pushed if version.number == number), None)
    if version is None:
        raise ValueError(f"The champion, version {number}, is no longer at the destination. Run again.")
    return version


def is_experiment(champion: versions.Version, statistics: Mapping[str, Any], frame: pd.DataFrame) -> bool:
    """Whether the champion learned from the very same rows and answers otherwise.

    One that answers all test rows alike is the same model, made again perhaps by newer code.
    """
    known = champion.provenance.get("fingerprint")
    alike = np.array_equal(matrix(frame["prediction"]), matrix(frame["champion"]))
    return bool(known) and known == statistics.get("fingerprint") and not alike


def compared(task: Task, champion: versions.Version | None, frame: pd.DataFrame) -> Comparable:
    """The rows that both models are judged by; in a split by time, such as are newer than what either learned from."""
    by = task.splits.by
    return comparable(frame, trained_until.of_version(champion, by) if by and champion else "")


def load_champion(version: versions.Version) -> predictions_.ServedModel:
    """One that cannot be read stops the run."""
    try:
        with versions.fetched(version) as path:
            return predictions_.ServedModel(path, version.provenance.get("label_values"))
    except (OSError, KeyError, ValueError, tf.errors.OpError) as error:
        raise ValueError(
            f"The champion at {str(version.path)!r} cannot be loaded, so the new model cannot be compared with it: "
            f"{error}. Mend or remove that version, then run again."
        ) from error


def prove_equal(task: Task, served: predictions_.ServedModel, test: Split, model: str) -> dict[str, Any]:
    """The exported signature answers raw rows as the model did, through the transform graph, when it was trained.

    Its own answers were written down then. Nothing is made again from Keras' file: a model may hold what Keras runs
    from a file only if it is told to, such as a Lambda.
    """
    rows, expected = trained_answers.read(Path(model) / trained_answers.FILE)
    for requests, _, _, asked in served_rows(task, test, max(len(rows), 1)):
        requests = requests[: len(rows)]
        if not np.array_equal(rows, asked[: len(rows)]):
            raise RuntimeError("The model was trained beside other test rows than those of this evaluation. Run again.")
        with tf.device(trained_answers.DEVICE):
            received = served(requests)[main_output(task)].reshape(expected.shape)
        if not np.allclose(received, expected, rtol=CLOSE, atol=CLOSE, equal_nan=True):
            raise RuntimeError(
                "The exported model does not answer as the trained one does. Expected equal predictions to "
                f"{CLOSE:g}. Received: a difference of {np.abs(received - expected).max():g} in {len(requests)} rows."
            )
        return {"rows": len(requests), "largest_difference": float(np.abs(received - expected).max())}
    return {"rows": 0, "largest_difference": 0.0}
