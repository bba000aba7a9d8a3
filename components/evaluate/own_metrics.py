"""Metrics of a task's own: computed on rows, and on rows drawn again and again."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.evaluate.bootstrap_metrics import Weighted
from tasks import InputError, Metric

Array = NDArray[Any]


@dataclass(frozen=True)
class OwnMetric:
    """One of the task's metrics, with the raw rows if it asks for them."""

    name: str
    metric: Metric
    rows: pd.DataFrame | None

    def value(self, label: Array, prediction: Array, weights: Array | None = None) -> float | None:
        """None is what these rows cannot have."""
        given: dict[str, Any] = {"rows": self.rows} if "rows" in self.metric.asks else {}
        if "weights" in self.metric.asks:
            given["weights"] = np.ones(len(label)) if weights is None else weights
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # a share of no rows is NaN, which is None below
            found = self.metric.compute(label, prediction, **given)
        if found is None or isinstance(found, str) or np.ndim(found):
            raise InputError(f"The metric {self.name!r} must give one number. Received: {found!r}.")
        return float(found) if math.isfinite(found) else None

    def weighted(self, label: Array, prediction: Array) -> Callable[[Array], Weighted]:
        """For the bootstrap: from positions of rows to a function of their weights."""

        def at(part: Array) -> Weighted:
            rows = None if self.rows is None else self.rows.iloc[part]
            return OwnMetric(self.name, self.metric, rows)._weighted(label[part], prediction[part])

        return at

    def _weighted(self, label: Array, prediction: Array) -> Weighted:
        def compute(weights: Array) -> dict[str, Array]:
            values = [self._once(label, prediction, line) for line in weights]
            return {self.name: np.array([math.nan if value is None else value for value in values])}

        return compute

    def _once(self, label: Array, prediction: Array, weights: Array) -> float | None:
        if "weights" in self.metric.asks:
            return self.value(label, prediction, weights)
        drawn = np.repeat(np.arange(len(label)), weights.astype(np.int64))
        rows = None if self.rows is None else self.rows.iloc[drawn]
        return OwnMetric(self.name, self.metric, rows).value(label[drawn], prediction[drawn])
