"""Figures as SVG of our own: drawn in a millisecond, readable in light and dark, sharp on paper.

The colours are classes of the report's style sheet (Okabe and Ito's, which the colour-blind can tell apart).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.report.html import Markup, number, tag

WIDTH, HEIGHT = 460.0, 300.0
LEFT, RIGHT, TOP, BOTTOM = 62.0, 14.0, 34.0, 48.0
POINTS = 1500


@dataclass(frozen=True)
class Curve:
    """One line of a plot; values that are not finite are gaps."""

    name: str
    x: Any
    y: Any
    _: KW_ONLY
    dashed: bool = False


@dataclass(frozen=True)
class Axes:
    """The frame of a plot: what its axes mean, and where a value lies."""

    x_label: str
    y_label: str
    x_range: tuple[float, float]
    y_range: tuple[float, float]
    _: KW_ONLY
    alt: str
    whole_x: bool = False
    x_ticks: Mapping[float, str] = field(default_factory=dict)

    def x(self, value: float) -> float:
        low, high = self.x_range
        return LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        low, high = self.y_range
        return HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)

    def draw(self, *marks: Markup, legend: Sequence[tuple[str, bool]] = ()) -> Markup:
        """The whole figure; without a legend, without the room for it."""
        top = 0.0 if legend else TOP - 10
        shown = {"viewBox": f"0 {top:g} {WIDTH:g} {HEIGHT - top:g}", "role": "img", "aria_label": self.alt}
        return tag("svg", tag("title", self.alt), *self._x_axis(), *self._y_axis(), *marks, *_legend(legend), **shown)

    def _x_axis(self) -> list[Markup]:
        bottom = HEIGHT - BOTTOM
        nice = [tick for tick in nice_ticks(*self.x_range) if not self.whole_x or float(tick).is_integer()]
        ticks = self.x_ticks or {tick: number(tick) for tick in nice}
        marks = [tag("text", name, x=self.x(t), y=bottom + 16, text_anchor="middle") for t, name in ticks.items()]
        rule = tag("line", class_="axis", x1=LEFT, x2=WIDTH - RIGHT, y1=bottom, y2=bottom)
        middle = (LEFT + WIDTH - RIGHT) / 2
        return [rule, *marks, tag("text", self.x_label, class_="label", x=middle, y=HEIGHT - 10, text_anchor="middle")]

    def _y_axis(self) -> list[Markup]:
        ticks = nice_ticks(*self.y_range)
        grid = [tag("line", class_="grid", x1=LEFT, x2=WIDTH - RIGHT, y1=self.y(t), y2=self.y(t)) for t in ticks]
        marks = [tag("text", number(t), x=LEFT - 7, y=self.y(t) + 4, text_anchor="end") for t in ticks]
        middle = (TOP + HEIGHT - BOTTOM) / 2
        turned = f"rotate(-90 14 {middle:g})"
        return [*grid, *marks, tag("text", self.y_label, class_="label", x=14, y=middle, text_anchor="middle",
                                   transform=turned)]  # fmt: skip


def lines(curves: Sequence[Curve], *, x_label: str, y_label: str, alt: str, mark: float | None = None,
          x_range: tuple[float, float] | None = None, y_range: tuple[float, float] | None = None,
          diagonal: bool = False, level: float | None = None, whole_x: bool = False) -> Markup:  # fmt: skip
    """Curves with a legend; `mark` is an upright line, `diagonal` or `level` the line of chance."""
    axes = Axes(
        x_label,
        y_label,
        x_range or spread(*(curve.x for curve in curves), margin=0.0),
        y_range or spread(*(curve.y for curve in curves)),
        alt=alt,
        whole_x=whole_x,
    )
    drawn = [_curve(axes, curve, colour) for colour, curve in enumerate(curves)]
    if mark is not None:
        bounds = {"y1": TOP, "y2": HEIGHT - BOTTOM}
        drawn.insert(0, tag("line", class_="mark", x1=axes.x(mark), x2=axes.x(mark), **bounds))
    if diagonal:
        drawn.insert(0, diagonal_line(axes))
    if level is not None:
        drawn.insert(0, level_line(axes, level))
    return axes.draw(*drawn, legend=[(curve.name, curve.dashed) for curve in curves])


def scatter(x: Any, y: Any, *, x_label: str, y_label: str, alt: str) -> Markup:
    """Points around the diagonal, on two axes of one range; evenly drawn ones when there are many."""
    x, y = _finite_pairs(x, y)
    both = spread(x, y)
    axes = Axes(x_label, y_label, both, both, alt=alt)
    chosen = np.linspace(0, len(x) - 1, min(len(x), POINTS)).astype(int)
    size = 2.6 if len(chosen) < 500 else 1.9
    points = [tag("circle", cx=round(axes.x(x[i]), 1), cy=round(axes.y(y[i]), 1), r=size) for i in chosen]
    return axes.draw(diagonal_line(axes), tag("g", *points, class_="points f0"))


def histogram(groups: Mapping[str, Any], *, x_label: str, y_label: str, alt: str, bins: int = 30,
              x_range: tuple[float, float] | None = None, mark: float | None = None) -> Markup:  # fmt: skip
    """How often values occur, a transparent area for each group, over one another."""
    values = {name: finite(group) for name, group in groups.items()}
    edges = np.linspace(*(x_range or spread(*values.values(), margin=0.0)), bins + 1)
    counts = {name: np.histogram(group, edges)[0] for name, group in values.items()}
    top = max((int(count.max()) for count in counts.values()), default=0)
    axes = Axes(x_label, y_label, (float(edges[0]), float(edges[-1])), (0.0, max(top, 1) * 1.05), alt=alt)
    areas = [tag("path", class_=f"area s{i} f{i}", d=_steps(axes, edges, c)) for i, c in enumerate(counts.values())]
    if mark is not None and edges[0] <= mark <= edges[-1]:
        bounds = {"y1": TOP, "y2": HEIGHT - BOTTOM}
        areas.append(tag("line", class_="mark", x1=axes.x(mark), x2=axes.x(mark), **bounds))
    return axes.draw(*areas, legend=[(name, False) for name in counts] if len(counts) > 1 else ())


def spark(shares: Sequence[float], alt: str) -> Markup:
    """A histogram as small as a word."""
    top = max([*shares, 1e-12])
    bars = [
        tag("rect", x=float(i * 4), width=3.4, y=18 - 18 * share / top, height=18 * share / top)
        for i, share in enumerate(shares)
    ]
    size = {"viewBox": f"0 0 {len(shares) * 4} 18", "width": len(shares) * 4, "height": 18}
    return tag("svg", tag("title", alt), *bars, class_="spark f0", role="img", aria_label=alt, **size)


def nice_ticks(low: float, high: float, count: int = 7) -> list[float]:
    """Multiples of 1, 2 or 5 times a power of ten within the range."""
    raw = (high - low) / count
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * 0.999)
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return [float(f"{i * step:.12g}") for i in range(first, last + 1)]


def spread(*values: Any, margin: float = 0.04) -> tuple[float, float]:
    """The range of all finite values with some air around it, never empty."""
    ranges = [(found.min(), found.max()) for found in map(finite, values) if len(found)]
    if not ranges:
        return (0.0, 1.0)
    low, high = float(min(low for low, _ in ranges)), float(max(high for _, high in ranges))
    if math.isclose(low, high):
        return (low - (abs(low) or 1.0) / 2, high + (abs(high) or 1.0) / 2)
    return (low - (high - low) * margin, high + (high - low) * margin)


def finite(values: Any) -> NDArray[np.float64]:
    plain = values if isinstance(values, np.ndarray) else [np.nan if value is None else value for value in values]
    array = np.asarray(plain, np.float64)
    return _only(array, np.isfinite(array))


def _finite_pairs(x: Any, y: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    kept = np.isfinite(x) & np.isfinite(y)
    return _only(x, kept), _only(y, kept)


def _only(values: NDArray[np.float64], kept: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Not a copy of them where all are kept: there may be many."""
    return values if kept.all() else values[kept]


