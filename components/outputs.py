"""The names under which a served model answers."""

from __future__ import annotations

from tasks import Task


def main_output(task: Task) -> str:
    """The one that the gate judges."""
    return {"regression": "prediction", "binary": "probability", "classes": "probabilities"}[task.kind]
