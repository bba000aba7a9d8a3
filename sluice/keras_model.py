"""The Keras model that a run has fitted."""

from __future__ import annotations

from pathlib import Path

import keras

from pipelines.native_output import only_our_words
from sluice.task_definition import definition


def keras_model(task: str, model: str, path: Path) -> keras.Model:
    """As it was saved, with the classes that the task's file registers."""
    known = definition(task)
    with only_our_words():
        from components.evaluate.step import import_classes

        import_classes(known.models[model].build)
        return keras.saving.load_model(path, compile=False)
