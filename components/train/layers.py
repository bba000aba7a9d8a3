"""A model's layers, as a report lists them."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np


def layers(model: keras.Model) -> list[dict[str, Any]]:
    """Each layer's name, kind, output and numbers of weights; a model inside counts as one layer."""
    return [
        {
            "name": layer.name,
            "kind": type(layer).__name__,
            "shape": _shape(layer),
            "weights": _count(layer.weights),
            "fitted": _count(layer.trainable_weights),
        }
        for layer in model.layers
    ]


def _shape(layer: keras.layers.Layer) -> str:
    """Of its output for one call; what is called several times, or in code of its own, does not tell."""
    try:
        outputs = keras.tree.flatten(layer.output)
    except (AttributeError, ValueError):
        return ""
    return ", ".join(" × ".join("?" if size is None else str(size) for size in output.shape) for output in outputs)


def _count(weights: list[Any]) -> int:
    return int(sum(np.prod(weight.shape) for weight in weights))
