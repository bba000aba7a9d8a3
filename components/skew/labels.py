"""Labels that came after the answers: a file with the id of each row and what turned out to be true."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from components.reading.check_rows import check
from components.reading.find_files import file_names, read_file
from components.reading.headers import asked, renamed
from components.serving.output_names import main_output
from components.serving.pushed_model import filled
from components.skew.gather import typed
from components.skew.read_log import Row
from tasks import Category, Date, Feature, InputError, Task, Text


@dataclass
class Labels:
    """The label of each id, the last one where a file has several; and why some rows have none."""

    by_key: dict[str, Any] = field(default_factory=dict)
    aside: Counter[str] = field(default_factory=Counter)


def read(task: Task, pattern: str, key: str) -> Labels:
    """The labels of a file or glob, whose column `key` has the ids of the log."""
    if key in (task.label.name, task.label.column):
        raise InputError(f"--key names the column of the ids, which is not that of the label. Received: --key {key}.")
    found = Labels()
    needed, optional = asked([task.label])
    for path in file_names(pattern):
        for batch in renamed(read_file(path, [key, *needed], optional), [task.label]):
            rows = check((), task.label, batch)
            for group in rows.aside:
                found.aside[group.reason] += len(group.numbers)
            places = pa.array(np.searchsorted(batch.numbers, rows.numbers))
            keys = batch.columns.get(key, pa.nulls(len(batch))).take(places)
            values = rows.columns[task.label.name].to_pylist()
            found.by_key.update((str(k), v) for k, v in zip(keys.to_pylist(), values, strict=True) if k is not None)
    del found.aside[f"{task.label.name} is missing"]  # not known yet
    return found


def answers(task: Task, labels: Labels, rows: Mapping[str, Row]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Labels and predictions as the evaluation takes them, and the raw features of the same rows."""
    known = {key: row for key, row in rows.items() if _answer(task, row) is not None}
    values = [labels.by_key[key] for key in known]
    if isinstance(task.label, Category):
        values = [task.label.values.index(value) for value in values]
    predictions = [_answer(task, row) for row in known.values()]
    frame = pd.DataFrame({"label": values, "prediction": predictions})
    return frame, _raw_frame(task, [row.instance for row in known.values()])


def _answer(task: Task, row: Row) -> Any:
    """The main output; None where the log does not hold one of finite numbers."""
    value = row.answer.get(main_output(task))
    shape = (len(task.label.values),) if isinstance(task.label, Category) and task.kind == "classes" else ()
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return None
    return value if array.shape == shape and np.isfinite(array).all() else None


def _raw_frame(task: Task, instances: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """As a metric of the task's own is given test rows: NaN, NaT, -1 or "" where missing, text as text."""
    columns = typed(task, instances)

    def plain(feature: Feature) -> Any:
        values = columns[feature.name]
        if isinstance(feature, Date):
            return values.to_pandas()
        text = isinstance(feature, Text) or (isinstance(feature, Category) and not feature.integer)
        return values.fill_null("").to_pylist() if text else filled(feature, values)

    return pd.DataFrame({feature.name: plain(feature) for feature in task.features})
