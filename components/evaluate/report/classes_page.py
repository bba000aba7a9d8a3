"""Which classes are taken for which."""

from __future__ import annotations

import numpy as np
import pandas as pd

from components.evaluate.metrics import matrix
from components.evaluate.report import confusion_matrix
from components.evaluate.report.calibration import calibration
from components.evaluate.report.html import Markup, section, table, tag
from tasks import Category, Task


def page(task: Task, predictions: pd.DataFrame) -> Markup:
    assert isinstance(task.label, Category)
    names = task.label.labels
    label = predictions["label"].to_numpy(np.int64)
    probabilities = matrix(predictions["prediction"])
    counted = confusion_matrix.counts(label, probabilities.argmax(axis=1), len(names))
    right, true, chosen = np.diag(counted), counted.sum(axis=1), counted.sum(axis=0)
    rows = [
        [name, int(true[i]), _share(right[i], true[i]), _share(right[i], chosen[i]), _mistake(counted[i], i, names)]
        for i, name in enumerate(names)
    ]
    return section(
        "Evaluation",
        tag("h3", "Confusion matrix"),
        confusion_matrix.table(counted, names),
        tag("h3", "By class"),
        table(["Class", "Rows", "Recall", "Precision", "Most often mistaken for"], rows),
        tag("div", *calibration(label, probabilities, names), class_="figures"),
    )


def _share(part: int, whole: int) -> float | None:
    return float(part / whole) if whole else None


def _mistake(line: np.ndarray, code: int, names: tuple[str, ...]) -> str:
    wrong = line.copy()
    wrong[code] = 0
    most = int(wrong.argmax())
    return f"{names[most]} ({wrong[most]})" if wrong[most] else ""
