"""The wide and deep network as a subclass of `keras.Model`."""

from __future__ import annotations

from typing import Any

import keras


@keras.saving.register_keras_serializable("sluice")
class WideDeep(keras.Model):
    """Two hidden layers beside a straight line, both into one linear unit."""

    def __init__(self, units: int = 30, **settings: Any) -> None:
        super().__init__(**settings)
        self.units = units
        self.hidden = [keras.layers.Dense(units, activation="relu") for _ in range(2)]
        self.together = keras.layers.Concatenate()
        self.output_unit = keras.layers.Dense(1)

    def call(self, inputs: dict[str, Any]) -> Any:
        x = inputs["features"]
        for layer in self.hidden:
            x = layer(x)
        return self.output_unit(self.together([inputs["features"], x]))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}
