"""Predictions of served models on raw rows, streamed to one Parquet file."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import tensorflow as tf

from components import threads
from components.evaluate.new_to_both import TIME
from components.examples.parse import Split, frame, parsed, served_rows, some_columns, tensor_spec
from components.progress import say
from components.serving.class_order import means_the_same
from components.serving.output_names import label_values, main_output
from tasks import Category, Feature, Image, Task

BATCH = 1024


class ServedModel:
    """A pushed or exported model as a client meets it: only its SavedModel, none of our code."""

    def __init__(self, path: str | Path, label_values: list[Any] | None = None) -> None:
        self.label_values = label_values  # as the provenance has them; None where it does not tell
        self._loaded = tf.saved_model.load(str(path))
        self._examples = self._loaded.signatures["serving_default"]

    def __call__(self, requests: list[bytes]) -> dict[str, np.ndarray]:
        starts = range(0, len(requests), BATCH) or [0]
        return _together([self._examples(examples=tf.constant(requests[at : at + BATCH], tf.string)) for at in starts])

    def by_features(self, columns: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The same by a column for each raw feature."""
        ask, count = self._loaded.signatures["features"], len(next(iter(columns.values())))
        parts = [
            ask(**{name: tf.constant(values[start : start + BATCH]) for name, values in columns.items()})
            for start in range(0, count, BATCH)
        ]
        return _together(parts)


def _together(parts: Sequence[Mapping[str, tf.Tensor]]) -> dict[str, np.ndarray]:
    return {name: np.concatenate([part[name].numpy() for part in parts]) for name in parts[0]}


def write(task: Task, model: ServedModel, champion: ServedModel | None, test: Split, path: str) -> int:
    """Ask both models about the same raw test rows; gives the number of rows."""
    rows, writer = 0, None

    def answered(read: tuple[list[bytes], dict[str, np.ndarray], np.ndarray, np.ndarray]) -> pa.Table:
        requests, features, label, row = read
        columns = {"row": pa.array(row), "label": pa.array(label)}
        columns |= {
            f"slice_{name}": pa.array(_readable(task, name, features, label), pa.string()) for name in task.slices
        }
        columns |= {TIME: pa.array(features[task.splits.by])} if task.splits.by else {}
        columns |= _answers(task, model(requests), "prediction")
        if champion is not None:
            columns |= _champion_answers(task, champion, requests)
        return pa.table(columns)

    try:
        for table in threads.in_order(answered, served_rows(task, test, BATCH, told_beside(task))):
            writer = writer or pq.ParquetWriter(path, table.schema)
            writer.write_table(table)
            rows += len(table)
            say(f"predicting: {rows:,} test rows")
    finally:
        if writer is not None:
            writer.close()
    if not rows:
        raise ValueError(
            "The test split has no rows, so there is nothing to judge the model by. Expected at least one."
        )
    return rows


def told_beside(task: Task) -> list[Feature]:
    """The raw features that are written beside the predictions."""
    return [feature for feature in task.features if feature.name in {*task.slices, task.splits.by}]


def _readable(task: Task, name: str, features: dict[str, np.ndarray], label: np.ndarray) -> np.ndarray:
    """A slice column's values as people read them; None where missing."""
    column = next(column for column in task.columns if column.name == name)
    assert isinstance(column, Category)
    if name == task.label.name:
        return np.array(column.labels, np.dtype("O"))[label]
    _, missing = tensor_spec(column)
    known: dict[Any, str | None] = {missing.decode() if isinstance(missing, bytes) else missing: None}
    known |= dict(zip(column.values, column.labels, strict=True))
    found, places = np.unique(features[name], return_inverse=True)
    plain = [value.decode() if isinstance(value, bytes) else value for value in found.tolist()]
    return np.array([known.get(value, str(value)) for value in plain], np.dtype("O"))[places]


def _answers(task: Task, answer: dict[str, np.ndarray], name: str) -> dict[str, pa.Array]:
    main = main_output(task)
    extra = {key: values for key, values in answer.items() if key not in (main, "class")}
    return {name: _column(answer[main])} | {f"{name}_{key}": _column(values) for key, values in extra.items()}


def _champion_answers(task: Task, champion: ServedModel, requests: list[bytes]) -> dict[str, pa.Array]:
    try:
        answer = champion(requests)
        if not _knows_the_label(task, champion, answer):
            raise LookupError(
                f"it was trained with other values of the label {task.label.name!r} than the task has now"
            )
        return {"champion": _column(answer[main_output(task)])}
    except (LookupError, tf.errors.OpError) as error:
        raise ValueError(
            f"The serving model cannot answer this task's rows, so the new one cannot be compared with it: {error}. "
            "Expected a model of the same features and label; serve from another directory, or remove its versions."
        ) from error


def _knows_the_label(task: Task, champion: ServedModel, answer: dict[str, np.ndarray]) -> bool:
    """Whether the champion means the same by its answer, as its provenance says or else the answer itself."""
    if champion.label_values is not None:
        return champion.label_values == label_values(task)
    if task.kind != "classes":
        return True
    assert isinstance(task.label, Category)
    return means_the_same(task.label.labels, answer[main_output(task)], answer.get("class"))


def _column(values: np.ndarray) -> pa.Array:
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])


def raw_rows(task: Task, test: Split, positions: Collection[int]) -> dict[int, dict[str, Any]]:
    """The raw features of the test rows at these positions, for people to look at."""
    chosen = sorted(positions)
    columns, _ = some_columns(task, test, task.features, np.array(chosen, np.int64))
    return {position: {name: values[at] for name, values in columns.items()} for at, position in enumerate(chosen)}


def raw_frame(task: Task, examples: str) -> pd.DataFrame:
    """The raw features of all test rows, in the order of the predictions; missing values are NaN, NaT, -1 or "".

    Strings are text, pictures stay bytes.
    """
    batches = parsed(task, examples, "test", BATCH).as_numpy_iterator()
    return pd.concat([readable(task, columns) for columns, _, _ in batches], ignore_index=True)


def readable(task: Task, columns: Mapping[str, np.ndarray]) -> pd.DataFrame:
    """Raw features as a frame, with text in place of its bytes."""
    texts = [
        feature.name
        for feature in task.features
        if tensor_spec(feature)[0] == tf.string and not isinstance(feature, Image)
    ]
    raw = frame(task.features, columns)
    return raw.assign(**{name: [value.decode(errors="replace") for value in raw[name]] for name in texts})
