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

from components.evaluate import metrics
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
    relative = error / np.maximum(np.abs(label), np.finfo(np.float64).eps)
    columns = np.stack([error, error**2, centred, centred**2, relative], axis=1)
    order = np.argsort(error)
    least = np.finfo(np.float64).eps * len(label) * (centred**2).max()

    def compute(weights: Array) -> dict[str, Array]:
        absolute, squared, mean, square, relative = (weights @ columns).T / weights.sum(axis=1)
        spread = square - mean**2
        r2 = 1 - squared / np.where(spread > least, spread, np.nan)
        among = np.cumsum(weights[:, order], axis=1)
        return {
            "error_p50": _quantile(error[order], among, 0.5),
            "error_p90": _quantile(error[order], among, 0.9),
            "mae": absolute,
            "mape": relative,
            "mse": squared,
            "rmse": np.sqrt(squared),
            "r2": r2,
        }

    return compute


def _quantile(ordered: Array, among: Array, share: float) -> Array:
    """Of values in order, each as often as the running sum of its weights says; between two of them in proportion."""
    place = (among[:, -1] - 1) * share
    below, beyond = np.floor(place), np.ceil(place)
    low, high = (ordered[(among <= at[:, None]).sum(axis=1)] for at in (below, beyond))
    return low + (high - low) * (place - below)


def _binary(label: Array, prediction: Array) -> Weighted:
    positive, chosen = label == 1, prediction > 0.5
    loss = _log_losses(np.where(positive, prediction, 1 - prediction.astype(np.float32)))
    squared = (prediction.astype(np.float64) - positive) ** 2
    columns = np.stack(
        [positive == chosen, loss, positive & chosen, chosen, positive, squared], axis=1, dtype=np.float64
    )
    curves, gap = _curves(positive, prediction), _gap(label, prediction)

    def compute(weights: Array) -> dict[str, Array]:
        right, lost, both, said, true, wide = (weights @ columns).T
        rows = weights.sum(axis=1)
        return curves(weights) | {
            "accuracy": right / rows,
            "brier": wide / rows,
            "calibration_error": gap(weights),
            "f1": _ratio(2 * both, said + true),
            "log_loss": lost / rows,
            "precision": _ratio(both, said),
            "recall": _ratio(both, true),
        }

    return compute


def _curves(positive: Array, score: Array) -> Weighted:
    """The areas under two curves.

    ROC: how often a positive row stands above a negative one, half for a tie. Precision and recall: the precision at
    each score that occurs, weighed by the positive rows that have it.
    """
    order = np.argsort(-score, kind="stable")
    ordered, up = score[order], positive[order].astype(np.int32)
    ends = np.flatnonzero(np.concatenate([ordered[1:] < ordered[:-1], [True]]))  # of the rows of one score

    def compute(weights: Array) -> dict[str, Array]:
        by_score = weights.astype(np.int32).take(order, axis=1)
        said = np.cumsum(by_score, axis=1, dtype=np.int32).take(ends, axis=1)
        gained = np.cumsum(by_score * up, axis=1, dtype=np.int32).take(ends, axis=1)
        right, wrong = (np.diff(running, axis=1, prepend=0).astype(float) for running in (gained, said - gained))
        true = gained[:, -1].astype(float)
        above = np.einsum("ij,ij->i", wrong, gained - right / 2)
        precise = np.einsum("ij,ij->i", right, gained / np.maximum(said, 1))
        return {"auc": _ratio(above, true * (said[:, -1] - true)), "pr_auc": _ratio(precise, true)}

    return compute


def _gap(label: Array, prediction: Array) -> Callable[[Array], Array]:
    """The calibration error."""
    said, true = metrics.claims(label, prediction)
    by_bin = np.zeros((len(said), metrics.BINS))
    by_bin[np.arange(len(said)), metrics.bins(said)] = said - true
    return lambda weights: np.abs(weights @ by_bin).sum(axis=1) / weights.sum(axis=1)


def _classes(label: Array, prediction: Array) -> Weighted:
    rows, classes = np.arange(len(label)), prediction.shape[1]
    chosen = prediction.argmax(axis=1)
    right = label == chosen
    # As top_k_accuracy_score: of equal probabilities the later class counts as the more probable.
    top = np.argsort(prediction, axis=1, kind="stable")[:, -3:]
    among = (top == label[:, None]).any(axis=1) if classes > 3 else np.full(len(label), np.nan)
    squared = ((prediction - np.eye(classes)[label]) ** 2).sum(axis=1, dtype=np.float64)
    losses = _log_losses(prediction[rows, label])
    columns = np.stack([right, losses, squared, among], axis=1, dtype=np.float64)
    gap = _gap(label, prediction)
    codes = np.concatenate([label, chosen + classes, label[right] + 2 * classes])
    places = (np.concatenate([rows, rows, rows[right]]), codes)
    cells = sparse.csr_array((np.ones(len(codes)), places), shape=(len(label), 3 * classes))

    def compute(weights: Array) -> dict[str, Array]:
        correct, lost, wide, found = (weights @ columns).T
        true, said, both = np.split(np.asarray(weights @ cells), 3, axis=1)
        present = true > 0
        f1 = np.where(present, 2 * both / np.maximum(true + said, 1), 0).sum(axis=1) / present.sum(axis=1)
        total = weights.sum(axis=1)
        return {
            "accuracy": correct / total,
            "brier": wide / total,
            "calibration_error": gap(weights),
            "log_loss": lost / total,
            "macro_f1": f1,
            "top3_accuracy": found / total,
        }

    return compute


def _log_losses(probability: Array) -> Array:
    least = np.finfo(np.float32).eps
    return -np.log(np.clip(probability.astype(np.float32), least, 1 - least)).astype(np.float64)


def _ratio(part: Array, whole: Array) -> Array:
    return part / np.where(whole > 0, whole, np.nan)
