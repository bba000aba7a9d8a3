"""The test rows of a run, raw, beside the answers they got."""

from __future__ import annotations

import gzip
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from components.evaluate.metrics import chosen, matrix
from components.examples.tfrecord import ROW_ID
from components.reading import date_column
from components.reading.tfrecord_file import read_tfrecord
from sluice.task_definition import definition
from tasks import Category, Date, Task


def predicted_rows(task: str, examples: Path, predictions: Path) -> pd.DataFrame:
    """Features and label as they were read, then the answers under the names that they are served by."""
    known = definition(task)
    answers = pd.read_parquet(predictions)
    raw = pd.concat(_raw(known, examples), ignore_index=True)
    assert np.array_equal(raw.pop(ROW_ID), answers["row"])
    return pd.concat([raw, _answers(known, answers)], axis=1).set_index(pd.Index(answers["row"], name="row"))


def _raw(task: Task, examples: Path) -> Iterator[pd.DataFrame]:
    known_dates = [feature.name for feature in task.features if isinstance(feature, Date)]
    names = [ROW_ID, *(column.name for column in task.columns)]
    for shard in sorted((examples / "test").glob("*.tfrecord.gz")):
        with gzip.open(shard) as plain:
            for batch in read_tfrecord(io.BufferedReader(plain), shard.name, names, names[1:]):
                columns = {name: _text(batch.columns[name]) for name in names}
                columns |= {name: date_column.dates(name, columns[name])[0] for name in known_dates}
                yield pa.table(columns).to_pandas()


def _text(values: pa.Array) -> pa.Array:
    """Strings are bytes in a tf.Example, and so are pictures."""
    try:
        return values.cast(pa.string()) if pa.types.is_binary(values.type) else values
    except pa.ArrowInvalid:
        return values


def _answers(task: Task, found: pd.DataFrame) -> pd.DataFrame:
    columns: dict[str, Any] = {}
    if isinstance(task.label, Category):
        labels = np.array(task.label.labels)
        given = matrix(found["prediction"])
        by_class = given.T if given.ndim == 2 else np.stack([1 - given, given])
        columns["class"] = labels[chosen(given)]
        columns |= {f"probabilities.{name}": values for name, values in zip(labels, by_class, strict=True)}
        if "champion" in found:
            columns["champion"] = labels[chosen(matrix(found["champion"]))]
    else:
        columns |= {name: found[name] for name in ("prediction", "champion") if name in found}
    further = [name for name in map(str, found) if name.startswith("prediction_")]
    return pd.DataFrame(columns | {name.removeprefix("prediction_"): found[name] for name in further})
