"""TF-Hub text modules inside Keras 3 models: strings in, a vector each out, fine-tuned with the rest."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
import tensorflow_hub
import tensorflow_transform as tft

from tasks._task import InputError

OWN = "own"  # the handle of the module made here
DIMENSIONS = 20


@keras.saving.register_keras_serializable("sluice")
class HubText(keras.layers.Layer):
    """A module from a handle, or one made from a vocabulary, whose variables become weights of this layer.

    `tensorflow_hub.KerasLayer` is of Keras 2 and cannot stand in a Keras 3 model.
    """

    def __init__(self, handle: str, vocabulary: Sequence[str] = (), **settings: Any) -> None:
        super().__init__(**settings)
        self.handle, self.vocabulary = handle, tuple(vocabulary)
        self.supports_jit = False  # XLA knows no strings

    @property
    def about(self) -> str:
        if self.vocabulary:
            return f"Text module made here, from the {len(self.vocabulary):,} most frequent tokens of the train split."
        return f"Text module: {self.handle}."

    def build(self, input_shape: Any) -> None:
        self._module = _made(self.vocabulary) if self.vocabulary else _loaded(self.handle)
        for number, variable in enumerate(self._module.trainable_variables):
            weight = self.add_weight(shape=variable.shape, dtype=variable.dtype.name, name=f"module_{number}")
            weight._value = variable  # the module's own variable trains, and is saved, as this weight
        self.built = True

    def call(self, texts: Any) -> Any:
        return self._module(texts)

    def compute_output_shape(self, input_shape: Any) -> Any:
        return (*input_shape, self._module(tf.constant([""])).shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "handle": self.handle, "vocabulary": self.vocabulary}


def own_module(vocabulary: Sequence[str], dimensions: int = DIMENSIONS) -> tf.train.Checkpoint:
    """What gnews-swivel is, untrained: splits on spaces, one bucket for unknown tokens, `sqrtn` combination."""
    known = tf.lookup.KeyValueTensorInitializer(list(vocabulary), tf.range(len(vocabulary), dtype=tf.int64))
    module = tf.train.Checkpoint()
    module.table = tf.lookup.StaticHashTable(known, default_value=len(vocabulary))
    module.embeddings = tf.Variable(tf.random.normal([len(vocabulary) + 1, dimensions], stddev=0.05))
    module.variables = module.trainable_variables = [module.embeddings]

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string)])
    def call(texts: tf.Tensor) -> tf.Tensor:
        tokens = tf.strings.split(texts, " ")
        ids = tokens.with_flat_values(module.table.lookup(tokens.flat_values)).to_sparse()
        vectors = tf.nn.safe_embedding_lookup_sparse(module.embeddings, ids, combiner="sqrtn")
        return tf.ensure_shape(vectors, [None, dimensions])

    module.__call__ = call
    return module


def text_layer(handle: str, transform_graph: Path, vocabulary: str) -> HubText:
    """The module of this handle, or the one made from the vocabulary."""
    if handle != OWN:
        return HubText(handle, name="text_module")
    words = tft.TFTransformOutput(str(transform_graph)).vocabulary_by_name(vocabulary)
    return HubText(OWN, [word.decode(errors="backslashreplace") for word in words], name="text_module")


def _loaded(handle: str) -> Any:
    try:
        module = tensorflow_hub.load(handle)
        dimensions = module(tf.constant(["a"])).shape
    except Exception as error:
        raise InputError(
            f"{handle!r} is not a text module. Expected the path or address of a TF2 SavedModel that turns strings "
            f"into vectors. Received: {error}"
        ) from error
    if len(dimensions) != 2:
        raise InputError(f"{handle!r} is not a text module. Expected a vector a text. Received: shape {dimensions}.")
    return module


def _made(vocabulary: Sequence[str]) -> Any:
    """Saved and loaded again, so that it goes the way of any other module."""
    with tempfile.TemporaryDirectory() as directory:
        tf.saved_model.save(own_module(vocabulary), directory)
        return tensorflow_hub.load(directory)
