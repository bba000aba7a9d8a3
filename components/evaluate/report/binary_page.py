"""How well two classes are told apart."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score, roc_curve

from components.evaluate.report import confusion_matrix
from components.evaluate.report.calibration import calibration
from components.evaluate.report.html import Markup, figure, section, tag
from components.evaluate.report.plots import Curve, histogram, lines
from tasks import Category, Task

CORNERS = 300


def page(task: Task, predictions: pd.DataFrame) -> Markup:
    assert isinstance(task.label, Category)
    names = task.label.labels
    known = predictions[np.isfinite(predictions["prediction"].to_numpy(float))]
    label, probability = known["label"].to_numpy(np.int64), known["prediction"].to_numpy(float)
    matrix = confusion_matrix.counts(label, (probability > 0.5).astype(np.int64), 2)
    figures = [*_curves(known, names), _scores(label, probability, names), *calibration(label, probability, names)]
    return section(
        "Evaluation",
        tag("div", *figures, class_="figures"),
        tag("h3", "Confusion matrix, at a probability of one half"),
        confusion_matrix.table(matrix, names),
    )


def _curves(known: pd.DataFrame, names: Sequence[str]) -> list[Markup]:
    """Nothing where the test rows are all of one class."""
    if known["label"].nunique() < 2:
        return []
    columns = {"this model": "prediction"}
    if "champion" in known and np.isfinite(known["champion"].to_numpy(float)).all():
        columns["champion"] = "champion"
    return [_roc(known, columns, names), _precision_recall(known, columns, names)]


def _roc(known: pd.DataFrame, columns: Mapping[str, str], names: Sequence[str]) -> Markup:
    curves = []
    for name, column in columns.items():
        false, true, _ = roc_curve(known["label"], known[column])
        curves.append(_curve(name, false, true))
    areas = _areas(known, columns, roc_auc_score)
    picture = lines(
        curves,
        x_label=f"false positive rate ({names[0]} taken for {names[1]})",
        y_label="true positive rate",
        alt=f"ROC curve; area under it: {areas}",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        diagonal=True,
    )
    return figure(picture, f"ROC curve. The area under it is {areas}; the dashed diagonal is chance.")


def _precision_recall(known: pd.DataFrame, columns: Mapping[str, str], names: Sequence[str]) -> Markup:
    curves = []
    for name, column in columns.items():
        precision, recall, _ = precision_recall_curve(known["label"], known[column])
        curves.append(_curve(name, recall, precision))
    share, areas = float((known["label"] == 1).mean()), _areas(known, columns, average_precision_score)
    picture = lines(
        curves,
        x_label=f"recall (share of all {names[1]} that is found)",
        y_label="precision",
        alt=f"Precision by recall; average precision: {areas}",
        x_range=(0.0, 1.0),
        y_range=(0.0, 1.0),
        level=share,
    )
    said = f"the dashed line is chance, the {share:.1%} of the rows that are {names[1]}"
    return figure(picture, f"Precision by recall. Average precision is {areas}; {said}.")


def _areas(known: pd.DataFrame, columns: Mapping[str, str], area: Callable[..., float]) -> str:
    return ", ".join(f"{area(known['label'], known[column]):.4f} ({name})" for name, column in columns.items())


def _curve(name: str, x: NDArray[Any], y: NDArray[Any]) -> Curve:
    corners = np.unique(np.linspace(0, len(x) - 1, min(len(x), CORNERS)).astype(int))
    return Curve(name, x[corners], y[corners], dashed=name == "champion")


def _scores(label: NDArray[Any], probability: NDArray[Any], names: Sequence[str]) -> Markup:
    picture = histogram(
        {name: probability[label == code] for code, name in enumerate(names)},
        x_label=f"predicted probability of {names[1]}",
        y_label="test rows",
        alt=f"Histogram of the predicted probability of {names[1]}, by true class",
        x_range=(0.0, 1.0),
        mark=0.5,
    )
    return figure(
        picture,
        f"Predicted probability of {names[1]}, by true class. Right of the dotted line a row counts as {names[1]}. "
        "The less the two overlap, the better.",
    )
