"""Metrics from the columns of predictions, by scikit-learn; None is a metric that these rows cannot have."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

from components.evaluate import answers
from tasks import Kind

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]
Scores = dict[str, float | None]
# Of probabilities, for the calibration.
BINS = 10
# Beyond so many probabilities, of all rows and classes, some rows at a time are looked at: what is computed on the way
# is several times as large as they are. Only the log loss is then the sum of sums, which may show in its last digits.
AT_ONCE = 10_000_000


def _r2(label: Array, prediction: Array) -> float:
    return float(sk.r2_score(label, prediction)) if np.ptp(label) else math.nan


def _log_loss(label: Array, prediction: Array) -> float:
    # In float32 a certain and wrong prediction counts as 1e-7, as Keras does it, whatever the file's type.
    classes = list(range(prediction.shape[1] if prediction.ndim == 2 else 2))
    parts = _parts(prediction)
    if len(parts) == 1:
        return float(sk.log_loss(label, prediction.astype(np.float32), labels=classes))
    sums = (sk.log_loss(label[p], prediction[p].astype(np.float32), labels=classes, normalize=False) for p in parts)
    return math.fsum(sums) / len(label)


def _macro_f1(label: Array, chosen: Array) -> float:
    # Over the classes that occur: a slice is not to be marked down for those it does not have.
    return float(sk.f1_score(label, chosen, labels=np.unique(label), average="macro", zero_division=0.0))


def _pr_auc(label: Array, prediction: Array) -> float:
    return float(sk.average_precision_score(label, prediction)) if (label == 1).any() else math.nan


def _of_class(metric: Callable[..., float], **options: Any) -> Metric:
    """A metric of the predicted class rather than its probability."""

    def compute(label: Array, prediction: Array) -> float:
        return metric(label, chosen(prediction), **options)

    return compute


def _brier(label: Array, prediction: Array) -> float:
    """The mean squared error of the probabilities, summed over classes where there are more than two."""
    if prediction.ndim == 1:
        return float(np.mean((prediction.astype(np.float64) - label) ** 2))
    truth = np.eye(prediction.shape[1])
    rows = [((prediction[p] - truth[label[p]]) ** 2).sum(axis=1, dtype=np.float64) for p in _parts(prediction)]
    return float(np.concatenate(rows).mean())


def _calibration_error(label: Array, prediction: Array) -> float:
    """How far probabilities stand from the shares that came true, in ten bins of equal width weighed by their rows."""
    said, true = claims(label, prediction)
    gaps = np.bincount(bins(said), said - true, minlength=BINS)
    return float(np.abs(gaps).sum() / len(label))


def claims(label: Array, prediction: Array) -> tuple[Array, Array]:
    """What is claimed with which probability: the second class or, of more, the most probable; and whether it is so."""
    if prediction.ndim == 1:
        return prediction.astype(np.float64), label == 1
    return prediction.max(axis=1).astype(np.float64), prediction.argmax(axis=1) == label


def bins(said: Array) -> Array:
    return np.clip((said * BINS).astype(np.int64), 0, BINS - 1)


def _top3(label: Array, prediction: Array) -> float:
    """NaN of three classes or fewer, where it says nothing."""
    classes = prediction.shape[1]
    if classes <= 3:
        return math.nan
    among = (
        sk.top_k_accuracy_score(label[p], prediction[p], k=3, labels=range(classes), normalize=False)
        for p in _parts(prediction)
    )
    return float(sum(among) / len(label))


def _parts(prediction: Array) -> list[slice]:
    """The rows in order, as many in each part as are looked at at once."""
    rows = max(AT_ONCE // max(prediction[:1].size, 1), 1)
    return [slice(at, at + rows) for at in range(0, len(prediction), rows)]


def _error(quantile: float) -> Metric:
    """The absolute error that this share of the rows stays within."""
    return lambda label, prediction: float(np.quantile(np.abs(prediction.astype(np.float64) - label), quantile))


METRICS: Mapping[Kind, Mapping[str, Metric]] = {
    "regression": {
        "error_p50": _error(0.5),
        "error_p90": _error(0.9),
        "mae": sk.mean_absolute_error,
        "mape": sk.mean_absolute_percentage_error,
        "mse": sk.mean_squared_error,
        "rmse": sk.root_mean_squared_error,
        "r2": _r2,
    },
    "binary": {
        "accuracy": _of_class(sk.accuracy_score),
        "auc": sk.roc_auc_score,
        "brier": _brier,
        "calibration_error": _calibration_error,
        "f1": _of_class(sk.f1_score, zero_division=np.nan),
        "log_loss": _log_loss,
        "pr_auc": _pr_auc,
        "precision": _of_class(sk.precision_score, zero_division=np.nan),
        "recall": _of_class(sk.recall_score, zero_division=np.nan),
    },
    "classes": {
        "accuracy": _of_class(sk.accuracy_score),
        "brier": _brier,
        "calibration_error": _calibration_error,
        "log_loss": _log_loss,
        "macro_f1": _of_class(_macro_f1),
        "top3_accuracy": _top3,
    },
}


def score(kind: Kind, label: Any, prediction: Any, names: Iterable[str] = ()) -> Scores:
    """These metrics of the kind, or every one; all None when there are no rows, or a prediction is not finite."""
    label, prediction, names = np.asarray(label), matrix(prediction), list(names) or list(METRICS[kind])
    if len(label) == 0 or not np.isfinite(prediction).all():
        return dict.fromkeys(names)
    return {name: value(kind, name, label, prediction) for name in names}


def value(kind: Kind, name: str, label: Array, prediction: Array) -> float | None:
    """One metric of the kind."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)  # undefined is None
        return _finite(METRICS[kind][name](label, prediction))


