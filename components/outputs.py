"""The names under which a served model answers, and the classes that its answers mean."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tasks import Category, Task


def main_output(task: Task) -> str:
    """The one that the gate judges."""
    return {"regression": "prediction", "binary": "probability", "classes": "probabilities"}[task.kind]


def label_values(task: Task) -> list[int] | list[str]:
    """What the places of a classifier's answer stand for; nothing for a number."""
    return list(task.label.values) if isinstance(task.label, Category) else []  # type: ignore[return-value]


def means_the_same(labels: Sequence[str], probabilities: np.ndarray, said: np.ndarray | None) -> bool:
    """Whether these are probabilities of the labels, in their order, as far as the model says which class is best."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        return False
    if said is None:
        return True
    expected = np.array([label.encode() for label in labels], np.dtype("O"))[probabilities.argmax(axis=1)]
    return bool(np.all((expected == said) | ~np.isfinite(probabilities).all(axis=1)))
