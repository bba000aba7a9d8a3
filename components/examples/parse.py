"""tf.Examples on disk to batches of tensors, and back to the request a client would send."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf

from components.examples import example_bytes
from components.examples.tfrecord import ROW_ID, serialized_examples_of
from components.storage import urls
from tasks import Category, Date, Feature, Image, Number, Task, Text
from transforms import dates

# Nothing here needs autograph, whose reading of the source costs half a second a function.
plain = tf.autograph.experimental.do_not_convert


def tensor_spec(feature: Feature) -> tuple[tf.DType, Any]:
    """The dtype of a column's tensor, as preprocessing sees it, and the value that stands for a missing one."""
    match feature:
        case Number():
            return tf.float32, float("nan")
        case Date():
            return tf.float64, float("nan")
        case Category() if feature.integer:
            return tf.int64, -1
        case Category() | Text() | Image():
            return tf.string, b""


def tensor_types(task: Task) -> dict[str, tf.TensorSpec]:
    """What a task's preprocessing takes."""
    return {feature.name: tf.TensorSpec([None], tensor_spec(feature)[0]) for feature in task.features}


def request_spec(feature: Feature) -> tuple[tf.DType, Any]:
    """The same of what examples and requests hold: a date is text there."""
    return (tf.string, b"") if isinstance(feature, Date) else tensor_spec(feature)


