"""The metrics of rows that count several times or not at all, for many such weightings at once.

A bootstrap computes every metric a thousand times. Those here are sums over rows, so a thousand of them are one
product of matrices; they equal those of `components.evaluate.metrics`, as a test shows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from tasks import Kind

Array = NDArray[Any]
# One line for each weighting and one column for each row, to one value of each metric for each line.
Weighted = Callable[[Array], dict[str, Array]]


def weighted(kind: Kind, label: Array, prediction: Array) -> Weighted:
    """A function from weights to metrics; NaN is a metric that such rows cannot have."""
    makers = {"regression": _regression, "binary": _binary, "classes": _classes}
    return makers[kind](label, prediction)


def _regression(label: Array, prediction: Array) -> Weighted:
    error = np.abs(prediction.astype(np.float64) - label)
    centred = label - label.mean(dtype=np.float64)
    columns = np.stack([error, error**2, centred, centred**2], axis=1)
    least = np.finfo(np.float64).eps * len(label) * (centred**2).max()

    def compute(weights: Array) -> dict[str, Array]:
        absolute, squared, mean, square = (weights @ columns).T / weights.sum(axis=1)
        spread = square - mean**2
        r2 = 1 - squared / np.where(spread > least, spread, np.nan)
        return {"mae": absolute, "mse": squared, "rmse": np.sqrt(squared), "r2": r2}

    return compute


def _binary(label: Array, prediction: Array) -> Weighted:
    positive, chosen = label == 1, prediction > 0.5
    loss = _log_losses(np.where(positive, prediction, 1 - prediction.astype(np.float32)))
    columns = np.stack([positive == chosen, loss, positive & chosen, chosen, positive], axis=1, dtype=np.float64)
    area = _area(positive, prediction)

    def compute(weights: Array) -> dict[str, Array]:
        right, lost, both, said, true = (weights @ columns).T
        rows = weights.sum(axis=1)
        return {
            "accuracy": right / rows,
            "auc": area(weights),
            "log_loss": lost / rows,
            "precision": _ratio(both, said),
            "recall": _ratio(both, true),
        }

    return compute


def _area(positive: Array, score: Array) -> Callable[[Array], Array]:
    """The area under the ROC curve: how often a positive row stands above a negative one, half for a tie."""
    order = np.argsort(score, kind="stable")
    ordered, up = score[order], positive[order]
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] > ordered[:-1]]))

    def compute(weights: Array) -> Array:
        sorted_weights = weights[:, order]
        above = np.add.reduceat(sorted_weights * up, starts, axis=1)
        negative = np.add.reduceat(sorted_weights * ~up, starts, axis=1)
        below = np.cumsum(negative, axis=1) - negative / 2
        return _ratio((above * below).sum(axis=1), above.sum(axis=1) * negative.sum(axis=1))

    return compute


def _classes(label: Array, prediction: Array) -> Weighted:
    rows, classes = np.arange(len(label)), prediction.shape[1]
    chosen = prediction.argmax(axis=1)
    right = label == chosen
    columns = np.stack([right, _log_losses(prediction[rows, label])], axis=1, dtype=np.float64)
    codes = np.concatenate([label, chosen + classes, label[right] + 2 * classes])
    places = (np.concatenate([rows, rows, rows[right]]), codes)
    cells = sparse.csr_array((np.ones(len(codes)), places), shape=(len(label), 3 * classes))

    def compute(weights: Array) -> dict[str, Array]:
        correct, lost = (weights @ columns).T
        true, said, both = np.split(np.asarray(weights @ cells), 3, axis=1)
        present = true > 0
        f1 = np.where(present, 2 * both / np.maximum(true + said, 1), 0).sum(axis=1) / present.sum(axis=1)
        total = weights.sum(axis=1)
        return {"accuracy": correct / total, "log_loss": lost / total, "macro_f1": f1}

    return compute


def _log_losses(probability: Array) -> Array:
    least = np.finfo(np.float32).eps
    return -np.log(np.clip(probability.astype(np.float32), least, 1 - least)).astype(np.float64)


def _ratio(part: Array, whole: Array) -> Array:
    return part / np.where(whole > 0, whole, np.nan)
