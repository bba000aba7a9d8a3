"""What a fit minimises, and how: losses, the optimizer, and the learning rate's schedule."""

from __future__ import annotations

from typing import Any, Literal

import keras
import tensorflow as tf

from components.train import devices, xla
from tasks import Task, Train

LOSSES = {
    "regression": "mse",
    "binary": "binary_crossentropy",
    "classes": "sparse_categorical_crossentropy",
}  # fmt: skip
# Of one device, between two looks of Python's.
STEPS_AT_ONCE = 64
WATCHED = {"regression": ["mae"], "binary": ["accuracy"], "classes": ["accuracy"]}


def compile_model(
    task: Task,
    model: keras.Model,
    train: Train,
    outputs: tuple[str, ...],
    steps: int,
    found: devices.Devices = devices.ONE,
    *,
    dense: bool = False,
) -> None:
    metrics: Any = WATCHED[task.kind]
    loss: Any = train.loss or LOSSES[task.kind]
    if len(outputs) > 1:
        metrics, loss = {outputs[0]: metrics}, dict.fromkeys(outputs, loss)
    # Several replicas share out a batch by weights.
    weighted = bool(train.class_weights or train.sample_weight) or found.strategy is not None
    model.compile(
        optimizer=optimizer(train, steps),
        loss=loss,
        loss_weights=dict(train.loss_weights) if train.loss_weights else None,
        weighted_metrics=metrics if weighted else None,
        metrics=None if weighted else metrics,
        steps_per_execution=min(steps, STEPS_AT_ONCE) if found.strategy is None else 1,
        jit_compile=compiles(model, train, steps, found, dense=dense),
    )
    model.optimizer.build(model.trainable_variables)
    if not model.jit_compile and not found.accelerated:
        # Compiled by XLA, a CPU gives the same numbers each time; otherwise it must be told to.
        tf.config.experimental.enable_op_determinism()


def build_metrics(model: keras.Model, rows: tuple[Any, ...]) -> None:
    """Make their variables: TensorFlow traces a function that makes variables once more without them."""
    inputs, labels, weights = keras.utils.unpack_x_y_sample_weight(rows)
    model.compute_metrics(inputs, labels, model(inputs, training=False), weights)
    model.reset_metrics()


def compiles(
    model: keras.Model, train: Train, steps: int, found: devices.Devices, *, dense: bool
) -> bool | Literal["auto"]:
    """Whether XLA compiles the steps; "auto" leaves it to Keras, which does so for all models that it can."""
    if found.strategy is not None:
        return False  # The replicas' gradients are summed in the midst of a step, which XLA cannot compile.
    if train.xla is not None:
        return train.xla
    return "auto" if found.accelerated else dense and xla.pays(model, train, steps, found.batch(train))


def optimizer(train: Train, steps: int) -> keras.optimizers.Optimizer:
    made = keras.optimizers.get(train.optimizer)
    rate: Any = float(made.learning_rate) if train.learning_rate is None else train.learning_rate
    if train.schedule == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, steps * train.epochs)
    elif train.schedule == "exponential":
        rate = keras.optimizers.schedules.ExponentialDecay(rate, steps, 0.95)
    return type(made).from_config({**made.get_config(), "learning_rate": rate})
