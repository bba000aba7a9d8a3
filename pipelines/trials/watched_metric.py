"""By what runs that were not judged are put in order: a number of the rows that training watches, not the gate's."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from components import settings
from pipelines.trials.space import Axis
from tasks import InputError, Task, Train

# Metrics of a gate for which one that Keras watches puts models in about the same order.
STANDS_FOR = {"mae": "mae", "accuracy": "accuracy", "macro_f1": "accuracy"}


@dataclass(frozen=True)
class Watched:
    name: str

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        return self.name == "accuracy"

    def within(self, numbers: Mapping[str, Any], output: str) -> str:
        """Its key among a fit's numbers, where those of several outputs bear the output's name."""
        return f"{output}_{self.name}" if f"{output}_{self.name}" in numbers else self.name


def stands_for(task: Task, losses: Collection[str | None]) -> Watched:
    """The loss stands for a metric that is not watched, unless the runs minimise different losses."""
    named = STANDS_FOR.get(task.gate[0].metric, "loss")
    plain = "mae" if task.kind == "regression" else "accuracy"
    return Watched(plain if named == "loss" and len({*losses}) > 1 else named)


def possible_fits(axes: Sequence[Axis], task: Task, model: str, fixed: Mapping[str, str]) -> list[Train]:
    """How the trials may be fitted, as far as one setting of the space changes it; all of them watch rows."""
    models = next((axis.choices for axis in axes if axis.key == "model"), (model or task.default_model,))
    trained = {key: value for key, value in fixed.items() if not key.startswith(settings.PREPROCESS)}
    changes = [{axis.key: value} for axis in axes if axis.key.startswith(settings.TRAIN) for value in axis.extremes]
    fits = [
        settings.train_settings(task, name, {**trained, **change})[0] for name in models for change in [{}, *changes]
    ]
    if not task.splits.fills("eval") or any(fit.fit_on != "train" for fit in fits):
        raise InputError(
            "A search chooses by rows that training watches, and here none are held out for that. Expected a task with "
            "an eval split, and train.fit_on=train. Received: "
            + ("a task without." if not task.splits.fills("eval") else "train.fit_on with more than train.")
        )
    return fits
