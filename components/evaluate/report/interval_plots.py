"""Values with the interval that each lies in: as a plot, and as a mark in a cell of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from components.evaluate.report.html import Markup, tag
from components.evaluate.report.plots import BOTTOM, HEIGHT, TOP, Axes, diagonal_line, level_line, spread

WIDE, HIGH = 96.0, 14.0


class Point(NamedTuple):
    """A value at a place, between two ends; ends that are not known are left out."""

    x: float
    y: float
    low: float | None
    high: float | None


def points(
    marks: Sequence[Point], *, x_label: str, y_label: str, alt: str, x_range: tuple[float, float] | None = None,
    y_range: tuple[float, float] | None = None, level: float | None = None, chance: bool = False, whole_x: bool = False,
) -> Markup:  # fmt: skip
    """Points with their intervals upright; `level` is a dashed line across, `chance` the diagonal."""
    ends = [end for mark in marks for end in (mark.y, mark.low, mark.high, level) if end is not None]
    ranges = x_range or spread([mark.x for mark in marks]), y_range or spread(ends)
    axes = Axes(x_label, y_label, *ranges, alt=alt, whole_x=whole_x)
    drawn = [diagonal_line(axes)] if chance else []
    if level is not None:
        drawn.append(level_line(axes, level))
    for mark in marks:
        x = round(axes.x(mark.x), 1)
        if mark.low is not None and mark.high is not None:
            drawn.append(tag("line", class_="line s0", x1=x, x2=x, y1=_y(axes, mark.low), y2=_y(axes, mark.high)))
        drawn.append(tag("circle", class_="f0", cx=x, cy=_y(axes, mark.y), r=3.6))
    return axes.draw(*drawn)


def whisker(low: float, middle: float, high: float, within: tuple[float, float], alt: str) -> Markup:
    """A value and its ends as small as a word, on the scale of the whole column; an upright line marks nought."""

    def x(value: float) -> float:
        return round(4 + (value - within[0]) / ((within[1] - within[0]) or 1.0) * (WIDE - 8), 1)

    middle_height = HIGH / 2
    zero = [tag("line", class_="axis", x1=x(0), x2=x(0), y1=1, y2=HIGH - 1)] if within[0] <= 0 <= within[1] else []
    ends = tag("line", class_="line s0", x1=x(low), x2=x(high), y1=middle_height, y2=middle_height)
    dot = tag("circle", class_="f0", cx=x(middle), cy=middle_height, r=3.6)
    size = {"viewBox": f"0 0 {WIDE:g} {HIGH:g}", "width": int(WIDE), "height": int(HIGH)}
    return tag("svg", tag("title", alt), *zero, ends, dot, class_="spark", role="img", aria_label=alt, **size)


def _y(axes: Axes, value: float) -> float:
    return round(min(max(axes.y(value), TOP), HEIGHT - BOTTOM), 1)
