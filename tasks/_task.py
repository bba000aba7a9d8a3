"""What a task is: one frozen value naming its rows, features, preprocessing, models and gate."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from pathlib import Path
from typing import Any

from tasks._features import Category, Date, Feature, Image, Number, Text, as_tuple, brief
from tasks._metrics import Kind, Metric, check_own, directions
from tasks._models import Model, Train
from tasks._splits import Split, Splits

# Names under which a model's main output is served, and the evaluation's for it.
SERVED = frozenset({"class", "prediction", "probabilities", "probability"})


class InputError(ValueError):
    """What the user typed or pointed at is wrong: exit status 2."""


@dataclass(frozen=True, kw_only=True)
class Part:
    """One piece of a data source, read by one worker from beginning to end.

    `read` gives data frames one after the other, or what speaks Arrow: record batches, tables, a reader of them, a
    `pyarrow.dataset`. It gives the same rows each time, and `version` changes when they do.
    """

    name: str
    read: Callable[[], Any]
    version: str = ""
    split: Split | None = None


@dataclass(frozen=True)
class Bar:
    """One demand of the gate: clear `bar`, and be no worse than the champion by more than `tolerance`.

    A champion of the same data has to be beaten, by the first bar, whatever its tolerance. The same as of all rows is
    asked of those of each value of the columns in `slices`, except where they are fewer than `minimum_rows`; there, a
    loss counts only if it is more than chance, at this `confidence`. Whether more is better follows from the metric; a
    bar that says otherwise is refused.
    """

    metric: str
    bar: float
    _: KW_ONLY
    tolerance: float = 0.0
    slices: tuple[str, ...] = ()
    confidence: float = 0.95
    minimum_rows: int = 50
    higher_is_better: bool | None = None

    def __post_init__(self) -> None:
        made = as_tuple("A Bar's slices", self.slices, str, '("island",)')
        object.__setattr__(self, "slices", made)


@dataclass(frozen=True, kw_only=True)
class Task:
    """Everything that is learned and how; see docs/your-own-task.md.

    `seen` tells in words what a model saw of each row of a batch, for the report: it is given the preprocessing's
    outputs and a function from a vocabulary's name to its words. A feature that determines the label by itself stops
    the evaluation, unless `may_tell` names it. `metrics` are of the task's own, beside those that its label's kind has.
    """

    about: str
    features: tuple[Feature, ...]
    label: Number | Category
    sample: Callable[[], Sequence[Part]]
    real: Callable[[Path | None], Sequence[Part] | str] | None = None
    preprocess: Callable[..., dict[str, Any]]
    models: Mapping[str, Model]
    gate: tuple[Bar, ...]
    seen: Callable[[Mapping[str, Any], Callable[[str], list[str]]], list[str]] | None = None
    splits: Splits = field(default_factory=Splits)
    slices: tuple[str, ...] = ()
    may_tell: tuple[str, ...] = ()
    max_rejected: float = 0.05
    metrics: Mapping[str, Metric] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, kinds, such_as in _TUPLES:
            made = as_tuple(f"A Task's {name}", getattr(self, name), kinds, such_as)
            object.__setattr__(self, name, made)
        _check_kinds(self)
        _check_columns(self)
        _check_models(self)
        check_own(self.kind, self.metrics)
        _check_gate(self)

    @property
    def kind(self) -> Kind:
        if isinstance(self.label, Number):
            return "regression"
        return "binary" if len(self.label.values) == 2 else "classes"

    @property
    def columns(self) -> tuple[Feature, ...]:
        """The features and, last, the label."""
        return (*self.features, self.label)

    @property
    def default_model(self) -> str:
        return next(iter(self.models))

    @property
    def directions(self) -> Mapping[str, bool]:
        """The metrics by name, and whether more is better."""
        return directions(self.kind, self.metrics)

    def hyperparameters(self, model: str) -> dict[str, Any]:
        """The keyword arguments of the model's builder, with their defaults."""
        return keyword_defaults(self.models[model].build)


_TUPLES: tuple[tuple[str, Any, str], ...] = (
    ("features", (Number, Category, Text, Image, Date), '(Number("length"),)'),
    ("gate", Bar, '(Bar("accuracy", 0.85),)'),
    ("slices", str, '("island",)'),
    ("may_tell", str, '("island",)'),
)


