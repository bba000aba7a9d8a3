"""What was asked and answered, one JSON object a line for each row. docs/serving.md has the format."""

from __future__ import annotations

import base64
import json
import math
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from components.rest_server.tensor_json import DEFAULT, Asked, plain, rows
from tasks import Category, Feature, InputError, Number, Task, Text


class RequestLog:
    """Appends to a file; a disk that is full stops no answer."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise InputError(f"The log {str(path)!r} cannot be written: {error.strerror}.") from error
        self._path, self._lock, self._broken = path, threading.Lock(), False

    def write(
        self, name: str, task: Task, version: int, asked: Asked, outputs: Mapping[str, np.ndarray], request: str
    ) -> None:
        instances = raw_rows(task, asked)
        facts = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "task": name,
            "version": version,
            "signature": asked.signature,
        }
        lines = []
        for at, (instance, prediction) in enumerate(zip(instances, rows(outputs), strict=True)):
            key = request if len(instances) == 1 else f"{request}-{at}"
            whole = {"id": key, **facts, "instance": instance, "prediction": _finite(prediction)}
            lines.append(json.dumps(whole, ensure_ascii=False) + "\n")
        self._append("".join(lines).encode("utf-8", errors="replace"))

    def _append(self, lines: bytes) -> None:
        try:
            with self._lock:
                self._file.write(lines)
            self._broken = False
        except OSError as error:
            if not self._broken:
                print(f"The log {self._path} cannot be written: {error.strerror}.", file=sys.stderr)
            self._broken = True


def raw_rows(task: Task, asked: Asked) -> list[dict[str, Any]]:
    """The features of each row by name, whichever signature was asked; what is missing is left out."""
    if asked.signature == DEFAULT:
        return [_of_example(task, record) for record in asked.inputs["examples"].tolist()]
    columns = {feature.name: plain_values(feature, asked.inputs[feature.name]) for feature in task.features}
    each = zip(*columns.values(), strict=True)
    return [{name: v for name, v in zip(columns, values, strict=True) if v is not None} for values in each]


def _of_example(task: Task, record: bytes) -> dict[str, Any]:
    from tensorflow.core.example.example_pb2 import Example

    found = Example.FromString(record).features.feature
    row: dict[str, Any] = {}
    for feature in task.features:
        kind = found[feature.name].WhichOneof("kind") if feature.name in found else None
        held = list(getattr(found[feature.name], kind).value)[:1] if kind else []
        dtype = np.float32 if kind == "float_list" else np.dtype("O") if kind == "bytes_list" else np.int64
        for value in plain_values(feature, np.array(held, dtype)):
            row |= {} if value is None else {feature.name: value}
    return row


def plain_values(feature: Feature, values: np.ndarray) -> list[Any]:
    """A feature's values as JSON holds them, None for what stands for a missing one."""
    if isinstance(feature, Number):
        return [None if math.isnan(value) else value for value in plain(feature.name, values)]
    if isinstance(feature, Category) and feature.integer:
        return [None if value == -1 else value for value in values.tolist()]
    return [_text(value, isinstance(feature, Text | Category)) if value else None for value in values.tolist()]


def _text(value: bytes, readable: bool) -> Any:
    try:
        return value.decode() if readable else {"b64": base64.b64encode(value).decode()}
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}


def _finite(value: Any) -> Any:
    """JSON has no NaN: null in its place."""
    match value:
        case float():
            return value if math.isfinite(value) else None
        case list():
            return [_finite(one) for one in value]
        case dict():
            return {name: _finite(one) for name, one in value.items()}
    return value
