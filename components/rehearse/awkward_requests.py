"""What an exported model is asked before it is served: real test rows, and rows that servers get all the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from components.examples.tfrecord import ROW_ID, SUFFIX, serialized_examples_of
from components.rehearse.clean_process import MANY, repeated
from tasks import Category, Date, Feature, Image, Number, Task, Text

Row = dict[str, Any]

SINGLE, THOUSAND = "one row at a time", "1,000 rows at once"
SINGLES = 16
LONG = 100_000


@dataclass(frozen=True)
class Questions:
    """The first test rows with their ids, and batches of rows by what is awkward about them."""

    task: str
    kinds: dict[str, str]
    rows: list[Row]
    ids: list[int]
    cases: dict[str, list[list[Row]]]

    @property
    def document(self) -> dict[str, Any]:
        """As plain values, for a program that has none of our code."""
        return {"task": self.task, "kinds": self.kinds, "rows": self.rows, "cases": self.cases}


def prepared(task: Task, name: str, examples: str) -> Questions:
    rows = test_rows(task, examples, MANY)
    ids = [int(row.pop(ROW_ID)) for row in rows]
    cases: dict[str, list[list[Row]]] = {
        SINGLE: [[row] for row in rows[:SINGLES]],
        THOUSAND: [repeated(rows, MANY)],
        **{title: [[row]] for title, row in awkward(task, rows[0])},
    }
    return Questions(name, {feature.name: kind(feature) for feature in task.features}, rows, ids, cases)


def kind(feature: Feature) -> str:
    """Which of a tf.Example's lists holds it."""
    match feature:
        case Number():
            return "float"
        case Category() if feature.integer:
            return "int"
        case Category() | Text() | Image() | Date():
            return "bytes"


def test_rows(task: Task, examples: str, count: int) -> list[Row]:
    """The first rows of the test split, features and id; what is missing is left out."""
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    shards = map(str, sorted((Path(examples) / "test").glob(f"examples-*{SUFFIX}")))
    records = list(islice(serialized_examples_of(shards), count))
    wanted = {ROW_ID, *(feature.name for feature in task.features)}
    decoded = ExamplesToRecordBatchDecoder().DecodeBatch(records).to_pylist() if records else []
    return [{name: values[0] for name, values in row.items() if name in wanted and values} for row in decoded]


def awkward(task: Task, row: Row) -> Iterator[tuple[str, Row]]:
    """What is odd about a request, and the request."""
    optional = {feature.name for feature in task.features if feature.when_missing != "reject"}
    for feature in task.features:
        if feature.name in optional:
            yield f"without {feature.name}", _without(row, {feature.name})
        yield from ((f"with {what} {feature.name}", {**row, feature.name: value}) for what, value in odd(feature))
    if len(optional) > 1:
        yield "without anything optional", _without(row, optional)


def odd(feature: Feature) -> Iterator[tuple[str, Any]]:
    """Values that no training row has, in words and as they are."""
    match feature:
        case Category() if feature.integer:
            yield "an unseen", max(int(value) for value in feature.values) + 1
        case Category():
            yield "an unseen", b"never seen before"
        case Text():
            yield "an empty", b""
            yield "a very long", (b"This is a very long text, of which nobody knows the end. " * LONG)[:LONG]
            yield "a foreign", "Ein Übermaß, 長い文章 — и так далее 🙂".encode()
        case Image():
            yield "a black", bytes(feature.size)
            yield "a white", b"\xff" * feature.size
        case Date():
            yield "an early", (feature.minimum or "1900-01-01").encode()
            yield "a late", (feature.maximum or "2100-12-31T23:59:59.999999+14:00").encode()
        case Number():
            limits = {"the least": feature.minimum, "the greatest": feature.maximum}
            yield from ((what, float(value)) for what, value in limits.items() if value is not None)


def _without(row: Row, names: set[str]) -> Row:
    return {name: value for name, value in row.items() if name not in names}
