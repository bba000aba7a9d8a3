from __future__ import annotations

import re
import xml.etree.ElementTree as ElementTree
from typing import Any

import numpy as np
import pytest

from components.evaluate.report import plots
from components.evaluate.report.plots import Curve

LABELS: dict[str, Any] = {"x_label": "epoch", "y_label": "loss", "alt": "loss by epoch"}


def parts(picture: str, kind: str) -> list[dict[str, str]]:
    """The attributes of all elements of a kind: the figure is well-formed XML."""
    return [element.attrib for element in ElementTree.fromstring(picture).iter(kind)]


def texts(picture: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(picture).iter("text")]


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (9, 46.6, [10, 20, 30, 40]),
        (-3, 3, [-3, -2, -1, 0, 1, 2, 3]),
        (0.00012, 0.00031, [0.00015, 0.0002, 0.00025, 0.0003]),
        (1e9, 2e9, [1e9, 1.2e9, 1.4e9, 1.6e9, 1.8e9, 2e9]),
    ],
)
def test_ticks_are_round_numbers_within_the_range(low: float, high: float, ticks: list[float]) -> None:
    assert plots.nice_ticks(low, high) == pytest.approx(ticks)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([1.0, 3.0], (1.0, 3.0)),
        ([2.0], (1.0, 3.0)),
        ([0.0, 0.0], (-0.5, 0.5)),
        ([], (0.0, 1.0)),
        ([None, np.nan, np.inf, 4.0, 6.0], (4.0, 6.0)),
    ],
)
def test_a_range_is_of_finite_values_and_never_empty(values: list[float | None], expected: tuple[float, float]) -> None:
    assert plots.spread(values, margin=0.0) == expected


def test_every_figure_has_axis_labels_and_a_text_for_who_cannot_see_it() -> None:
    pictures = [
        plots.lines([Curve("train", [1, 2], [0.5, 0.4])], **LABELS),
        plots.scatter([1.0, 2.0], [1.0, 2.0], **LABELS),
        plots.histogram({"error": [1.0, 2.0]}, **LABELS),
    ]
    for picture in pictures:
        assert {"epoch", "loss"} <= set(texts(picture))
        assert ElementTree.fromstring(picture).attrib["aria-label"] == "loss by epoch"


def test_gaps_break_a_curve() -> None:
    picture = plots.lines([Curve("train", range(5), [1.0, 2.0, None, np.nan, 1.0])], **LABELS)
    (line,) = (path["d"] for path in parts(picture, "path"))
    assert len(re.findall("M", line)) == 2
    assert len(re.findall("L", line)) == 1


@pytest.mark.parametrize("values", [[None, None], [np.nan, np.inf], [], [3.0], [1e-300, 1e300], [5, 5]])
def test_any_curve_can_be_drawn(values: list[float | None]) -> None:
    picture = plots.lines([Curve("a", range(len(values)), values)], **LABELS)
    assert "nan" not in picture
    assert "inf" not in picture


def test_points_lie_where_they_should() -> None:
    picture = plots.scatter([0.0, 10.0, np.nan], [0.0, 10.0, 1.0], **LABELS)
    first, last = parts(picture, "circle")
    assert float(first["cx"]) < float(last["cx"])
    assert float(first["cy"]) > float(last["cy"])


def test_many_points_are_thinned_evenly() -> None:
    everything = np.arange(100_000.0)
    points = parts(plots.scatter(everything, everything, **LABELS), "circle")
    assert len(points) == plots.POINTS
    steps = np.diff([float(point["cx"]) for point in points])
    assert steps.max() < 0.5


def test_groups_of_a_histogram_are_told_apart() -> None:
    picture = plots.histogram({"<a>": [0.1], "b": [0.9]}, x_range=(0.0, 1.0), **LABELS)
    assert [path["class"] for path in parts(picture, "path")] == ["area s0 f0", "area s1 f1"]
    assert {"<a>", "b"} <= set(texts(picture))


def test_a_histogram_of_nothing() -> None:
    assert "nan" not in plots.histogram({"error": [np.nan], "other": []}, **LABELS)


def test_a_spark_has_a_bar_for_each_share() -> None:
    heights = [float(bar["height"]) for bar in parts(plots.spark([0.0, 1.0, 2.0], "values of x"), "rect")]
    assert heights == [0, 9, 18]
