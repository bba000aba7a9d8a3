"""A pushed version, asked by its signatures or by typed rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from components.examples.encode import date_texts
from components.reading.check_rows import Rows
from tasks import Category, Date, Feature, Image, InputError, Number, Task, Text

# Rows that a model is asked at once: few where a row is large inside the model.
NARROW, WIDE = 8192, 1024


class RawModel:
    """Rows in, the model's outputs by name."""

    def __init__(self, path: Path, task: Task) -> None:
        import tensorflow as tf  # seconds; only once there is something to answer

        self._tf, self._features, self._path = tf, task.features, path
        self._at_once = WIDE if any(isinstance(feature, Text | Image) for feature in task.features) else NARROW
        try:
            self._loaded = tf.saved_model.load(str(path))
        except (OSError, ValueError, tf.errors.OpError) as error:
            raise RuntimeError(
                f"The version at {str(path)!r} cannot be loaded; it seems to be damaged. Push it again, or ask another "
                f"with --version. TensorFlow says: {_first_line(error)}"
            ) from error
        if "features" not in self._loaded.signatures:
            raise InputError(f"The model at {str(path)!r} has no signature 'features', so it is none of this task's.")
        self._check()

    @property
    def signatures(self) -> dict[str, dict[str, str]]:
        """The inputs of each signature and their types."""
        return {
            name: {key: spec.dtype.name for key, spec in signature.structured_input_signature[1].items()}
            for name, signature in self._loaded.signatures.items()
        }

    def _check(self) -> None:
        takes = self.signatures["features"]
        gives = {feature.name: _kind(feature) for feature in self._features}
        if takes == gives:
            return
        takes, gives = dict(takes.items() - gives.items()), dict(gives.items() - takes.items())
        raise InputError(
            f"The version at {str(self._path)!r} was trained with other features than the task has now. It takes "
            f"{_listed(takes)}; the task has {_listed(gives)} instead. Train it again, or ask another with --version."
        )

    def __call__(self, rows: Rows) -> dict[str, np.ndarray]:
        columns = {feature.name: filled(feature, rows.columns[feature.name]) for feature in self._features}
        starts = range(0, max(len(rows), 1), self._at_once)
        batches = ({n: column[at : at + self._at_once] for n, column in columns.items()} for at in starts)
        answers = [self.ask("features", batch) for batch in batches]
        return {name: np.concatenate([answer[name] for answer in answers]) for name in answers[0]}

    def ask(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The outputs of a signature by name; RuntimeError where the model fails."""
        try:
            tensors = {name: self._tf.constant(column) for name, column in inputs.items()}
            return {name: values.numpy() for name, values in self._loaded.signatures[signature](**tensors).items()}
        except self._tf.errors.OpError as error:
            raise RuntimeError(f"The model cannot answer these rows: {_cause(error)}") from error


def filled(feature: Feature, column: pa.Array) -> np.ndarray:
    """A typed column as the served model takes it, with what stands for the missing."""
    if isinstance(feature, Number):
        return np.asarray(column.fill_null(float("nan")).to_numpy(zero_copy_only=False))
    if isinstance(feature, Category) and feature.integer:
        return np.asarray(column.fill_null(-1).to_numpy(zero_copy_only=False))
    column = date_texts(column) if isinstance(feature, Date) else column
    return np.array([b"" if value is None else value for value in column.cast(pa.binary()).to_pylist()], np.dtype("O"))


def _kind(feature: Feature) -> str:
    if isinstance(feature, Number):
        return "float32"
    return "int64" if isinstance(feature, Category) and feature.integer else "string"


def _listed(kinds: dict[str, str]) -> str:
    return ", ".join(f"{name} ({kind})" for name, kind in sorted(kinds.items())) or "nothing"


def _first_line(error: Exception) -> str:
    said: Any = getattr(error, "message", None) or str(error)
    return str(said).strip().splitlines()[0] if str(said).strip() else type(error).__name__


def _cause(error: Exception) -> str:
    """What an operation of the graph complains of: TensorFlow says it before the name of the operation."""
    lines = str(getattr(error, "message", error)).strip().splitlines()
    named = next((at for at, line in enumerate(lines) if "[[{{" in line), 0)
    return lines[named - 1] if named else _first_line(error)
