"""Training rows, preprocessed once: kept in memory, or on the local disk where they are more than that should hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from components import machine
from components.examples.parse import complete_for_training, frame, parsed, plain
from components.progress import say
from components.serving.preprocessing import Preprocessing
from components.train import rows_on_disk
from components.train.rows_on_disk import Column
from tasks import Category, Task, Train

READ_BATCH = 2048
# Of batches that are preprocessed at the same time.
AT_ONCE_BYTES = 256 << 20
# Of what the machine or the container has, for preprocessed rows.
SHARE = 0.5
# Beside the outputs, whose names hold no space at their beginning.
LABEL, WEIGHTS = " label", " weights"
# Beside its characters, what TensorFlow keeps of a text.
TEXT = 24


@dataclass(frozen=True)
class Sparse:
    """Rows of a sparse output: the positions and values of what is not zero, made dense only a batch at a time."""

    positions: tf.RaggedTensor | Column
    values: tf.RaggedTensor | Column
    width: int

    @classmethod
    def of(cls, tensor: tf.SparseTensor) -> Sparse:
        rows, count = tensor.indices[:, 0], tensor.dense_shape[0]
        positions = tf.RaggedTensor.from_value_rowids(tf.cast(tensor.indices[:, 1], tf.int32), rows, count)
        return cls(positions, positions.with_flat_values(tensor.values), int(tensor.shape[1]))

    def gather(self, index: tf.Tensor) -> tf.Tensor:
        positions, values = _gathered(self.positions, index), _gathered(self.values, index)
        where = tf.stack([tf.cast(positions.value_rowids(), tf.int32), positions.flat_values], axis=1)
        dense = tf.scatter_nd(where, values.flat_values, [tf.shape(index)[0], self.width])
        return tf.ensure_shape(dense, [None, self.width])


Output: TypeAlias = tf.Tensor | tf.RaggedTensor | Column | Sparse


def _gathered(rows: Output, index: tf.Tensor) -> Any:
    return rows.gather(index) if isinstance(rows, (Column, Sparse)) else tf.gather(rows, index)


@dataclass(frozen=True)
class Rows:
    """The rows of a split after preprocessing."""

    outputs: Mapping[str, Output]
    labels: tf.Tensor
    weights: tf.Tensor | None
    skipped: int

    @property
    def count(self) -> int:
        return int(self.labels.shape[0])

    @property
    def in_blocks(self) -> bool:
        """Whether those of many batches can be gathered at a time, and cut into batches after that."""

        def alike(rows: Output) -> bool:
            if isinstance(rows, Sparse):
                return isinstance(rows.values, Column)
            return rows.ends is None if isinstance(rows, Column) else not isinstance(rows, tf.RaggedTensor)

        return all(map(alike, self.outputs.values()))

    def gather(self, index: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor | None]:
        inputs = {name: _gathered(rows, index) for name, rows in self.outputs.items()}
        weights = None if self.weights is None else tf.gather(self.weights, index)
        return inputs, tf.gather(self.labels, index), weights


@dataclass
class Room:
    """How many bytes preprocessed rows may take in memory, and the folder for those that would take more."""

    bytes: float = math.inf
    folder: Path = Path("rows")

    @classmethod
    def of(cls, train: Train, folder: Path) -> Room:
        return cls(machine.memory_limit() * SHARE if train.memory is None else train.memory * 2**30, folder)


def load(
    task: Task,
    train: Train,
    preprocessing: Preprocessing,
    examples: str,
    splits: tuple[str, ...],
    room: Room | None = None,
) -> Rows:
    """Read and preprocess the rows of these splits, leaving out those that training does without."""
    room = room or Room()
    kept = _Kept(room, room.folder / "+".join(splits))
    if kept.complete:  # an interrupted fit had written them
        return _rows(task, train, *kept.read())
    labels, weights, skipped = [], [], 0
    for features, outputs, label, left_out in _complete_batches(task, train, preprocessing, examples, splits):
        skipped += left_out
        kept.add(outputs)
        labels.append(label)
        weights.append(_sample_weights(task, train, features))
    if not sum(map(len, labels)):
        raise ValueError(f"There are no rows in {' and '.join(splits)} to train on. Expected at least one.")
    given = [piece for piece in weights if piece is not None]
    return _rows(task, train, *kept.finish(np.concatenate(labels), np.concatenate(given) if given else None, skipped))


def _rows(
    task: Task, train: Train, outputs: Mapping[str, Output], label: np.ndarray, weights: np.ndarray | None, skipped: int
) -> Rows:
    if train.class_weights is not None:
        by_class = class_weights(task, train, label)[label]
        weights = by_class if weights is None else weights * by_class
    weighted = None if weights is None else tf.constant(weights, tf.float32)
    return Rows(outputs, tf.constant(label[:, None]), weighted, skipped)


class _Kept:
    """Preprocessed batches as they come: in memory, until they are more than there is room for."""

    def __init__(self, room: Room, folder: Path) -> None:
        self.room, self.folder = room, folder
        self.pieces: dict[str, list[Any]] = {}
        self.size = 0
        self.writer: rows_on_disk.Writer | None = None
        self.widths: dict[str, int] = {}

    def add(self, made: Mapping[str, Any]) -> None:
        outputs = {
            name: Sparse.of(value) if isinstance(value, tf.SparseTensor) else value for name, value in made.items()
        }
        if self.writer is not None:
            self._write(outputs)
            return
        for name, value in outputs.items():
            self.pieces.setdefault(name, []).append(value)
            self.size += _bytes(value)
        if 2 * self.size > self.room.bytes and not any(map(_nested, outputs.values())):  # joined, they are there twice
            print(f"Preprocessed rows take more than {self.room.bytes / 2**30:.2g} GiB: they lie on disk.", flush=True)
            self.writer = rows_on_disk.Writer(self.folder)
            for at in range(len(next(iter(self.pieces.values())))):
                self._write({name: pieces[at] for name, pieces in self.pieces.items()})
            self.pieces.clear()

    def _write(self, outputs: Mapping[str, Any]) -> None:
        assert self.writer is not None
        for name, value in outputs.items():
            if isinstance(value, Sparse):
                self.widths[name] = value.width
                self.writer.add(f"{name} positions", value.positions)
                self.writer.add(f"{name} values", value.values)
            else:
                self.writer.add(name, value)

    def finish(self, label: np.ndarray, weights: np.ndarray | None, skipped: int) -> tuple[Any, ...]:
        """The outputs' rows, and what was given."""
        if self.writer is None:
            self.room.bytes -= self.size
            return {name: _joined(pieces) for name, pieces in self.pieces.items()}, label, weights, skipped
        self.writer.add(LABEL, tf.constant(label))
        if weights is not None:
            self.writer.add(WEIGHTS, tf.constant(weights))
        self.writer.finish(sparse=self.widths, skipped=skipped)
        return self.read()

    @property
    def complete(self) -> bool:
        return rows_on_disk.complete(self.folder)

    def read(self) -> tuple[Any, ...]:
        """The same of rows that lie on disk."""
        columns, about = rows_on_disk.opened(self.folder)
        sparse = {
            name: Sparse(columns.pop(f"{name} positions"), columns.pop(f"{name} values"), width)
            for name, width in about["sparse"].items()
        }
        label, weights = columns.pop(LABEL), columns.pop(WEIGHTS, None)
        return {**columns, **sparse}, label.all(), weights and weights.all(), about["skipped"]


