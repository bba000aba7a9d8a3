"""The trained model in memory is asked about the first test rows: no file of Keras' is between."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from components.examples.parse import parsed
from components.serving.preprocessing import Preprocessing, model_inputs
from components.serving.trained_answers import DEVICE, ROWS
from tasks import Task


def answered(
    task: Task, model_name: str, model: keras.Model, preprocessing: Preprocessing, examples: str
) -> tuple[np.ndarray, np.ndarray]:
    """Their ids, and the model's main output."""
    main = task.models[model_name].outputs[0]
    rows, answers = np.zeros(0, np.int64), np.zeros(0, np.float32)
    for features, _, row in parsed(task, examples, "test", ROWS).take(1):
        with tf.device(DEVICE):
            answer = model(model_inputs(model, preprocessing.dense(features)), training=False)
        rows, answers = row.numpy(), np.asarray(answer[main] if isinstance(answer, dict) else answer, np.float32)
    return rows, answers
