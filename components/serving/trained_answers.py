"""What a model answered when its training was over: what is exported of it is held against that."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from components.examples.parse import parsed
from components.serving.preprocessing import Preprocessing, model_inputs
from components.storage.atomic_files import replacing
from tasks import Task

FILE = "answers.npz"
ROWS = 1024
# A GPU multiplies with fewer digits, and the exported model may be asked on a machine that has none.
DEVICE = "/CPU:0"


def write(
    task: Task, model_name: str, model: keras.Model, preprocessing: Preprocessing, examples: str, path: Path
) -> None:
    """The main output for the first test rows, by the model in memory: no file of Keras' is between."""
    main = task.models[model_name].outputs[0]
    rows, answers = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for features, _, row in parsed(task, examples, "test", ROWS).take(1):
        with tf.device(DEVICE):
            answer = model(model_inputs(model, preprocessing.dense(features)), training=False)
        rows, answers = row.numpy(), np.asarray(answer[main] if isinstance(answer, dict) else answer, np.float32)
    with replacing(path) as file:
        np.savez(file, rows=rows, answers=answers)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The rows' ids and the answers."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        return kept["rows"], kept["answers"]
