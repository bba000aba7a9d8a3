"""The Keras model that a run has fitted."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from components import code
from pipelines.native_output import only_our_words
from sluice.task_definition import definition


def keras_model(task: str, model: str, path: Path) -> keras.Model:
    """As it was saved, with the classes that the task's file registers."""
    known = definition(task)
    with only_our_words():
        import_classes(known.models[model].build)
        return keras.saving.load_model(path, compile=False)


def import_classes(build: Callable[..., Any]) -> None:
    """Import all that the task's file imports, wherever in it, so that Keras knows the classes registered there."""
    for path in code.sources(build.__module__):
        if path.startswith("tasks/"):
            importlib.import_module(path.removesuffix(".py").removesuffix("/__init__").replace("/", "."))
