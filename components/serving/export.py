"""The SavedModel that is served: raw rows in, named predictions out, the preprocessing inside."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components.examples.parse import decoded, parsing_spec, request_spec
from components.serving.preprocessing import Preprocessing, model_inputs
from tasks import Category, Task


class Served:
    """A model as TF Serving and `tf.saved_model.load` see it."""

    def __init__(self, task: Task, model_name: str, model: keras.Model, preprocessing: Preprocessing) -> None:
        self.model, self.preprocessing = model, preprocessing
        self._task, self._outputs = task, task.models[model_name].outputs

    def predict(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = self.model(model_inputs(self.model, self.preprocessing.dense(features)), training=False)
        if not isinstance(outputs, dict):
            outputs = {self._outputs[0]: outputs}
        served = named(self._task, tf.cast(outputs[self._outputs[0]], tf.float32))
        return served | {name: further(outputs[name]) for name in self._outputs[1:]}

    def examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.features(**tf.io.parse_example(examples, parsing_spec(self._task.features)))

    def features(self, **features: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.predict(decoded(self._task.features, features))


def named(task: Task, prediction: tf.Tensor) -> dict[str, tf.Tensor]:
    """A model's main output under the names that a client reads."""
    if task.kind == "regression":
        return {"prediction": prediction[:, 0]}
    if task.kind == "binary":
        return {"probability": prediction[:, 0]}
    assert isinstance(task.label, Category)
    best = tf.gather(tf.constant(task.label.labels), tf.argmax(prediction, axis=1))
    return {"probabilities": prediction, "class": best}


def further(output: tf.Tensor) -> tf.Tensor:
    """A further output, whole: one number a row, or several."""
    values = tf.cast(output, tf.float32)
    return values[:, 0] if values.shape[-1] == 1 else values


def export(task: Task, model_name: str, model: keras.Model, preprocessing: Preprocessing, path: Path) -> Served:
    shutil.rmtree(path, ignore_errors=True)
    served = Served(task, model_name, model, preprocessing)
    specs = {f.name: tf.TensorSpec([None], request_spec(f)[0], f.name) for f in task.features}
    by_example = tf.function(served.examples, autograph=False)
    by_name = tf.function(served.features, autograph=False)
    signatures = {
        "serving_default": by_example.get_concrete_function(tf.TensorSpec([None], tf.string, "examples")),
        "features": by_name.get_concrete_function(**specs),
    }
    root = tf.Module()
    root.state = state(list(signatures.values()), [model, preprocessing])
    tf.saved_model.save(root, str(path), signatures=signatures)
    return served


def state(functions: Sequence[Any], roots: Sequence[Any]) -> list[Any]:
    """The variables and tables below the roots that the functions read, each once; nothing of an optimizer.

    A Keras variable is exported as a second one that nobody but Python's loader connects with the first (see
    https://github.com/tensorflow/serving/issues/2250), so TensorFlow's own variable inside it is taken.
    """
    read = {id(tensor) for function in functions for tensor in function.captured_inputs}
    below = [node for root in roots for node in tf.train.TrackableView(root).descendants()]
    found = [node.value if isinstance(node, keras.Variable) else node for node in below]
    return list({id(node): node for node in found if read & {id(handle) for handle in handles(node)}}.values())


def handles(node: Any) -> list[Any]:
    """What a graph captures of a variable, on each device that has a copy of it, or of a table."""
    if isinstance(node, tf.Variable):
        return [copy.handle for copy in getattr(node, "values", [node])]
    return [node.resource_handle] if isinstance(node, tf.saved_model.experimental.TrackableResource) else []
