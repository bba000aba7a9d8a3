"""Versions of real tasks with models of one line, both signatures and a warm-up request inside."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

import tasks
from components.examples.parse import parsing_spec, tensor_spec
from components.serving import versions
from tasks import _flower_drawings as _drawn
from transforms import images

Features = Mapping[str, tf.Tensor]
Answer = Callable[[Features], dict[str, tf.Tensor]]

ROWS: dict[str, dict[str, Any]] = {
    "auto_mpg": {
        "cylinders": 8.0, "displacement": 307.0, "horsepower": 130.0, "weight": 3584.0, "acceleration": 12.0,
        "model_year": 70.0, "origin": 1,
    },
    "imdb_padded": {"text": b"A <b>wonderful</b> film"},
    "fashion_mnist": {"image": bytes([3] * 784)},
    "flowers": {"photo": _drawn.draw(1, 1)["photo"][0]},
}  # fmt: skip


def mpg(divisor: float) -> Answer:
    return lambda features: {"prediction": features["weight"] / divisor}


def review(features: Features) -> dict[str, tf.Tensor]:
    return {"probability": tf.cast(tf.minimum(tf.strings.length(features["text"]), 8), tf.float32) / 8}


def clothes(features: Features) -> dict[str, tf.Tensor]:
    first = tf.cast(tf.io.decode_raw(features["image"], tf.uint8, fixed_length=784)[:, 0], tf.int64) % 10
    names = tf.constant(tasks.get("fashion_mnist").label.names)  # type: ignore[union-attr]
    return {"probabilities": tf.one_hot(first, 10) * 0.75 + 0.025, "class": tf.gather(names, first)}


def flowers(features: Features) -> dict[str, tf.Tensor]:
    """By the strongest of red, green and blue: daisy, dandelion, roses."""
    strongest = tf.argmax(tf.reduce_mean(images.resize(features["photo"], 8, 8), axis=[1, 2]), axis=1)
    names = tf.constant(tasks.get("flowers").label.values)  # type: ignore[union-attr]
    return {"probabilities": tf.one_hot(strongest, 5) * 0.75 + 0.05, "class": tf.gather(names, strongest)}


def push(serving: Path | str, name: str, answer: Answer, staged: Path) -> int:
    """The number of the new version."""
    task = tasks.get(name)
    save(staged, name, answer)
    log = PredictionLog()
    log.predict_log.request.model_spec.signature_name = "features"
    for feature in task.features:
        value = tf.constant([ROWS[name][feature.name]], tensor_spec(feature)[0])
        log.predict_log.request.inputs[feature.name].CopyFrom(tf.make_tensor_proto(value))
    with tf.io.TFRecordWriter(str(staged / "warmup")) as writer:
        writer.write(log.SerializeToString())
    warmup = (staged / "warmup").read_bytes()
    (staged / "warmup").unlink()
    return versions.add(serving, name, staged, {"tf_serving_warmup_requests": warmup}).number


def save(folder: Path, name: str, answer: Answer) -> None:
    spec = parsing_spec(tasks.get(name).features)
    by_example = tf.function(
        lambda examples: answer(tf.io.parse_example(examples, spec)), [tf.TensorSpec([None], tf.string, "examples")]
    )
    by_name = tf.function(lambda **features: answer(features))
    specs = {column: tf.TensorSpec([None], feature.dtype, column) for column, feature in spec.items()}
    signatures = {"serving_default": by_example, "features": by_name.get_concrete_function(**specs)}
    tf.saved_model.save(tf.Module(), str(folder), signatures=signatures)