def _bytes(value: Any) -> int:
    if isinstance(value, Sparse):
        return _bytes(value.positions) + _bytes(value.values)
    flat = value.flat_values if isinstance(value, tf.RaggedTensor) else value
    if flat.dtype == tf.string:
        return int(tf.reduce_sum(tf.strings.length(flat))) + TEXT * int(tf.size(flat))
    return int(tf.size(flat)) * flat.dtype.size


def _nested(value: Any) -> bool:
    """Ragged in more than one dimension, which is kept in memory whatever it takes."""
    return isinstance(value, tf.RaggedTensor) and value.ragged_rank > 1


def _complete_batches(
    task: Task, train: Train, preprocessing: Preprocessing, examples: str, splits: tuple[str, ...]
) -> Iterator[tuple[dict[str, tf.Tensor], dict[str, Any], np.ndarray, int]]:
    """Of each batch the features, if weights are made of them, the outputs, the labels, and how many rows it lacks."""

    @plain
    def prepared(features: dict[str, tf.Tensor], label: tf.Tensor, _: tf.Tensor) -> tuple[Any, ...]:
        complete = tf.where(complete_for_training(task, features))[:, 0]
        features = {name: tf.gather(values, complete) for name, values in features.items()}
        weighed = {} if train.sample_weight is None else features
        left_out = tf.size(label) - tf.size(complete)
        return weighed, preprocessing.graph(features), tf.gather(label, complete), left_out

    rows, at_once = 0, _at_once(preprocessing.outputs)
    for split in splits:
        batches = parsed(task, examples, split, READ_BATCH)
        batches = batches.map(prepared, num_parallel_calls=at_once, deterministic=True)
        for features, outputs, label, left_out in batches:
            rows += len(label)
            say(f"preprocessing {split}: {rows:,} rows")
            yield features, outputs, label.numpy(), int(left_out)


def _at_once(outputs: Any) -> int:
    """How many batches with such outputs are preprocessed at the same time: one on each core, but large ones singly."""
    row = 0
    for spec in tf.nest.flatten(outputs):
        sizes = spec.shape[1:] if spec.shape.rank else ()
        row += math.prod(size or 1 for size in sizes) * (TEXT if spec.dtype == tf.string else spec.dtype.size)
    return max(1, min(machine.cores(), AT_ONCE_BYTES // (READ_BATCH * row)))


def _joined(pieces: list[Any]) -> tf.Tensor | Sparse:
    if not isinstance(pieces[0], Sparse):
        return tf.concat(pieces, axis=0)
    return Sparse(
        tf.concat([piece.positions for piece in pieces], axis=0),
        tf.concat([piece.values for piece in pieces], axis=0),
        pieces[0].width,
    )


def _sample_weights(task: Task, train: Train, features: dict[str, tf.Tensor]) -> np.ndarray | None:
    if train.sample_weight is None:
        return None
    rows = frame(task.features, {name: values.numpy() for name, values in features.items()})
    weights = np.asarray(train.sample_weight(rows), np.float32)
    if weights.shape != (len(rows),):
        raise ValueError(f"sample_weight gives one number a row. Expected {len(rows)}. Received: {weights.shape}.")
    return weights


def class_weights(task: Task, train: Train, label: np.ndarray) -> np.ndarray:
    """The weight of each class, in the order of the label's values."""
    assert isinstance(task.label, Category)
    values = task.label.values
    if train.class_weights == "balanced":
        counts = np.bincount(label, minlength=len(values))
        return (len(label) / (len(values) * np.maximum(counts, 1))).astype(np.float32)
    assert train.class_weights is not None
    return np.array([train.class_weights.get(value, 1.0) for value in values], np.float32)
