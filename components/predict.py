"""Raw rows in, predictions of a pushed version out: one JSON line a row, in the rows' order."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

import numpy as np
import pyarrow as pa

import tasks
from components import destination, reading
from components.rows import Rows, check
from tasks import Category, Feature, InputError, Number, Task


def run(*, task: str, source: str, serving: str, version: int | None, output: TextIO) -> int:
    """Write a line for each row; gives the number of rows that could not be answered."""
    definition = tasks.get(task)
    path = chosen(serving, task, version).path
    batches = raw_batches(definition, source)
    first = next(batches, None)  # what cannot be read is told before TensorFlow is loaded
    bad = rows = 0
    started = said = time.monotonic()
    if first is None:
        return 0
    model = RawModel(path, definition)
    for batch in _chain(first, batches):
        checked = check(definition.features, None, batch)
        output.writelines(lines(checked, model(checked)))
        rows, bad = rows + len(batch) + len(batch.rejected), bad + len(checked.rejected)
        if time.monotonic() - said > 2:
            said = time.monotonic()
            print(f"{rows:,} rows, {rows / (said - started):,.0f} a second", file=sys.stderr, flush=True)
    output.flush()
    return bad


def chosen(serving: str, task: str, version: int | None) -> destination.Version:
    """The version that was asked for, or the newest."""
    known = destination.versions(serving, task)
    if not known:
        raise InputError(f"No version of {task} is served in {serving!r}. Run first: sluice run {task}")
    if version is None:
        return known[-1]
    for candidate in known:
        if candidate.number == version:
            return candidate
    listed = ", ".join(str(candidate.number) for candidate in known)
    raise InputError(f"There is no version {version} of {task} in {serving!r}. Expected one of: {listed}.")


def raw_batches(task: Task, source: str) -> Iterator[reading.Batch]:
    needed = [feature.name for feature in task.features]
    optional = [feature.name for feature in task.features if feature.when_missing != "reject"]
    if source == "-":
        yield from reading.read_stream(sys.stdin.buffer, needed, optional)
        return
    for part in reading.file_parts(source):
        yield from reading.read_file(part.name, needed, optional)


def _chain(first: reading.Batch, rest: Iterator[reading.Batch]) -> Iterator[reading.Batch]:
    yield first
    yield from rest


class RawModel:
    """A pushed version, asked by the names of its raw features."""

    def __init__(self, path: Path, task: Task) -> None:
        import tensorflow as tf  # seconds; only once there is something to answer

        self._tf, self._features = tf, task.features
        self._loaded = tf.saved_model.load(str(path))
        self._signature = self._loaded.signatures["features"]
        expected = set(self._signature.structured_input_signature[1])
        named = {feature.name for feature in task.features}
        if expected != named:
            raise InputError(
                f"The version at {str(path)!r} was trained with other features than the task has now. "
                f"Expected {', '.join(sorted(expected))}. Received: {', '.join(sorted(named))}. Train it again."
            )

    def __call__(self, rows: Rows) -> dict[str, list[Any]]:
        if not len(rows):
            return {}
        tensors = {f.name: self._tf.constant(filled(f, rows.columns[f.name])) for f in self._features}
        answer = {name: values.numpy() for name, values in self._signature(**tensors).items()}
        return {name: _plain(values) for name, values in sorted(answer.items())}


def filled(feature: Feature, column: pa.Array) -> np.ndarray:
    """A typed column as the served model takes it, with what stands for the missing."""
    if isinstance(feature, Number):
        return column.fill_null(float("nan")).to_numpy(zero_copy_only=False)
    if isinstance(feature, Category) and feature.integer:
        return column.fill_null(-1).to_numpy(zero_copy_only=False)
    return np.array([b"" if value is None else value for value in column.cast(pa.binary()).to_pylist()], object)


def _plain(values: np.ndarray) -> list[Any]:
    if values.dtype == object:
        return [value.decode() for value in values.tolist()]
    # float32 in its own shortest digits, not those of the double it becomes
    return values.astype(str).astype(np.float64).tolist() if values.dtype == np.float32 else values.tolist()


def lines(rows: Rows, answers: dict[str, list[Any]]) -> Iterator[str]:
    """The answers and, each in its place, the errors."""
    names = list(answers)
    good = zip(rows.numbers.tolist(), zip(*answers.values(), strict=True), strict=True) if names else iter(())
    errors = iter(rows.rejected)
    error = next(errors, None)
    for number, values in good:
        while error is not None and error.number < number:
            yield json.dumps({"error": f"{error.position}: {error.sentence}"}, ensure_ascii=False) + "\n"
            error = next(errors, None)
        yield json.dumps(dict(zip(names, values, strict=True)), ensure_ascii=False) + "\n"
    while error is not None:
        yield json.dumps({"error": f"{error.position}: {error.sentence}"}, ensure_ascii=False) + "\n"
        error = next(errors, None)
