"""A log of requests, row by row: JSON lines as `sluice serve --log` writes them, or TF Serving's PredictionLog."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np

from components.examples.tfrecord import CutOffError, DamagedRecordError, begins_record
from components.reading import find_files
from components.serving import prediction_log
from components.serving.output_names import main_output
from components.serving.prediction_log import Predicted
from components.serving.raw_features import raw_rows
from tasks import InputError, Task


@dataclass(frozen=True, kw_only=True)
class Row:
    """A row that was asked, by its raw features, and the answer's outputs; version 0 where the log does not say."""

    key: str
    task: str
    version: int
    instance: Mapping[str, Any]
    answer: Mapping[str, Any]


def rows(name: str, task: Task, path: str) -> Iterator[Row | None]:
    """Every row of a log, whatever its file is called; None for what is none."""
    with find_files.unpacked(path) as file:
        if begins_record(file.peek(12)[:12]):
            yield from _records(name, task, path, file)
        else:
            yield from map(_line, filter(bytes.strip, file))


def _line(line: bytes) -> Row | None:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    match found:
        case {"instance": dict(instance), "prediction": dict(answer)}:
            version = found.get("version")
            return Row(
                key=str(found.get("id", "")), task=str(found.get("task", "")),
                version=version if type(version) is int else 0, instance=instance, answer=answer,
            )  # fmt: skip
    return None


def _records(name: str, task: Task, path: str, file: BinaryIO) -> Iterator[Row | None]:
    try:
        yield from _requests(name, task, file)
    except CutOffError:  # a server is writing it at this moment
        yield None
    except DamagedRecordError as error:
        raise InputError(
            f"{path} is damaged: {error}. Leave the file out, or what stands behind the damage."
        ) from error


def _requests(name: str, task: Task, file: BinaryIO) -> Iterator[Row | None]:
    for found in prediction_log.predicted(file):
        if found is None:
            yield None
        # Kubernetes takes no underscore, so a server there may call auto_mpg auto-mpg.
        elif found.model.replace("-", "_") not in ("", name):
            count = max((len(np.atleast_1d(values)) for values in found.inputs.values()), default=0)
            yield from [Row(key="", task=found.model, version=found.version, instance={}, answer={})] * count
        else:
            yield from _asked(name, task, found)


def _asked(name: str, task: Task, found: Predicted) -> Iterator[Row | None]:
    from google.protobuf.message import DecodeError

    try:
        instances = raw_rows(task, found.signature, found.inputs)
    except (LookupError, ValueError, TypeError, AttributeError, DecodeError):  # asked of a model of other features
        yield None
        return
    main = found.outputs.get(main_output(task))
    if main is None or np.ndim(main) == 0 or len(main) != len(instances):
        answers: list[dict[str, Any]] = [{}] * len(instances)
    else:
        answers = [{main_output(task): value} for value in main.tolist()]
    for instance, answer in zip(instances, answers, strict=True):
        yield Row(key="", task=name, version=found.version, instance=instance, answer=answer)
