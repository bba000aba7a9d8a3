"""A model's outputs under the names that people read, a row each in the rows' order, as JSON lines or Parquet.

Regression: `prediction`. Classes, two or more: `class`, the name of the most probable one, and `probabilities` by name.
Further outputs by their own names. In Parquet what is nested in JSON is joined by a dot (`probabilities.Coat`), as
`pandas.json_normalize` does, and `error` is a column.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as csv
import pyarrow.parquet as pq

from components.serving.class_order import means_the_same
from components.serving.output_names import main_output
from tasks import Category, InputError, Task

Columns = dict[str, "pa.Array | dict[str, pa.Array]"]
# Rows of a row group in Parquet.
GROUP = 65_536


@dataclass(frozen=True, kw_only=True)
class Part:
    """Answers and errors of some rows: `order` takes the answers, and behind them the errors, to the rows' order.

    `told` is what stands before each answer, in the rows' order already: its file, its id, what was asked.
    """

    columns: Columns
    errors: Sequence[str]
    order: np.ndarray
    told: Mapping[str, pa.Array] = field(default_factory=dict)


def named(task: Task, outputs: Mapping[str, np.ndarray]) -> Columns:
    """The outputs as columns."""
    rest = dict(outputs)
    if main_output(task) not in rest:
        raise _other_label(task)
    columns: Columns = {}
    if task.kind == "regression":
        columns["prediction"] = _floats(rest.pop("prediction"))
    else:
        columns |= _classes(task, rest)
    return columns | {name: _further(task, values) for name, values in sorted(rest.items())}


def _other_label(task: Task) -> InputError:
    now = ", ".join(task.label.labels) if isinstance(task.label, Category) else "any number"
    return InputError(
        f"The version was trained with other values of the label {task.label.name!r} than the task has now ({now}). "
        "Train it again, or ask another version with --version."
    )


def _further(task: Task, values: np.ndarray) -> pa.Array | dict[str, pa.Array]:
    """A number a row; of several, each by the class it speaks of, or else by its place."""
    if values.ndim == 1:
        return _floats(values)
    known = task.label.labels if isinstance(task.label, Category) else ()
    names = known if len(known) == values.shape[1] else map(str, range(values.shape[1]))
    return {name: _floats(column) for name, column in zip(names, values.T, strict=True)}


def _classes(task: Task, outputs: dict[str, np.ndarray]) -> Columns:
    assert isinstance(task.label, Category)
    labels = list(task.label.labels)
    if task.kind == "binary":
        second = outputs.pop("probability")
        probabilities, said = np.stack([1 - second, second], axis=1), None
    else:
        probabilities, said = outputs.pop("probabilities"), outputs.pop("class", None)
    if not means_the_same(labels, probabilities, said):
        raise _other_label(task)
    best = probabilities[:, 1] > 0.5 if task.kind == "binary" else probabilities.argmax(axis=1)
    by_name = {name: _floats(values) for name, values in zip(labels, probabilities.T, strict=True)}
    return {"class": pa.DictionaryArray.from_arrays(pa.array(best.astype(np.int32)), labels), "probabilities": by_name}


def _floats(values: np.ndarray) -> pa.Array:
    return pa.array(np.ascontiguousarray(values, np.float32))


def finite(columns: Columns) -> np.ndarray:
    """Which rows have an answer: a model that was fed extremes may give NaN."""
    floats = [values for values in flat(columns).values() if pa.types.is_floating(values.type)]
    return np.logical_and.reduce([np.isfinite(values.to_numpy(zero_copy_only=False)) for values in floats])


def kept(columns: Columns, mask: np.ndarray) -> Columns:
    keep = pa.array(mask)
    some: Columns = {}
    for name, values in columns.items():
        if isinstance(values, dict):
            some[name] = {key: one.filter(keep) for key, one in values.items()}
        else:
            some[name] = values.filter(keep)
    return some


def flat(columns: Columns) -> dict[str, pa.Array]:
    """The columns of a table."""
    found: dict[str, pa.Array] = {}
    for name, values in columns.items():
        found |= {f"{name}.{key}": one for key, one in values.items()} if isinstance(values, dict) else {name: values}
    return found


def table(part: Part) -> pa.Table:
    """Answers and errors in the rows' order; a bad row has nothing but its `error`."""
    nothing, order = pa.nulls(len(part.errors)), pa.array(part.order)
    columns = {name: _told(values) for name, values in part.told.items()}
    for name, values in flat(part.columns).items():
        columns[name] = pa.concat_arrays([values, nothing.cast(values.type)]).take(order)
    fine = pa.nulls(len(part.order) - len(part.errors), pa.string())
    columns["error"] = pa.concat_arrays([fine, pa.array(part.errors, pa.string())]).take(order)
    return pa.table(columns)


