"""The layers that a report lists."""

from __future__ import annotations

from typing import Any

import keras

from components.train.layers import layers


def test_a_functional_model() -> None:
    inputs = keras.Input((9,), name="features")
    frozen = keras.layers.Dense(4, name="frozen", trainable=False)(inputs)
    joined = keras.layers.Concatenate(name="joined")([frozen, inputs])
    model = keras.Model(inputs, keras.layers.Dense(1, name="answer")(joined))
    assert layers(model) == [
        {"name": "features", "kind": "InputLayer", "shape": "? × 9", "weights": 0, "fitted": 0},
        {"name": "frozen", "kind": "Dense", "shape": "? × 4", "weights": 40, "fitted": 0},
        {"name": "joined", "kind": "Concatenate", "shape": "? × 13", "weights": 0, "fitted": 0},
        {"name": "answer", "kind": "Dense", "shape": "? × 1", "weights": 14, "fitted": 14},
    ]
    assert sum(layer["weights"] for layer in layers(model)) == model.count_params()


def test_a_subclassed_model_does_not_tell_its_shapes() -> None:
    class Twice(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.inner = keras.Sequential([keras.layers.Dense(3)], name="inner")

        def call(self, inputs: Any) -> Any:
            return self.inner(self.inner(inputs))

    model = Twice()
    model(keras.ops.zeros((2, 3)))
    assert layers(model) == [{"name": "inner", "kind": "Sequential", "shape": "", "weights": 12, "fitted": 12}]