def _curve(axes: Axes, curve: Curve, colour: int) -> Markup:
    """One path with a new beginning after each gap; a lone point is a dot."""
    path, pen, drawn = [], "M", 0
    for x, y in zip(curve.x, curve.y, strict=True):
        if y is None or not math.isfinite(y):
            pen = "M"
            continue
        path.append(f"{pen}{axes.x(x):.1f},{axes.y(y):.1f}")
        pen, drawn = "L", drawn + 1
    if drawn == 1:
        path.append("h0")
    classes = f"line s{colour}" + (" dashed" if curve.dashed else "") + (" dot" if drawn == 1 else "")
    return tag("path", class_=classes, d="".join(path))


def diagonal_line(axes: Axes) -> Markup:
    low, high = axes.x_range
    return tag("line", class_="diagonal", x1=axes.x(low), y1=axes.y(low), x2=axes.x(high), y2=axes.y(high))


def level_line(axes: Axes, level: float) -> Markup:
    return tag("line", class_="diagonal", x1=LEFT, x2=WIDTH - RIGHT, y1=axes.y(level), y2=axes.y(level))


def _steps(axes: Axes, edges: NDArray[Any], counts: NDArray[Any]) -> str:
    path = [f"M{axes.x(edges[0]):.1f},{axes.y(0):.1f}"]
    for left, right, count in zip(edges[:-1], edges[1:], counts, strict=True):
        path.append(f"L{axes.x(left):.1f},{axes.y(count):.1f}H{axes.x(right):.1f}")
    return "".join(path) + f"V{axes.y(0):.1f}Z"


def _legend(names: Sequence[tuple[str, bool]]) -> list[Markup]:
    marks, x = [], LEFT
    for colour, (name, dashed) in enumerate(names):
        style = f"line s{colour}" + (" dashed" if dashed else "")
        marks.append(tag("line", class_=style, x1=x, x2=x + 18, y1=16, y2=16))
        marks.append(tag("text", name, class_="name", x=x + 24, y=20))
        x += 42 + 6.6 * len(name)
    return marks
