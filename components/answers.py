"""A model's outputs under the names that people read, a row each in the rows' order, as JSON lines or Parquet.

Regression: `prediction`. Classes, two or more: `class`, the name of the most probable one, and `probabilities` by name.
Further outputs by their own names. In Parquet what is nested in JSON is joined by a dot (`probabilities.Coat`), as
`pandas.json_normalize` does, and `error` is a column.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.reading import Rejected
from tasks import Category, InputError, Task

Columns = dict[str, "pa.Array | dict[str, pa.Array]"]
# Rows of a row group in Parquet.
GROUP = 65_536


def named(task: Task, outputs: Mapping[str, np.ndarray]) -> Columns:
    """The outputs as columns."""
    rest = dict(outputs)
    columns: Columns = {}
    if task.kind == "regression":
        columns["prediction"] = _floats(rest.pop("prediction"))
    else:
        columns |= _classes(task, rest)
    return columns | {name: _floats(values) for name, values in sorted(rest.items())}


def _classes(task: Task, outputs: dict[str, np.ndarray]) -> Columns:
    assert isinstance(task.label, Category)
    labels = list(task.label.labels)
    if task.kind == "binary":
        second = outputs.pop("probability")
        probabilities, said = np.stack([1 - second, second], axis=1), None
        best = (second >= 0.5).astype(np.int64)
    else:
        probabilities, said = outputs.pop("probabilities"), outputs.pop("class", None)
        best = probabilities.argmax(axis=1) if probabilities.shape[1] else np.zeros(0, np.int64)
    if probabilities.shape[1] != len(labels) or (said is not None and list(_texts(said)) != [labels[i] for i in best]):
        raise InputError(
            f"The version was trained with other values of the label {task.label.name!r} than the task has now "
            f"({', '.join(labels)}). Train it again, or ask another version with --version."
        )
    by_name = {name: _floats(values) for name, values in zip(labels, probabilities.T, strict=True)}
    return {"class": pa.DictionaryArray.from_arrays(pa.array(best, pa.int32()), labels), "probabilities": by_name}


def _texts(values: np.ndarray) -> list[str]:
    return [value.decode() for value in values.tolist()]


def _floats(values: np.ndarray) -> pa.Array:
    return pa.array(np.ascontiguousarray(values, np.float32))


def finite(columns: Columns) -> np.ndarray:
    """Which rows have an answer: a model that was fed extremes may give NaN."""
    floats = [values for values in flat(columns).values() if pa.types.is_floating(values.type)]
    return np.logical_and.reduce([np.isfinite(values.to_numpy(zero_copy_only=False)) for values in floats])


def kept(columns: Columns, mask: np.ndarray) -> Columns:
    keep = pa.array(mask)
    return {
        name: {key: one.filter(keep) for key, one in values.items()} if isinstance(values, dict) else values.filter(keep)
        for name, values in columns.items()
    }


def flat(columns: Columns) -> dict[str, pa.Array]:
    """The columns of a table."""
    table: dict[str, pa.Array] = {}
    for name, values in columns.items():
        table |= {f"{name}.{key}": one for key, one in values.items()} if isinstance(values, dict) else {name: values}
    return table


class JsonLines:
    """One object a line; a bad row's has `error` instead of an answer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, columns: Columns, rejected: Sequence[Rejected], order: np.ndarray) -> None:
        lines = json_lines(columns)
        if rejected:
            lines = pa.concat_arrays([lines, pa.array(_error_lines(columns, rejected), pa.string())])
            lines = lines.take(pa.array(order))
        if len(lines):
            # The text of all rows stands in one buffer already.
            offsets = np.frombuffer(lines.buffers()[1], np.int32)[lines.offset : lines.offset + len(lines) + 1]
            self._file.write(memoryview(lines.buffers()[2])[offsets[0] : offsets[-1]])

    def close(self) -> None:
        self._file.flush()


def _error_lines(columns: Columns, rejected: Sequence[Rejected]) -> list[str]:
    raise NotImplementedError