def decoded(columns: Sequence[Feature], found: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """What requests hold as preprocessing sees it."""
    of_dates = {column.name for column in columns if isinstance(column, Date)}
    return {name: dates.seconds(values, name) if name in of_dates else values for name, values in found.items()}


def parsing_spec(columns: tuple[Feature, ...]) -> dict[str, tf.io.FixedLenFeature]:
    spec = {}
    for column in columns:
        dtype, missing = request_spec(column)
        spec[column.name] = tf.io.FixedLenFeature([], dtype, default_value=missing)
    return spec


def shards(examples: str, split: str) -> list[str]:
    if urls.is_url(examples):
        return urls.listed(f"{examples}/{split}", "examples-*.tfrecord.gz")
    return sorted(str(path) for path in (Path(examples) / split).glob("examples-*.tfrecord.gz"))


def serialized(examples: str, split: str, batch: int, only: str = "") -> tf.data.Dataset:
    """Batches of serialized tf.Examples, always in the same order; of one shard if it is named."""
    files = [only] if only else shards(examples, split)
    if any(map(urls.is_url, files)):
        described = tf.TensorSpec([], tf.string)
        records = tf.data.Dataset.from_generator(lambda: serialized_examples_of(files), output_signature=described)
    else:
        records = tf.data.TFRecordDataset(files, compression_type="GZIP", buffer_size=1 << 20)
    return records.batch(batch).prefetch(2)


def parsed(task: Task, examples: str, split: str, batch: int, only: str = "") -> tf.data.Dataset:
    """Batches of (features, label, row id)."""
    return serialized(examples, split, batch, only).map(parser(task), num_parallel_calls=tf.data.AUTOTUNE)


def parser(task: Task) -> Callable[[tf.Tensor], tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]]:
    """From serialized tf.Examples to (features, label, row id)."""
    spec = parsing_spec(task.columns)
    spec[ROW_ID] = tf.io.FixedLenFeature([], tf.int64)

    @plain
    def parse(records: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
        columns = tf.io.parse_example(records, spec)
        label, row = columns.pop(task.label.name), columns.pop(ROW_ID)
        return decoded(task.features, columns), encoded_label(task, label), row

    return parse


class Split:
    """The records of a split, a piece at a time; they are read again each time, unless they are few."""

    MOST_KEPT = 64 << 20

    def __init__(self, examples: str, split: str) -> None:
        self._shards = shards(examples, split)
        self._kept: list[example_bytes.Records] | None = None

    def __iter__(self) -> Iterator[example_bytes.Records]:
        if self._kept is not None:
            yield from self._kept
            return
        kept: list[example_bytes.Records] = []
        size = 0
        for piece in example_bytes.of_shards(self._shards):
            size += len(piece.data)
            kept = [*kept, piece] if size <= self.MOST_KEPT else []
            yield piece
        if size <= self.MOST_KEPT:
            self._kept = kept


def row_ids(examples: str, split: str) -> np.ndarray:
    """The ids of all rows of a split; nothing else of them is parsed."""
    ids = map(example_bytes.row_ids, example_bytes.of_shards(shards(examples, split)))
    return np.concatenate([np.zeros(0, np.int64), *ids])


def some_columns(
    task: Task, split: Iterable[example_bytes.Records], columns: Sequence[Feature], chosen: np.ndarray
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """These features, and the labels, of the rows of a split at the chosen positions, which are sorted."""
    records = SomeRecords(chosen)
    for piece in split:
        records.add(piece)
    return columns_of(task, columns, records.found)


class SomeRecords:
    """The records at the chosen positions, which are sorted, of all that are added one piece after the other."""

    def __init__(self, chosen: np.ndarray) -> None:
        self.found: list[bytes] = []
        self.rows = 0
        self._chosen = chosen

    def add(self, piece: example_bytes.Records) -> None:
        first, behind = np.searchsorted(self._chosen, [self.rows, self.rows + len(piece)])
        self.found += piece.some(self._chosen[first:behind] - self.rows)
        self.rows += len(piece)


def columns_of(
    task: Task, columns: Sequence[Feature], records: Sequence[bytes]
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """These features, and the labels, of serialized tf.Examples."""
    found = tf.io.parse_example(tf.constant(records, tf.string, [len(records)]), parsing_spec((*columns, task.label)))
    label = encoded_label(task, found[task.label.name]).numpy()
    return {name: values.numpy() for name, values in decoded(columns, found).items() if name != task.label.name}, label


def encoded_label(task: Task, label: tf.Tensor) -> tf.Tensor:
    """A number as it is; a category as the position of its value."""
    if isinstance(task.label, Number):
        return label
    values = tf.constant(task.label.values, tf.int64 if task.label.integer else tf.string)
    return tf.argmax(tf.equal(label[:, None], values[None, :]), axis=1)


def frame(columns: Sequence[Feature], found: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Rows as people handle them: dates with their zone, UTC; the missing is NaT, NaN, -1 or b""."""
    made: dict[str, Any] = {column.name: found[column.name] for column in columns}
    for column in columns:
        if isinstance(column, Date):
            microseconds = np.round(made[column.name] * 1e6)
            known = np.where(np.isnan(microseconds), np.iinfo(np.int64).min, microseconds)  # which is NaT
            made[column.name] = pd.DatetimeIndex(known.astype(np.int64).view("datetime64[us]"), tz="UTC")
    return pd.DataFrame(made)


def complete_for_training(task: Task, features: dict[str, tf.Tensor]) -> tf.Tensor:
    """A mask of the rows that have every feature which training does not do without."""
    some = next(iter(features.values()))
    complete = tf.ones(tf.shape(some)[:1], tf.bool)
    for feature in task.features:
        if feature.when_missing == "skip_training":
            values, (_, missing) = features[feature.name], tensor_spec(feature)
            complete &= ~(tf.math.is_nan(values) if values.dtype.is_floating else tf.equal(values, missing))
    return complete


def served_rows(
    task: Task, split: Iterable[example_bytes.Records], batch: int, columns: Sequence[Feature] = ()
) -> Iterator[tuple[list[bytes], dict[str, np.ndarray], np.ndarray, np.ndarray]]:
    """(Requests as a client would send them, these raw features, labels, row ids) in the shards' order.

    Each time a multiple of `batch` rows, as many as are read at once; the last time the rest.
    """
    for records in example_bytes.in_groups(split, batch):
        together = example_bytes.joined(records)
        rows, requests = example_bytes.row_ids(together), example_bytes.without(together, [task.label.name, ROW_ID])
        yield requests, *columns_of(task, columns, records), rows
