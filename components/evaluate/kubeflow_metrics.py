"""What Kubeflow's UI draws of a classifier: the metadata of a ClassificationMetrics artifact, in KFP's own form."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import roc_curve

from components.evaluate.metrics import chosen, matrix
from components.evaluate.report import confusion_matrix
from tasks import Category, Task

# The metadata travel through the cluster's database, with every run.
MOST_CLASSES, CORNERS = 100, 100


def describe(task: Task, frame: pd.DataFrame) -> dict[str, Any]:
    """The confusion matrix and, of two classes, the ROC curve; nothing of a regression."""
    label, prediction = frame["label"].to_numpy(), matrix(frame["prediction"])
    if not isinstance(task.label, Category) or not np.isfinite(prediction).all():
        return {}
    found: dict[str, Any] = {}
    if len(task.label.values) <= MOST_CLASSES:
        found["confusionMatrix"] = _matrix(
            confusion_matrix.counts(label, chosen(prediction), len(task.label.values)), task.label
        )
    if task.kind == "binary" and len(np.unique(label)) == 2:
        found["confidenceMetrics"] = _roc(label, prediction)
    return found


def _matrix(counts: np.ndarray, label: Category) -> dict[str, Any]:
    """Rows are the true classes."""
    return {
        "annotationSpecs": [{"displayName": name} for name in label.labels],
        "rows": [{"row": row} for row in counts.tolist()],
    }


def _roc(label: np.ndarray, probability: np.ndarray) -> list[dict[str, float]]:
    false, true, threshold = roc_curve(label, probability)
    # The first threshold is infinite, which no JSON holds: no probability is above 1.
    threshold = np.minimum(threshold, 1.0)
    corners = np.unique(np.linspace(0, len(false) - 1, min(len(false), CORNERS)).astype(int))
    return [
        {"confidenceThreshold": float(threshold[at]), "recall": float(true[at]), "falsePositiveRate": float(false[at])}
        for at in corners
    ]
