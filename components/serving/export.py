"""The SavedModel that is served: raw rows in, named predictions out, the preprocessing inside."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from components.examples.parse import parsing_spec, tensor_spec
from components.serving.preprocessing import Preprocessing, model_inputs
from tasks import Category, Task


class Served(tf.Module):
    """A model as TF Serving and `tf.saved_model.load` see it."""

    def __init__(self, task: Task, model_name: str, model: keras.Model, preprocessing: Preprocessing) -> None:
        super().__init__()
        self.model, self.preprocessing = model, preprocessing
        self._task, self._outputs = task, task.models[model_name].outputs

    def predict(self, features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        outputs = self.model(model_inputs(self.model, self.preprocessing.dense(features)), training=False)
        if not isinstance(outputs, dict):
            outputs = {self._outputs[0]: outputs}
        served = named(self._task, tf.cast(outputs[self._outputs[0]], tf.float32))
        return served | {name: further(outputs[name]) for name in self._outputs[1:]}

    def examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.predict(tf.io.parse_example(examples, parsing_spec(self._task.features)))

    def features(self, **features: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.predict(features)


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
    examples = tf.function(served.examples, [tf.TensorSpec([None], tf.string, "examples")], autograph=False)
    specs = {f.name: tf.TensorSpec([None], tensor_spec(f)[0], f.name) for f in task.features}
    features = tf.function(served.features, autograph=False).get_concrete_function(**specs)
    signatures: dict[str, Any] = {"serving_default": examples, "features": features}
    tf.saved_model.save(served, str(path), signatures=signatures)
    return served
