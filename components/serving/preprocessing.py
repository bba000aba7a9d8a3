"""The transform graph, loaded for training, serving and the proof that both see the same."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf


class Preprocessing(tf.Module):
    """The saved graph, ready to be called and to be exported inside a model."""

    def __init__(self, transform_graph: str) -> None:
        super().__init__()
        self._loaded = tf.saved_model.load(str(Path(transform_graph) / "transform_fn"))

    @property
    def outputs(self) -> Any:
        """What the graph gives, as specifications of tensors."""
        return self._loaded.transform_fn.structured_outputs

    def graph(self, features: Mapping[str, tf.Tensor]) -> dict[str, Any]:
        """Raw features in, preprocessed tensors out; sparse ones stay sparse."""
        outputs: dict[str, Any] = self._loaded.transform_fn(dict(features))
        return outputs

    def dense(self, features: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        """The same as a model takes it; for a batch, never for a whole split."""
        return {
            name: tf.sparse.to_dense(value) if isinstance(value, tf.SparseTensor) else value
            for name, value in self.graph(features).items()
        }


def model_inputs(model: keras.Model, outputs: Mapping[str, Any]) -> Any:
    """The preprocessed tensors that the model names as its inputs; a subclassed model gets all of them."""
    if not hasattr(model, "inputs"):
        return dict(outputs)
    missing = sorted({tensor.name for tensor in model.inputs} - set(outputs))
    if missing:
        raise ValueError(
            f"The model's inputs must bear names of the preprocessing's outputs. Expected some of: "
            f"{', '.join(sorted(outputs))}. Received: {', '.join(missing)}."
        )
    expected = model.inputs[0] if isinstance(model, keras.Sequential) else model.input
    inputs = keras.tree.map_structure(lambda tensor: outputs[tensor.name], expected)
    return tuple(inputs) if isinstance(inputs, list) else inputs  # tf.data would stack a list into one tensor
