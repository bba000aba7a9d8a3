"""The figures of a search's page: how it went on, the curves over one another, and each setting by itself."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from components.evaluate.report.html import Markup, figure, number, tag
from components.evaluate.report.plots import Axes, spread
from pipelines.trials.space import Axis

if TYPE_CHECKING:
    from optuna.trial import FrozenTrial

# A range of more decades than this has room for powers of ten alone.
DECADES = 2.5
STEPS = (1, 2, 5)


def progress(trials: Sequence[FrozenTrial], metric: str, *, higher: bool) -> Markup:
    """Each trial's value, and the best so far."""
    done = sorted((trial for trial in trials if trial.state.name == "COMPLETE"), key=lambda trial: trial.number)
    values = [float(trial.value or 0.0) for trial in done]
    so_far = list(itertools.accumulate(values, max if higher else min))
    numbers = [float(trial.number) for trial in done]
    alt = f"{metric} by trial; the best is {number(so_far[-1])}"
    axes = Axes("trial", metric, spread(numbers), spread(values), alt=alt, whole_x=True)
    picture = axes.draw(_line(axes, zip(numbers, so_far, strict=True), "line s1"), _dots(axes, numbers, values))
    return figure(picture, f"{metric} of each trial that ended, by its number. The line is the best so far.")


def curves(ranked: Sequence[FrozenTrial], metric: str) -> Markup:
    """Every trial's metric by epoch, the best one's drawn over the others'."""
    drawn = [trial for trial in ranked if trial.intermediate_values]
    steps = [list(trial.intermediate_values) for trial in drawn]
    values = [list(trial.intermediate_values.values()) for trial in drawn]
    alt = f"{metric} by epoch of {len(drawn)} trials"
    axes = Axes("epoch", metric, spread(*steps, margin=0.0), spread(*values), alt=alt, whole_x=True)
    lines = [
        _line(axes, trial.intermediate_values.items(), "line s0" if trial is ranked[0] else _faint(trial))
        for trial in reversed(drawn)
    ]
    return figure(axes.draw(*lines), f"{metric} by epoch, a line for each trial. Blue: the best. Dashed: pruned.")


def by_setting(trials: Iterable[FrozenTrial], axis: Axis, metric: str) -> Markup:
    """One setting along, the metric up; each choice has a place of its own."""
    ended = [trial for trial in trials if trial.state.name == "COMPLETE" and axis.key in trial.params]
    places, values = (
        [_place(axis, trial.params[axis.key]) for trial in ended],
        [float(trial.value or 0.0) for trial in ended],
    )
    if axis.choices:
        along, ticks = (-0.5, len(axis.choices) - 0.5), {float(at): name for at, name in enumerate(axis.choices)}
    else:
        along, ticks = spread(places), _powers(axis) if axis.log else {}
    axes = Axes(axis.key, metric, along, spread(values), alt=f"{metric} by {axis.key}", x_ticks=ticks)
    return figure(axes.draw(_dots(axes, places, values)), f"{metric} by {axis.key}, a point for each trial that ended.")


def _place(axis: Axis, value: Any) -> float:
    if axis.choices:
        return float(axis.choices.index(value))
    return math.log10(value) if axis.log else float(value)


def _powers(axis: Axis) -> dict[float, str]:
    """Round numbers at their places on a logarithmic axis."""
    low, high = math.log10(axis.low), math.log10(axis.high)
    steps = (1,) if high - low > DECADES else STEPS
    rounded = [step * 10.0**power for power in range(math.floor(low), math.ceil(high) + 1) for step in steps]
    return {math.log10(value): f"{value:.4g}" for value in rounded if axis.low <= value <= axis.high}


def _faint(trial: FrozenTrial) -> str:
    return "line faint dashed" if trial.state.name == "PRUNED" else "line faint"


def _line(axes: Axes, points: Iterable[tuple[float, float]], kind: str) -> Markup:
    """One path; where a number is not finite, the next begins."""
    path, pen = [], "M"
    for x, y in points:
        if math.isfinite(y):
            path.append(f"{pen}{axes.x(x):.1f},{axes.y(y):.1f}")
        pen = "L" if math.isfinite(y) else "M"
    return tag(
        "path", class_=kind if len(path) > 1 else f"{kind} dot", d="".join(path) + ("h0" if len(path) == 1 else "")
    )


def _dots(axes: Axes, xs: Sequence[float], ys: Sequence[float]) -> Markup:
    dots = [tag("circle", cx=round(axes.x(x), 1), cy=round(axes.y(y), 1), r=4) for x, y in zip(xs, ys, strict=True)]
    return tag("g", *dots, class_="points f0")
