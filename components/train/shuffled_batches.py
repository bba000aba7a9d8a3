"""Training rows, preprocessed once and kept in memory, fed as shuffled batches that a resumed run repeats exactly."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from components.examples.parse import complete_for_training, frame, parsed, plain
from components.progress import say
from components.serving.preprocessing import Preprocessing, model_inputs
from tasks import Category, Task, Train

READ_BATCH = 2048
Example = Callable[[tf.Tensor], tuple[Any, ...]]


@dataclass(frozen=True)
class Sparse:
    """Rows of a sparse output: the positions and values of what is not zero, made dense only a batch at a time."""

    positions: tf.RaggedTensor
    values: tf.RaggedTensor
    width: int

    @classmethod
    def of(cls, tensor: tf.SparseTensor) -> Sparse:
        rows, count = tensor.indices[:, 0], tensor.dense_shape[0]
        positions = tf.RaggedTensor.from_value_rowids(tf.cast(tensor.indices[:, 1], tf.int32), rows, count)
        return cls(positions, positions.with_flat_values(tensor.values), int(tensor.shape[1]))

    def gather(self, index: tf.Tensor) -> tf.Tensor:
        positions, values = tf.gather(self.positions, index), tf.gather(self.values, index)
        where = tf.stack([tf.cast(positions.value_rowids(), tf.int32), positions.flat_values], axis=1)
        dense = tf.scatter_nd(where, values.flat_values, [tf.shape(index)[0], self.width])
        return tf.ensure_shape(dense, [None, self.width])


@dataclass(frozen=True)
class Rows:
    """The rows of a split after preprocessing."""

    outputs: Mapping[str, tf.Tensor | Sparse]
    labels: tf.Tensor
    weights: tf.Tensor | None
    skipped: int

    @property
    def count(self) -> int:
        return int(self.labels.shape[0])

    def gather(self, index: tf.Tensor) -> tuple[dict[str, tf.Tensor], tf.Tensor, tf.Tensor | None]:
        inputs = {
            name: rows.gather(index) if isinstance(rows, Sparse) else tf.gather(rows, index)
            for name, rows in self.outputs.items()
        }
        weights = None if self.weights is None else tf.gather(self.weights, index)
        return inputs, tf.gather(self.labels, index), weights


def load(task: Task, train: Train, preprocessing: Preprocessing, examples: str, splits: tuple[str, ...]) -> Rows:
    """Read and preprocess the rows of these splits, leaving out those that training does without."""
    outputs: dict[str, list[Any]] = {}
    labels, weights, skipped = [], [], 0
    for features, label, left_out in _complete_batches(task, examples, splits):
        skipped += left_out
        for name, value in preprocessing.graph(features).items():
            outputs.setdefault(name, []).append(Sparse.of(value) if isinstance(value, tf.SparseTensor) else value)
        labels.append(label.numpy())
        weights.append(_sample_weights(task, train, features))
    if not sum(map(len, labels)):
        raise ValueError(f"There are no rows in {' and '.join(splits)} to train on. Expected at least one.")
    label = np.concatenate(labels)
    return Rows(
        outputs={name: _joined(pieces) for name, pieces in outputs.items()},
        labels=tf.constant(label[:, None]),
        weights=_all_weights(task, train, label, weights),
        skipped=skipped,
    )


def _complete_batches(task: Task, examples: str, splits: tuple[str, ...]) -> Iterator[tuple[Any, tf.Tensor, int]]:
    rows = 0
    for split in splits:
        for features, label, _ in parsed(task, examples, split, READ_BATCH):
            complete = complete_for_training(task, features)
            features = {name: tf.boolean_mask(values, complete) for name, values in features.items()}
            kept = tf.boolean_mask(label, complete)
            rows += len(kept)
            say(f"preprocessing {split}: {rows:,} rows")
            yield features, kept, len(label) - len(kept)


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


def _all_weights(task: Task, train: Train, label: np.ndarray, pieces: list[np.ndarray | None]) -> tf.Tensor | None:
    weights = None if train.sample_weight is None else np.concatenate([piece for piece in pieces if piece is not None])
    if train.class_weights is not None:
        by_class = class_weights(task, train, label)[label]
        weights = by_class if weights is None else weights * by_class
    return None if weights is None else tf.constant(weights, tf.float32)


def class_weights(task: Task, train: Train, label: np.ndarray) -> np.ndarray:
    """The weight of each class, in the order of the label's values."""
    assert isinstance(task.label, Category)
    values = task.label.values
    if train.class_weights == "balanced":
        counts = np.bincount(label, minlength=len(values))
        return (len(label) / (len(values) * np.maximum(counts, 1))).astype(np.float32)
    assert train.class_weights is not None
    return np.array([train.class_weights.get(value, 1.0) for value in values], np.float32)


class Epoch(keras.callbacks.Callback):
    """Tells the input pipeline which epoch it is."""

    def __init__(self) -> None:
        super().__init__()
        self.number = tf.Variable(0, dtype=tf.int64, trainable=False)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.number.assign(epoch)


def order(rows: Rows, batch: int, *, seed: int, epoch: Epoch) -> tf.data.Dataset:
    """The row numbers of one epoch's shuffled batches: they hang on the seed and the epoch alone."""

    @plain
    def shuffled(_: tf.Tensor) -> tf.data.Dataset:
        seeds = tf.stack([tf.constant(seed, tf.int64), epoch.number.read_value()])
        index = tf.random.experimental.stateless_shuffle(tf.range(rows.count), seeds)
        return tf.data.Dataset.from_tensor_slices(index).batch(batch)

    steps = tf.data.experimental.assert_cardinality(math.ceil(rows.count / batch))
    return tf.data.Dataset.range(1).flat_map(shuffled).apply(steps)


def numbers(rows: Rows, batch: int) -> tf.data.Dataset:
    """The row numbers of batches in the rows' own order."""
    return tf.data.Dataset.range(rows.count, output_type=tf.int32).batch(batch)


def fed(order: tf.data.Dataset, example: Example) -> tf.data.Dataset:
    """What Keras' fit takes, from the row numbers of its batches."""
    return order.map(example, num_parallel_calls=2).prefetch(4)


def example(rows: Rows, model: keras.Model, outputs: tuple[str, ...]) -> Example:
    """From row numbers to what Keras' fit takes: (inputs, labels[, weights])."""

    @plain
    def gather(index: tf.Tensor) -> tuple[Any, ...]:
        preprocessed, label, weights = rows.gather(index)
        inputs = model_inputs(model, preprocessed)
        labels = label if len(outputs) == 1 else dict.fromkeys(outputs, label)
        return (inputs, labels) if weights is None else (inputs, labels, weights)

    return gather