def table(kind: Kind, frame: pd.DataFrame, known: Scores | None = None) -> Scores:
    """The metrics of the predictions, if not `known`, and, as metric_output, of further outputs of the same shape."""
    found = dict(known or score(kind, frame["label"], frame["prediction"]))
    shape = matrix(frame["prediction"]).shape
    for extra in frame.columns:
        if extra.startswith("prediction_") and matrix(frame[extra]).shape == shape:
            further = score(kind, frame["label"], frame[extra])
            found |= {f"{name}_{extra.removeprefix('prediction_')}": value for name, value in further.items()}
    return found


def slices(
    measure: Callable[[pd.DataFrame], Scores], frame: pd.DataFrame, columns: Sequence[str]
) -> dict[str, dict[str, dict[str, float | None]]]:
    """The metrics of the rows that share a value, for each value of each slice column, with their count."""
    return {
        column: {value: {"count": len(rows), **measure(rows)} for value, rows in groups(frame, column)}
        for column in columns
    }


def groups(frame: pd.DataFrame, column: str) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of each value of a slice column; in memory are those of one value at a time."""
    for value, places in places_of(frame, column).items():
        yield value, frame.iloc[places]


def places_of(frame: pd.DataFrame, column: str) -> dict[str, Array]:
    """Where the rows of each value of a slice column stand, the values in their order and the missing last."""
    values = pd.Categorical(frame[f"slice_{column}"])
    names = [*map(str, values.categories), "missing"]
    codes = np.where(values.codes < 0, len(names) - 1, values.codes)
    ends = np.cumsum(np.bincount(codes, minlength=len(names)))[:-1]
    parts = np.split(np.argsort(codes, kind="stable"), ends)
    return {name: places for name, places in zip(names, parts, strict=True) if len(places)}


def chosen(prediction: Array) -> Array:
    """The class that probabilities speak for."""
    return (prediction.argmax(axis=1) if prediction.ndim == 2 else prediction > 0.5).astype(np.int64)


def trials(kind: Kind, metric: str, label: Array, prediction: Array) -> int | None:
    """Of how many rows the metric is a plain share; None if it is none."""
    match kind, metric:
        case _, "accuracy" | "top3_accuracy":
            return len(label)
        case "binary", "precision":
            return int(chosen(prediction).sum())
        case "binary", "recall":
            return int((label == 1).sum())
    return None


def matrix(column: Any) -> Array:
    """A column of numbers as it is; a column of equally long lists as rows of probabilities."""
    if isinstance(column, pd.Series) and (rows := answers.numbers(column)) is not None:
        return rows
    values = np.asarray(column)
    return np.stack(list(values)) if values.dtype == object and len(values) else values


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
