"""The names under which a served model answers, and what they stand for."""

from __future__ import annotations

from tasks import Category, Task

# What a request asks that names no signature.
DEFAULT_SIGNATURE = "serving_default"
# Two answers of one model to one row that differ by no more are the same.
CLOSE = 1e-5
# Beside a version: what TensorFlow Serving asks the model before it serves it.
WARMUP = "tf_serving_warmup_requests"


def main_output(task: Task) -> str:
    """The one that the gate judges."""
    return {"regression": "prediction", "binary": "probability", "classes": "probabilities"}[task.kind]


def label_values(task: Task) -> list[int | str]:
    """What the places of a classifier's answer stand for; nothing for a number."""
    return [*task.label.values] if isinstance(task.label, Category) else []
