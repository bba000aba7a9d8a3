"""Test rows in groups of like values of a feature, and how wrong the answers are in each."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.evaluate import metrics
from components.evaluate.confidence_intervals import wilson
from tasks import Category, Date, Feature, Task
from transforms import iso_dates

Array = NDArray[Any]
GROUPS, FEWEST, VALUES = 8, 5, 12
CONFIDENCE = 0.95


class Group(NamedTuple):
    """Rows of like values: the mean value of a number, or none; the error that is typical of them, and its ends."""

    name: str
    at: float | None
    rows: int
    low: float
    middle: float
    high: float


def errors(task: Task, predictions: pd.DataFrame) -> Array:
    """Of each row: the predicted less the true number, or whether the class is wrong; NaN where there is no answer."""
    label, answers = predictions["label"].to_numpy(), metrics.matrix(predictions["prediction"]).astype(float)
    if task.kind == "regression":
        return np.asarray(answers - label)
    known = np.isfinite(answers if answers.ndim == 1 else answers.sum(axis=1))
    return np.where(known, metrics.chosen(answers) != label, np.nan)


def groups(feature: Feature, values: Array, wrong: Array, *, regression: bool) -> list[Group]:
    fine = np.isfinite(wrong)
    values, wrong = values[fine], wrong[fine]
    parts = _by_value(feature, values) if isinstance(feature, Category) else _by_size(feature, values)
    return [
        Group(name, at, int(rows.sum()), *(_middle_half(wrong[rows]) if regression else _share(wrong[rows])))
        for name, at, rows in parts
    ]


def _by_value(feature: Category, values: Array) -> list[tuple[str, float | None, Array]]:
    """The commonest values, each with its label."""
    names: dict[Any, str] = {-1 if feature.integer else b"": "missing"}
    names |= {
        value if feature.integer else str(value).encode(): label
        for value, label in zip(feature.values, feature.labels, strict=True)
    }
    found = pd.Series(values).value_counts().index[:VALUES].tolist()
    order = sorted(found, key=lambda value: list(names).index(value) if value in names else len(names))
    return [(names.get(value, _text(value)), None, values == value) for value in order]


def _by_size(feature: Feature, values: Array) -> list[tuple[str, float | None, Array]]:
    """About as many rows in each group; equal values stay together."""
    missing = np.isnan(values)
    there = values[~missing]
    parts: list[tuple[str, float | None, Array]] = [("missing", None, missing)] if missing.any() else []
    if len(there):
        wanted = max(min(GROUPS, len(there) // FEWEST), 1)
        edges = np.unique(np.quantile(there, np.linspace(0, 1, wanted + 1)[1:-1]))
        of = np.where(missing, -1, np.searchsorted(edges, values))
        groups_ = [of == group for group in np.unique(of[of >= 0])]
        parts += [(*_named(feature, values[rows]), rows) for rows in groups_]
    return parts


def _named(feature: Feature, values: Array) -> tuple[str, float | None]:
    """From which value on the group is, and where it stands on an axis: a date on none."""
    if isinstance(feature, Date):
        return f"from {iso_dates.of_seconds(float(values.min()))[:10]}", None
    return f"from {values.min():.4g}", float(values.mean())


def _middle_half(wrong: Array) -> tuple[float, float, float]:
    low, middle, high = np.quantile(wrong, [0.25, 0.5, 0.75]).tolist()
    return low, middle, high


def _share(wrong: Array) -> tuple[float, float, float]:
    share = float(wrong.mean())
    low, high = wilson(share, len(wrong), CONFIDENCE) or (share, share)
    return low, share, high


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
