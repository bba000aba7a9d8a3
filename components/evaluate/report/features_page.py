"""What each feature does for the answers, and where along it they go wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
from numpy.typing import NDArray

from components.evaluate.explained import Explained
from components.evaluate.importance import REPEATS, Importance
from components.evaluate.report.errors_by_feature import Group, errors, groups
from components.evaluate.report.html import Markup, figure, folded, join, number, section, table, tag
from components.evaluate.report.interval_plots import Point, points, whisker
from components.evaluate.report.plots import spread
from tasks import Category, Feature, Number, Task

Array = NDArray[Any]
# Features that are drawn, folded away behind them, and listed by importance; a page of hundreds helps nobody.
DRAWN, FOLDED, LISTED = 6, 18, 20


def page(task: Task, predictions: pd.DataFrame, explained: Explained) -> Markup:
    parts = [*_importance(task, explained), *_errors(task, predictions, explained)]
    return section("Features", *parts) if parts else Markup()


def _importance(task: Task, explained: Explained) -> list[Markup]:
    found = explained.importances
    if not found:
        return []
    metric = task.gate[0].metric
    said = (
        f"By how much {metric} gets worse when the served model is asked about {number(len(explained.rows))} test rows "
        f"among which a feature's values have changed places: the mean of {REPEATS} shuffles, and their standard "
        "deviation. Near nought, the model does without it. Features that tell the same share what they are worth: "
        "each alone may seem needless."
    )
    head = ["Feature", "Worse by", "±", ""]
    lines = _lines(found)
    more = [folded(f"{len(lines) - LISTED} more", table(head, lines[LISTED:]))] if len(lines) > LISTED else []
    return [tag("h3", "Importance"), tag("p", said, class_="soft"), table(head, lines[:LISTED]), *more]


def _lines(found: Sequence[Importance]) -> list[list[Any]]:
    ends = [end for one in found for end in (one.mean - one.spread, one.mean + one.spread, 0.0)]
    within = (min(ends), max(ends))
    return [
        [
            tag("b", one.feature),
            one.mean,
            one.spread,
            _mark(one.mean - one.spread, one.mean, one.mean + one.spread, within),
        ]
        for one in found
    ]


def _mark(low: float, middle: float, high: float, within: tuple[float, float]) -> Markup:
    return whisker(low, middle, high, within, f"{number(middle)}, from {number(low)} to {number(high)}")


def _errors(task: Task, predictions: pd.DataFrame, explained: Explained) -> list[Markup]:
    """The most important features first."""
    wrong = errors(task, predictions.iloc[explained.rows])
    order = [one.feature for one in explained.importances]
    known = [feature for feature in task.features if feature.name in explained.columns]
    known.sort(key=lambda feature: order.index(feature.name) if feature.name in order else 0)
    found = {f.name: groups(f, explained.columns[f.name], wrong, regression=task.kind == "regression") for f in known}
    if not any(found.values()):
        return []
    every = [group for several in found.values() for group in several]
    within = spread([0.0, *(group.low for group in every), *(group.high for group in every)])
    known = [feature for feature in known if found[feature.name]][: DRAWN + FOLDED]
    shown = [_feature(task, feature, found[feature.name], within) for feature in known]
    others = ", ".join(feature.name for feature in known[DRAWN:])
    title = "Errors" if task.kind == "regression" else "Wrong answers"
    said = tag("p", _said(task, explained, len(predictions)), class_="soft")
    more = [folded(f"By {others}", _figures(shown[DRAWN:]))] if others else []
    return [tag("h3", f"{title} by feature"), said, _figures(shown[:DRAWN]), *more]


def _figures(shown: Sequence[Markup]) -> Markup:
    return tag("div", *shown, class_="figures")


def _said(task: Task, explained: Explained, rows: int) -> str:
    some = f"Of {number(len(explained.rows))} test rows" + (
        f", drawn from {number(rows)}" if rows > len(explained.rows) else ""
    )
    if task.kind != "regression":
        return f"{some}: the share that the model gets wrong, with its 95% interval, by groups of like values."
    return (
        f"{some}: the median error, which is the predicted less the true {task.label.name}, and the half of the rows "
        "around it, by groups of like values. Away from nought the model is wrong to one side."
    )


def _feature(task: Task, feature: Feature, found: Sequence[Group], within: tuple[float, float]) -> Markup:
    name = "error" if task.kind == "regression" else "share of wrong answers"
    numbers = [group for group in found if group.at is not None]
    if isinstance(feature, Category) or len(numbers) < 2:
        head = [feature.name, "Rows", name[0].upper() + name[1:], ""]
        rows = (
            [group.name, group.rows, group.middle, _mark(group.low, group.middle, group.high, within)]
            for group in found
        )
        return tag("div", table(head, rows))
    marks = [Point(float(group.at), group.middle, group.low, group.high) for group in numbers if group.at is not None]
    unit = f" ({feature.about})" if isinstance(feature, Number) and feature.about else ""
    picture = points(
        marks, x_label=f"{feature.name}{unit}", y_label=name, alt=f"{name} by {feature.name}", y_range=within, level=0.0
    )
    lost = [
        f" {group.name}: {number(group.middle)} ({number(group.rows)} rows)." for group in found if group.at is None
    ]
    size = round(sum(group.rows for group in numbers) / len(numbers))
    return figure(picture, join([tag("b", feature.name), f": {len(marks)} groups of about {size} rows.", *lost]))
