"""Training rows, preprocessed once: kept in memory, or on the local disk where they are more than that should hold."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import tensorflow as tf

from components import machine
from components.examples import example_bytes
from components.examples.parse import complete_for_training, frame, parser, shards
from components.progress import say
from components.serving.preprocessing import Preprocessing
from components.serving.trained_answers import DEVICE
from components.threads import in_order
from components.train import rows_on_disk
from components.train.rows_on_disk import Column
from tasks import Category, Task, Train

READ_BATCH = 2048
LARGE_BATCH, LARGE_BATCH_BYTES = 16_384, 32 << 20
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

    @property
    def dense(self) -> bool:
        """Whether a batch is a part of what has one shape, in memory as on disk."""
        return self.in_blocks and not any(isinstance(rows, Sparse) for rows in self.outputs.values())

    def gather(self, index: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor | None]:
        inputs = {name: _gathered(rows, index) for name, rows in self.outputs.items()}
        weights = None if self.weights is None else tf.gather(self.weights, index)
        return inputs, tf.gather(self.labels, index), weights


@dataclass(frozen=True)
class Batch:
    """Rows that have just been preprocessed, and how many were left out."""

    outputs: Mapping[str, Any]
    label: np.ndarray
    weights: np.ndarray | None
    left_out: int


@dataclass
class Room:
    """How many bytes preprocessed rows may take in memory, and the folder for those that would take more."""

    bytes: float = math.inf
    folder: Path = Path("rows")

    @classmethod
    def of(cls, train: Train, folder: Path) -> Room:
        return cls(machine.memory_limit() * SHARE if train.memory is None else train.memory * 2**30, folder)


class Reader:
    """Batches of a task's examples, preprocessed, without the rows that training does without."""

    def __init__(self, task: Task, train: Train, preprocessing: Preprocessing, *, alone: bool = True) -> None:
        self.task, self.train, self.preprocess = task, train, preprocessing.graph
        self.at_once, self.batch = _at_once(preprocessing.outputs), READ_BATCH
        if not alone:  # other processes use the other cores, and large batches cost less for each row
            self.at_once = 1
            self.batch = max(1, min(LARGE_BATCH, LARGE_BATCH_BYTES // _row_bytes(preprocessing.outputs)))
        parse = parser(task)

        # Not together with the preprocessing: TensorFlow would put operations of both together, and last bits differ.
        @tf.function(autograph=False, input_signature=[tf.TensorSpec([None], tf.string)])
        def complete(records: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor]:
            features, label, _ = parse(records)
            rows = tf.where(complete_for_training(task, features))[:, 0]
            whole = {name: tf.gather(values, rows) for name, values in features.items()}
            return whole, tf.gather(label, rows), tf.size(label) - tf.size(rows)

        self.complete = complete

    def batches(self, shards: Sequence[str]) -> Iterator[Batch]:
        groups = example_bytes.in_groups(example_bytes.of_shards(shards), self.batch)
        records = (group[at : at + self.batch] for group in groups for at in range(0, len(group), self.batch))
        return in_order(self._batch, records, self.at_once) if self.at_once > 1 else map(self._batch, records)

    def _batch(self, records: list[bytes]) -> Batch:
        with tf.device(DEVICE):
            features, label, left_out = self.complete(tf.constant(records))
            outputs = self.preprocess(features)
        return Batch(outputs, label.numpy(), _sample_weights(self.task, self.train, features), int(left_out))


def load(reader: Reader, examples: str, splits: tuple[str, ...], room: Room | None = None) -> Rows:
    """Read and preprocess the rows of these splits, leaving out those that training does without."""
    room = room or Room()
    folder = room.folder / "+".join(splits)
    if rows_on_disk.complete(folder):  # an interrupted fit had written them, or several processes have
        return _rows(reader, *_on_disk(folder))
    kept, read = Kept(room, folder), 0
    for split in splits:
        for batch in reader.batches(shards(examples, split)):
            kept.add(batch)
            read += len(batch.label)
            say(f"preprocessing {split}: {read:,} rows")
    if not read:
        raise ValueError(f"There are no rows in {' and '.join(splits)} to train on. Expected at least one.")
    return _rows(reader, *kept.finish())


def _rows(
    reader: Reader, outputs: Mapping[str, Output], label: np.ndarray, weights: np.ndarray | None, skipped: int
) -> Rows:
    if reader.train.class_weights is not None:
        by_class = class_weights(reader.task, reader.train, label)[label]
        weights = by_class if weights is None else weights * by_class
    weighted = None if weights is None else tf.constant(weights, tf.float32)
    return Rows(outputs, tf.constant(label[:, None]), weighted, skipped)


class Kept:
    """Preprocessed batches as they come: in memory, until they are more than there is room for."""

    def __init__(self, room: Room, folder: Path, *, on_disk: bool = False) -> None:
        self.room, self.folder = room, folder
        self.pieces: dict[str, list[Any]] = {}
        self.size, self.skipped = 0, 0
        self.labels: list[np.ndarray] = []
        self.weights: list[np.ndarray] = []
        self.writer = rows_on_disk.Writer(folder) if on_disk else None
        self.widths: dict[str, int] = {}

    def add(self, batch: Batch) -> None:
        self.skipped += batch.left_out
        self.labels.append(batch.label)
        self.weights += [] if batch.weights is None else [batch.weights]
        outputs = {
            name: Sparse.of(value) if isinstance(value, tf.SparseTensor) else value
            for name, value in batch.outputs.items()
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

    def finish(self) -> tuple[Any, ...]:
        """The outputs' rows, the labels, the weights if there are any, and how many rows were left out."""
        if self.writer is not None:
            self.close()
            return _on_disk(self.folder)
        self.room.bytes -= self.size
        outputs = {name: _joined(pieces) for name, pieces in self.pieces.items()}
        weights = np.concatenate(self.weights) if self.weights else None
        return outputs, np.concatenate(self.labels), weights, self.skipped

    def close(self) -> None:
        """The rows on disk are complete."""
        assert self.writer is not None
        for name, pieces in ((LABEL, self.labels), (WEIGHTS, self.weights)):
            if pieces:
                self.writer.add(name, tf.constant(np.concatenate(pieces)))
        self.writer.finish(sparse=self.widths, skipped=self.skipped)


def _on_disk(folder: Path) -> tuple[Any, ...]:
    """The same of rows that lie on disk."""
    columns, about = rows_on_disk.opened(folder)
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


def _at_once(outputs: Any) -> int:
    """How many batches with such outputs are preprocessed at the same time: one on each core, but large ones singly."""
    return max(1, min(machine.cores(), AT_ONCE_BYTES // (READ_BATCH * _row_bytes(outputs))))


def _row_bytes(outputs: Any) -> int:
    """What a row with such outputs takes, as far as that can be told before."""
    row = 0
    for spec in tf.nest.flatten(outputs):
        sizes = spec.shape[1:] if spec.shape.rank else ()
        row += math.prod(size or 1 for size in sizes) * (TEXT if spec.dtype == tf.string else spec.dtype.size)
    return max(1, row)


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
