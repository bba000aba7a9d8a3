"""When XLA compiles the steps of a fit on a CPU."""

from __future__ import annotations

from typing import Any

import keras
import pytest
import tensorflow as tf

import tasks
from components.train import devices, xla
from components.train.optimizer import compile_model
from tasks import Train

LONG = Train(epochs=5)


class OwnStep(keras.Model):
    def train_step(self, data: Any) -> Any:
        return super().train_step(data)


class Doubled(keras.layers.Layer):
    def call(self, inputs: Any) -> Any:
        return 2 * inputs


def mlp(units: int = 128, kind: type[keras.Model] = keras.Model, *layers: keras.layers.Layer) -> keras.Model:
    inputs = keras.Input((784,))
    x = keras.layers.Dense(units, activation="relu")(inputs)
    for layer in layers:
        x = layer(x)
    return kind(inputs, keras.layers.Dense(10, activation="softmax")(x))


def test_a_long_fit_of_dense_layers_is_compiled() -> None:
    assert xla.pays(mlp(), LONG, steps=2000, batch=32)
    sequential = keras.Sequential([keras.Input((784,)), keras.layers.Dense(128), keras.layers.Dropout(0.1)])
    assert xla.pays(sequential, LONG, steps=2000, batch=32)


def test_a_short_fit_is_not() -> None:
    assert not xla.pays(mlp(), LONG, steps=10, batch=32)


def test_a_small_model_is_where_there_are_many_steps() -> None:
    assert not xla.pays(mlp(1), LONG, steps=500, batch=32)
    assert xla.pays(mlp(1), LONG, steps=5000, batch=32)


def test_what_will_stop_early_is_a_short_fit() -> None:
    train = Train(epochs=1000, patience=2)
    assert not xla.pays(mlp(), train, steps=200, batch=32)
    assert xla.pays(mlp(), train, steps=2000, batch=32)


@pytest.mark.parametrize(
    "model",
    [
        mlp(128, OwnStep),
        mlp(128, keras.Model, Doubled()),
        mlp(128, keras.Model, keras.layers.Dense(4, activation=lambda x: x)),
        mlp(128, keras.Model, keras.layers.Dense(4, kernel_regularizer=lambda weights: 0.0)),
        mlp(128, keras.Model, keras.layers.Reshape((128, 1)), keras.layers.Conv1D(4, 3), keras.layers.Flatten()),
        keras.Sequential([mlp(), keras.layers.Dense(1)]),
    ],
    ids=[
        "a step of its own",
        "a layer of its own",
        "an activation of its own",
        "a regularizer of its own",
        "a convolution",
        "a model inside",
    ],
)
def test_what_was_not_measured_is_not(model: keras.Model) -> None:
    assert not xla.pays(model, LONG, steps=2000, batch=32)


@pytest.mark.parametrize(
    ("said", "steps", "compiled"),
    [(None, 2000, True), (False, 2000, False), (None, 1, False), (True, 1, True)],
)
@pytest.mark.usefixtures("no_op_determinism")
def test_the_task_has_the_last_word(said: bool | None, steps: int, compiled: bool) -> None:
    model = mlp()
    train = Train(epochs=5, xla=said)
    compile_model(tasks.get("fashion_mnist"), model, train, ("prediction",), steps, dense=True)
    assert model.jit_compile is compiled


def test_several_devices_are_never_compiled_for() -> None:
    model, several = (
        mlp(),
        devices.Devices(names=("CPU:0", "CPU:1"), strategy=tf.distribute.MirroredStrategy(["CPU:0"])),
    )
    compile_model(tasks.get("fashion_mnist"), model, Train(epochs=1000, xla=True), ("prediction",), 2000, several)
    assert not model.jit_compile