def keyword_defaults(function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters.values()
    return {p.name: p.default for p in parameters if p.default is not p.empty}


def _check_kinds(task: Task) -> None:
    label: Any = task.label
    if not isinstance(label, Number | Category):
        several = " For several labels, make a task of each." if isinstance(label, tuple | list) else ""
        raise ValueError(f"A Task's label is one Number or one Category. Received: {brief(task.label)}.{several}")
    if not callable(task.preprocess):
        raise ValueError(f"A Task's preprocess is a function, without brackets. Received: {brief(task.preprocess)}.")
    if not isinstance(task.models, Mapping) or not all(isinstance(one, Model) for one in task.models.values()):
        raise ValueError(
            f'A Task\'s models have names. Expected {{"mlp": Model(mlp, ...)}}. Received: {brief(task.models)}.'
        )


def _check_columns(task: Task) -> None:
    names = [column.name for column in task.columns]
    for name in names:
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"A column's name is lower case letters, digits and underscores. Received: {name!r}.")
    if len(set(names)) != len(names):
        twice = ", ".join(sorted({repr(name) for name in names if names.count(name) > 1}))
        label = " The label is no feature." if task.label.name in names[:-1] else ""
        raise ValueError(f"Every column, the label included, needs a name of its own. Received twice: {twice}.{label}")
    called = [word for column in task.columns for word in {column.name, column.column} - {""}]
    for word in called:
        if called.count(word) > 1:
            raise ValueError(f"No two columns can be called the same in a file. Received: {word!r}.")
    if not task.features:
        raise ValueError("A task needs at least one feature. Received: none.")
    if task.label.when_missing != "reject":
        raise ValueError(f"Rows without the label cannot be kept. Received: when_missing={task.label.when_missing!r}.")
    categories = [column.name for column in task.columns if isinstance(column, Category)]
    for name in task.slices:
        if name not in categories:
            raise ValueError(f"Slices are made by Category columns: {', '.join(categories)}. Received: {name!r}.")
    dates = [column.name for column in task.features if isinstance(column, Date)]
    if task.splits.by and task.splits.by not in dates:
        raise ValueError(
            f"Rows are split by a Date among the features: {', '.join(dates) or 'there is none'}. "
            f"Received: by={task.splits.by!r}."
        )
    for name in task.may_tell:
        if name not in names[:-1]:
            raise ValueError(f"may_tell names features: {', '.join(names[:-1])}. Received: {name!r}.")


def _check_models(task: Task) -> None:
    if not task.models:
        raise ValueError("A task needs at least one model. Received: none.")
    for name, model in task.models.items():
        if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise ValueError(f"A model's name is lower case letters, digits and underscores. Received: {name!r}.")
        if not model.outputs:
            raise ValueError(f"Model {name!r} needs at least one output. Received: none.")
        if taken := SERVED.intersection(model.outputs[1:]):
            raise ValueError(
                f"The main output of model {name!r} is served as {', '.join(sorted(SERVED))}. Expected other names for "
                f"further outputs. Received: {', '.join(sorted(taken))}."
            )
        check_fit(task, name, model.train)


def check_fit(task: Task, model: str, train: Train) -> None:
    """What a fit asks of the task's rows must be there."""
    if (train.keep_best or train.patience is not None) and not task.splits.fills("eval"):
        raise ValueError(
            f"Model {model!r} has patience or keep_best, which need rows held out to watch. "
            f"Expected rows in eval. Received: Splits(eval={task.splits.eval!r})."
        )
    if train.class_weights is not None and isinstance(task.label, Number):
        raise ValueError(
            f"Model {model!r} has class_weights, but the label {task.label.name!r} is a number. "
            f"Expected a Category as the label, or sample_weight. Received: {train.class_weights!r}."
        )


def _check_gate(task: Task) -> None:
    known = task.directions
    if not task.gate:
        raise ValueError("A task needs a gate of at least one Bar. Received: none.")
    for bar in task.gate:
        if bar.metric not in known:
            raise ValueError(f"A {task.kind} task has the metrics {', '.join(known)}. Received: {bar.metric!r}.")
        if bar.higher_is_better not in (None, known[bar.metric]):
            side = "more" if known[bar.metric] else "less"
            raise ValueError(f"Of {bar.metric}, {side} is better. Received: higher_is_better={bar.higher_is_better}.")
        if known[bar.metric] and bar.metric not in task.metrics and not bar.bar <= 1:
            raise ValueError(f"No {bar.metric} is above 1. Expected a bar such as 0.85. Received: {bar.bar}.")
        if bar.tolerance < 0:
            raise ValueError(f"A Bar's tolerance cannot be below 0. Received: {bar.tolerance}.")
        if not 0.5 <= bar.confidence < 1:
            raise ValueError(f"A Bar's confidence is from 0.5 to below 1. Received: {bar.confidence}.")
        if bar.minimum_rows < 1:
            raise ValueError(f"A Bar's minimum_rows is at least 1. Received: {bar.minimum_rows}.")
        for name in bar.slices:
            if name not in task.slices:
                raise ValueError(f"A Bar's slices are among the task's: {task.slices!r}. Received: {name!r}.")
