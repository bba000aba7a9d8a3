"""What TensorBoard shows of a training: curves, histograms of the weights, and some test rows with predictions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import keras
import tensorflow as tf

from components.examples.parse import parsed
from tasks import Category, Image, Task, Text, Train
from transforms import images

SHOWN = 12
Predict = Callable[[dict[str, tf.Tensor]], dict[str, tf.Tensor]]


def callback(logs: Path, train: Train) -> keras.callbacks.TensorBoard:
    every = max(1, train.epochs // 10)  # histograms cost more than a short epoch does
    return keras.callbacks.TensorBoard(logs, histogram_freq=every, write_graph=False, update_freq="epoch")


def write_samples(task: Task, predict: Predict, examples: str, logs: Path) -> None:
    """A few test rows as the model answers them: pictures beside a table, texts within it."""
    for features, label, _ in parsed(task, examples, "test", SHOWN).take(1):
        answers = predict(features)
        with tf.summary.create_file_writer(str(logs / "test")).as_default():
            tf.summary.text("test rows", _table(task, features, label, answers), step=0)
            for image in (feature for feature in task.features if isinstance(feature, Image)):
                pixels = _pixels(image, features[image.name])
                tf.summary.image(f"test {image.name}", pixels, step=0, max_outputs=SHOWN)


def _pixels(image: Image, values: tf.Tensor) -> tf.Tensor:
    if image.exact:
        return images.decode(values, image.shape)[..., tf.newaxis]
    return images.resize(values, *image.shape, channels=image.channels)


def _table(task: Task, features: dict[str, tf.Tensor], label: tf.Tensor, answers: dict[str, tf.Tensor]) -> str:
    texts = [feature.name for feature in task.features if isinstance(feature, Text)]
    lines = ["row | true | predicted" + "".join(f" | {name}" for name in texts), "---|---|---" + "|---" * len(texts)]
    for i, true in enumerate(label.numpy().tolist()):
        said = [features[name].numpy()[i].decode(errors="replace")[:500].replace("|", "\\|") for name in texts]
        truth = task.label.labels[true] if isinstance(task.label, Category) else f"{true:.4g}"
        lines.append(" | ".join([str(i + 1), truth, _predicted(task, answers, i), *said]))
    return "\n".join(lines)


def _predicted(task: Task, answers: dict[str, tf.Tensor], i: int) -> str:
    if not isinstance(task.label, Category):
        return f"{float(answers['prediction'][i]):.4g}"
    if task.kind == "binary":
        probability = float(answers["probability"][i])
        return f"{task.label.labels[probability > 0.5]} ({probability:.2f} for {task.label.labels[1]})"
    return f"{answers['class'][i].numpy().decode()} ({float(tf.reduce_max(answers['probabilities'][i])):.2f})"
