"""Whether probabilities mean what they say."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate import metrics
from components.evaluate.confidence_intervals import wilson
from components.evaluate.report.html import Markup, figure
from components.evaluate.report.interval_plots import Point, points

CONFIDENCE = 0.95


def calibration(label: NDArray[Any], probability: NDArray[Any], names: Sequence[str]) -> list[Markup]:
    """A point for each tenth of the probabilities: what was claimed, and how often it was so."""
    two = probability.ndim == 1
    fine = np.isfinite(probability if two else probability.sum(axis=1))
    if not fine.all():  # else without a copy
        label, probability = label[fine], probability[fine]
    marks = curve(label, probability)
    if not marks:
        return []
    claim = f"predicted probability of {names[1]}" if two else "probability of the predicted class"
    truth = f"share that is {names[1]}" if two else "share that is of it"
    error = metrics.value("binary" if two else "classes", "calibration_error", label, probability)
    picture = points(
        marks, x_label=claim, y_label=truth, alt=f"Calibration: {truth} by {claim}", x_range=(0.0, 1.0),
        y_range=(0.0, 1.0), chance=True,
    )  # fmt: skip
    return [
        figure(
            picture,
            "Calibration. On the dashed diagonal, of the rows that are given 70%, 70% are so; below it the "
            "probabilities are too high, above it too low. A point stands for a tenth of the range, with its 95% "
            f"interval. The mean distance is {error:.4f}.",
        )
    ]


def curve(label: NDArray[Any], probability: NDArray[Any]) -> list[Point]:
    """Of each bin that has rows: the mean claim, and the share that was true with its interval."""
    if not len(label):
        return []
    said, true = metrics.claims(label, probability)
    of = metrics.bins(said)
    marks = []
    for each in np.unique(of):
        share, rows = float(true[of == each].mean()), int((of == each).sum())
        low, high = wilson(share, rows, CONFIDENCE) or (None, None)
        marks.append(Point(float(said[of == each].mean()), share, low, high))
    return marks
