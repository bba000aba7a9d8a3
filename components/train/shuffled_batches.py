"""Training rows as shuffled batches that a resumed run repeats exactly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from components.examples.parse import plain
from components.serving.preprocessing import model_inputs
from components.train.preprocessed_rows import Rows

# So many batches are gathered at a time, unless they take more than this.
BLOCK, BLOCK_BYTES = 64, 32 << 20
Order = Callable[..., tf.data.Dataset]
Example = Callable[[tf.Tensor], tuple[Any, ...]]


class Epoch(keras.callbacks.Callback):
    """Tells the input pipeline which epoch it is."""

    def __init__(self) -> None:
        super().__init__()
        self.number = tf.Variable(0, dtype=tf.int64, trainable=False)

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.number.assign(epoch)

    @property
    def now(self) -> tf.data.Dataset:
        return tf.data.Dataset.range(1).map(plain(lambda _: self.number.read_value()))


def order(rows: Rows, batch: int, *, seed: int, epochs: tf.data.Dataset, counted: bool = True) -> tf.data.Dataset:
    """The row numbers of these epochs' shuffled batches: they hang on the seed and the epoch alone.

    Where they are not counted, it is for the reader to know how many there are.
    """

    @plain
    def shuffled(epoch: tf.Tensor) -> tf.data.Dataset:
        seeds = tf.stack([tf.constant(seed, tf.int64), epoch])
        index = tf.random.experimental.stateless_shuffle(tf.range(rows.count), seeds)
        return tf.data.Dataset.from_tensor_slices(index).batch(batch)

    batches = epochs.flat_map(shuffled)
    if not counted:
        return batches
    steps = math.ceil(rows.count / batch) * int(epochs.cardinality())
    return batches.apply(tf.data.experimental.assert_cardinality(steps))


def numbers(rows: Rows, batch: int) -> tf.data.Dataset:
    """The row numbers of batches in the rows' own order."""
    return tf.data.Dataset.range(rows.count, output_type=tf.int32).batch(batch)


def fed(order: tf.data.Dataset, example: Example) -> tf.data.Dataset:
    """What Keras' fit takes, from the row numbers of its batches."""
    return as_written(order.map(example, num_parallel_calls=2).prefetch(4))


def as_written(batches: tf.data.Dataset) -> tf.data.Dataset:
    """Without tf.data's search for better numbers: here it has none to find, and may take a second to end."""
    options = tf.data.Options()
    options.autotune.enabled = False
    return batches.with_options(options)


def batches_in_a_block(order: Order, example: Example, batch: int) -> int:
    """How many are gathered at a time: each time costs more than a small batch's rows do."""
    one = order(batch).map(example)
    row = sum(
        math.prod(size or 1 for size in spec.shape[1:]) * spec.dtype.size for spec in tf.nest.flatten(one.element_spec)
    )
    return max(1, min(BLOCK, BLOCK_BYTES // (batch * row)))


def fed_in_blocks(order: Order, example: Example, batch: int) -> tf.data.Dataset:
    """The batches of `fed`, gathered many at a time."""

    @plain
    def batches(*block: Any) -> tf.data.Dataset:
        count = tf.shape(tf.nest.flatten(block)[0])[0]
        whole = count // batch * batch
        full = tf.nest.map_structure(lambda rows: tf.reshape(rows[:whole], [-1, batch, *rows.shape[1:]]), block)
        rest = tf.nest.map_structure(lambda rows: rows[whole:], block)
        last = tf.data.Dataset.from_tensors(rest).take(tf.cast(count > whole, tf.int64))
        return tf.data.Dataset.from_tensor_slices(full).concatenate(last)

    blocks = order(batch * batches_in_a_block(order, example, batch)).map(example).prefetch(1)
    steps = tf.data.experimental.assert_cardinality(int(order(batch).cardinality()))
    return as_written(blocks.flat_map(batches).apply(steps).prefetch(4))


def example(rows: Rows, model: keras.Model, outputs: tuple[str, ...]) -> Example:
    """From row numbers to what Keras' fit takes: (inputs, labels[, weights])."""

    @plain
    def gather(index: tf.Tensor) -> tuple[Any, ...]:
        preprocessed, label, weights = rows.gather(index)
        inputs = model_inputs(model, preprocessed)
        labels = label if len(outputs) == 1 else dict.fromkeys(outputs, label)
        return (inputs, labels) if weights is None else (inputs, labels, weights)

    return gather
