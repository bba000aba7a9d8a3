"""Fitting on several devices or machines: each batch is shared out so that its gradient is that of one device.

Keras' own fit is not used here. With more than one replica it fails on batches that do not divide evenly, and under
MultiWorkerMirroredStrategy altogether (Keras 3.15); its train and test steps, run by tf.distribute, do neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf

from components.train.shuffled_batches import Example

Batch = tuple[Any, ...]


def fit(
    model: keras.Model,
    strategy: tf.distribute.Strategy,
    order: tf.data.Dataset,
    example: Example,
    *,
    watched: tuple[tf.data.Dataset, Example] | None,
    epochs: int,
    first: int,
    callbacks: Sequence[keras.callbacks.Callback],
) -> None:
    """As `model.fit`; `order` gives the row numbers of each batch of all replicas."""
    steps = int(order.cardinality())
    called = keras.callbacks.CallbackList(list(callbacks), model=model, epochs=epochs, steps=steps, verbose=0)
    with strategy.scope():
        # Metrics get their variables here: in a replica's context it would be too late.
        rows, weight = _rows(next(iter(order)), strategy.num_replicas_in_sync, slice(0, 1))
        model._symbolic_build(data_batch=weighted(example(rows[0]), weight[0]))
    training, sizes = _distributed(strategy, order, example), _sizes(order)
    held_out = (_distributed(strategy, *watched), _sizes(watched[0])) if watched else None
    train, test = _step(strategy, model.train_step), _step(strategy, model.test_step)
    model.stop_training = False
    called.on_train_begin()
    for epoch in range(first, epochs):
        called.on_epoch_begin(epoch)
        logs = _pass(model, train, training, sizes, called)
        if held_out is not None:
            logs |= {f"val_{name}": value for name, value in _pass(model, test, *held_out, None).items()}
        called.on_epoch_end(epoch, logs)
        if model.stop_training:
            break
    called.on_train_end()


def _pass(
    model: keras.Model, step: Any, batches: Any, sizes: Sequence[int], called: keras.callbacks.CallbackList | None
) -> dict[str, float]:
    model.reset_metrics()
    before: dict[str, float] = {}
    for number, batch in enumerate(batches):
        if number == len(sizes) - 1 > 0:
            before = _results(model)
        step(batch)
        if called is not None:
            called.on_train_batch_end(number)
    replicas = model.distribute_strategy.num_replicas_in_sync
    return _means(before, _results(model), sum(sizes[:-1]), sizes[-1], -(-sizes[-1] // replicas) * replicas)


def _means(before: dict[str, float], after: dict[str, float], counted: int, last: int, filled: int) -> dict[str, float]:
    """The means over all rows, from those that count the last batch with the rows that fill it up."""
    if not before or last == filled:
        return after

    def mean(name: str) -> float:
        in_last = (after[name] * (counted + filled) - before[name] * counted) / filled
        return (before[name] * counted + in_last * last) / (counted + last)

    return {name: mean(name) for name in after}


def _results(model: keras.Model) -> dict[str, float]:
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def _sizes(order: tf.data.Dataset) -> list[int]:
    """How many rows each batch has."""
    return [len(index) for index in order.as_numpy_iterator()]


def _step(strategy: tf.distribute.Strategy, step: Any) -> Any:
    @tf.function
    def on_all(batch: Batch) -> None:
        strategy.run(step, args=(batch,))

    return on_all


def _distributed(strategy: tf.distribute.Strategy, order: tf.data.Dataset, example: Example) -> Any:
    replicas = strategy.num_replicas_in_sync

    def shares(context: tf.distribute.InputContext) -> tf.data.Dataset:
        local = replicas // context.num_input_pipelines
        mine = slice(context.input_pipeline_id * local, (context.input_pipeline_id + 1) * local)
        shared = order.flat_map(lambda index: tf.data.Dataset.from_tensor_slices(_rows(index, replicas, mine)))
        return shared.map(lambda index, weight: weighted(example(index), weight), num_parallel_calls=2).prefetch(4)

    return strategy.distribute_datasets_from_function(shares)


def _rows(index: tf.Tensor, replicas: int, mine: slice) -> tuple[tf.Tensor, tf.Tensor]:
    """The row numbers of some replicas, and the weight of each row.

    All replicas get the same number of rows, the last of a batch repeated with no weight. The others' weight makes up
    for those, so that the mean over the replicas of their mean losses is the mean over the batch.
    """
    count = tf.shape(index)[0]
    each = -(-count // replicas)
    at = tf.range(each * replicas)
    weight = tf.where(at < count, tf.cast(each * replicas, tf.float32) / tf.cast(count, tf.float32), 0.0)
    rows = tf.reshape(tf.gather(index, tf.minimum(at, count - 1)), [replicas, each])
    return rows[mine], tf.reshape(weight, [replicas, each])[mine]


def weighted(batch: Batch, weight: tf.Tensor) -> Batch:
    """The batch with these weights, times its own where it has some."""
    inputs, labels, *own = batch
    return inputs, labels, weight * own[0] if own else weight
