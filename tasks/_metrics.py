"""What a model can be measured by: the metrics of each kind of label, and those of a task's own."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY, dataclass
from typing import Any, Literal

Kind = Literal["regression", "binary", "classes"]

# For each kind of label, its metrics and whether more is better.
METRICS: Mapping[Kind, Mapping[str, bool]] = {
    "regression": {
        "error_p50": False, "error_p90": False, "mae": False, "mape": False, "mse": False, "rmse": False, "r2": True,
    },
    "binary": {
        "accuracy": True, "auc": True, "brier": False, "calibration_error": False, "f1": True, "log_loss": False,
        "pr_auc": True, "precision": True, "recall": True,
    },
    "classes": {
        "accuracy": True, "brier": False, "calibration_error": False, "log_loss": False, "macro_f1": True,
        "top3_accuracy": True,
    },
}  # fmt: skip
ASKED = ("rows", "weights")


@dataclass(frozen=True)
class Metric:
    """A metric of a task's own: `compute(labels, predictions)` gives a number, NaN where it cannot be had.

    Labels are numbers, or the positions of the label's values; predictions are numbers, the probability of the second
    value, or one column of probabilities for each class. With a parameter `rows` it is given the raw test rows, a
    DataFrame; with one called `weights` how often each row counts, which makes the bootstrap quicker.
    """

    compute: Callable[..., Any]
    _: KW_ONLY
    higher_is_better: bool

    def __post_init__(self) -> None:
        if not callable(self.compute):
            raise ValueError(f"A Metric takes a function of labels and predictions. Received: {self.compute!r}.")
        names = [p.name for p in inspect.signature(self.compute).parameters.values() if p.default is p.empty]
        if len(names) < 2 or not set(names[2:]) <= set(ASKED):
            raise ValueError(
                "A Metric's function takes the labels, the predictions and, if it likes, rows and weights. "
                f"Received a function of {', '.join(names) or 'nothing'}."
            )

    @property
    def asks(self) -> frozenset[str]:
        """Which of `rows` and `weights` it is to be given."""
        return frozenset(ASKED).intersection(inspect.signature(self.compute).parameters)


def directions(kind: Kind, own: Mapping[str, Metric]) -> dict[str, bool]:
    """All metrics of a task, and whether more is better."""
    return {**METRICS[kind], **{name: metric.higher_is_better for name, metric in own.items()}}


def check_own(kind: Kind, own: Any) -> None:
    if not isinstance(own, Mapping) or not all(isinstance(metric, Metric) for metric in own.values()):
        raise ValueError(
            'A Task\'s metrics have names. Expected {"cost": Metric(cost, higher_is_better=False)}. '
            f"Received: {own!r}."
        )
    for name in own:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"A metric's name is lower case letters, digits and underscores. Received: {name!r}.")
        if name in METRICS[kind]:
            raise ValueError(f"The name of {name!r} is taken by a metric that every {kind} task has. Expected another.")