class JsonLines:
    """One object a line; a bad row's has `error` instead of an answer."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def write(self, part: Part) -> None:
        lines = pa.array([f'"error": {_quoted(error)}' for error in part.errors], pa.string())
        lines = pa.concat_arrays([_objects(part.columns), lines]).take(pa.array(part.order))
        pieces = ["{", lines, "}\n"]
        for name, values in part.told.items():
            pieces[-2:-2] = [f"{_quoted(name)}: ", _asked(values), ", "]
        whole = pc.binary_join_element_wise(*pieces, "")
        if len(whole):
            # The text of all rows stands in one buffer already.
            _, offsets, text = whole.buffers()
            self._file.write(memoryview(text)[: np.frombuffer(offsets, np.int32)[len(whole)]])

    def close(self) -> None:
        self._file.flush()


def _objects(columns: Columns) -> pa.Array:
    """Each row's answer as JSON, without the braces."""
    pieces: list[Any] = []
    for name, values in columns.items():
        pieces += [f"{', ' if pieces else ''}{_quoted(name)}: "]
        if isinstance(values, dict):
            for number, (key, one) in enumerate(values.items()):
                pieces += [f"{', ' if number else '{'}{_quoted(key)}: ", _written(one)]
            pieces += ["}"]
        else:
            pieces += [_written(values)]
    return pc.binary_join_element_wise(*pieces, "")


def _written(values: pa.Array) -> pa.Array:
    """JSON values; a float32 in its own shortest digits, not those of the double it becomes."""
    if pa.types.is_floating(values.type):
        return pc.replace_substring_regex(values.cast(pa.string()), r"^(-?\d+)$", r"\1.0")
    return _each(values, _quoted)


def _told(values: pa.Array) -> pa.Array:
    """Numbers as they are, all else as text."""
    if pa.types.is_integer(values.type) or pa.types.is_floating(values.type):
        return values
    texts = [value.decode(errors="replace") if isinstance(value, bytes) else value for value in values.to_pylist()]
    return pa.array([None if text is None else str(text) for text in texts], pa.string())


def _asked(values: pa.Array) -> pa.Array:
    told = _told(values)
    if pa.types.is_string(told.type):
        return pc.fill_null(_each(told, _quoted), "null")
    return pc.fill_null(pc.if_else(pc.is_finite(told.cast(pa.float64())), told.cast(pa.string()), "null"), "null")


def _each(values: pa.Array, write: Callable[[str], str]) -> pa.Array:
    coded = values if pa.types.is_dictionary(values.type) else values.dictionary_encode()
    written = [None if value is None else write(value) for value in coded.dictionary.to_pylist()]
    return pa.array(written, pa.string()).take(coded.indices)


def _quoted(text: str) -> str:
    # A file's name may be no valid UTF-8.
    return json.dumps(text.encode("utf-8", errors="replace").decode(), ensure_ascii=False)


class Csv:
    """One table with a head; what a row does not have is an empty field."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: csv.CSVWriter | None = None
        self._schema: pa.Schema | None = None

    def write(self, part: Part) -> None:
        some = table(part)
        kinds = [pa.string() if pa.types.is_dictionary(kind) else kind for kind in some.schema.types]
        plain = some.cast(pa.schema(zip(some.column_names, kinds, strict=True)))
        self._schema = self._schema or plain.schema
        self._writer = self._writer or csv.CSVWriter(self._file, self._schema)
        self._writer.write_table(_alike(plain, self._schema))

    def close(self) -> None:
        if self._writer is not None:
            self._writer.close()


class Parquet:
    """One table; a bad row has nothing but its `error`."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._writer: pq.ParquetWriter | None = None
        self._held: list[pa.Table] = []

    def write(self, part: Part) -> None:
        self._held.append(table(part))
        if sum(map(len, self._held)) >= GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._held:
            first = self._held[0].schema if self._writer is None else self._writer.schema
            held = pa.concat_tables([_alike(part, first) for part in self._held]).unify_dictionaries()
            self._writer = self._writer or pq.ParquetWriter(self._file, held.schema)
            self._writer.write_table(held)
            self._held = []

    def close(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()


def _alike(part: pa.Table, schema: pa.Schema) -> pa.Table:
    """A later part with the first one's kinds of columns: what was told may be a number here and a text there."""
    try:
        return part if part.schema.equals(schema) else part.cast(schema)
    except pa.ArrowInvalid as error:
        raise InputError(
            f"A column of the input is of one kind in some rows and of another in others: {error}. "
            "Write the answers as JSON lines, where each row has its own."
        ) from error
