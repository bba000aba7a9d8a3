"""XLA on a CPU: the steps of many batches as one loop, so that a step costs little more than its arithmetic."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import keras
import tensorflow as tf

from components.examples.parse import plain
from tasks import Train

# Known to be compiled to something faster. Convolutions are not: a small network of them took 70 s to compile, and five
# times as long for a step. Code that is not Keras' own may not compile at all.
LAYERS = frozenset(
    {
        "Activation", "Add", "BatchNormalization", "Concatenate", "Dense", "Dropout", "Embedding", "Flatten",
        "GlobalAveragePooling1D", "GlobalMaxPooling1D", "InputLayer", "LayerNormalization", "ReLU", "Rescaling",
        "Reshape",
    }
)  # fmt: skip
# Seconds: what a compiled step saves, whatever is in it; what it saves for each weight and row of a batch; and what
# must be saved in all, about twice the time of the compilation. Measured on two cores.
STEP, WEIGHT, WORTH = 300e-6, 1.5e-10, 2.0


def pays(model: keras.Model, train: Train, steps: int, batch: int) -> bool:
    """Whether the fit ends earlier when steps are compiled, of which an epoch has so many."""
    operations = getattr(model, "operations", model.layers)
    # Such as an activation.
    parts = [part for one in operations for part in vars(one).values() if callable(part)]
    if any(str(one.__module__).partition(".")[0] != "keras" for one in (model, *operations, *parts)):
        return False
    known = all(type(one).__name__ in LAYERS for one in operations)
    # With patience, a fit seldom comes to its last epoch.
    epochs = train.epochs if train.patience is None else min(train.epochs, 2 * train.patience)
    return known and epochs * steps * (STEP + WEIGHT * batch * model.count_params()) >= WORTH


def train_function(
    model: keras.Model, batch: int, block: int, *, rest: bool
) -> Callable[[Iterator[Any]], dict[str, tf.Tensor]]:
    """What Keras' fit calls: it takes the next rows of at most so many batches, and makes a step with each batch.

    Only where there is a rest may the last batch of an epoch be a smaller one.
    """
    step = tf.function(plain(model.train_step), jit_compile=True)

    @plain
    def steps(batches: Any, count: tf.Tensor) -> None:
        def one(number: tf.Tensor) -> tf.Tensor:
            model.train_step(tf.nest.map_structure(lambda rows: rows[number], batches))
            return number + 1

        tf.while_loop(lambda number: number < count, one, [0])

    steps = tf.function(steps, jit_compile=True)

    @plain
    def fit(iterator: Iterator[Any]) -> dict[str, tf.Tensor]:
        rows = next(iterator)
        count = tf.shape(tf.nest.flatten(rows)[0])[0]
        whole = count // batch * batch

        def in_batches(rows: tf.Tensor) -> tf.Tensor:
            # Of one shape always, so that it is compiled once.
            missing = [[0, block * batch - whole], *([[0, 0]] * (rows.shape.rank - 1))]
            return tf.reshape(tf.pad(rows[:whole], missing), [block, batch, *rows.shape[1:]])

        def last() -> int:
            step(tf.nest.map_structure(lambda rows: rows[whole:], rows))
            return 0

        steps(tf.nest.map_structure(in_batches, rows), count // batch)
        if rest:
            tf.cond(count > whole, last, lambda: 0)
        metrics: dict[str, tf.Tensor] = model.get_metrics_result()
        return metrics

    return tf.function(fit)
