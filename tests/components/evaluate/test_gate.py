from __future__ import annotations

import math

import pytest

from components.evaluate import gate
from components.evaluate.gate import Finding, Judgement, Measured
from tasks import Bar

HIGHER = {"accuracy": True, "mae": False}
NAN = math.nan


def judge(bar: Bar, found: Measured, *, rival: bool, confidence: float = 0.95, improve: bool = False) -> Judgement:
    return gate.judge(bar, HIGHER[bar.metric], found, rival=rival, confidence=confidence, improve=improve)


# metric, bar, tolerance, value, champion ("none": there is no champion), whether it passes, what the reason says
VERDICTS = [
    ("accuracy", 0.80, 0.00, 0.85, "none", True, "holds against the bar"),
    ("accuracy", 0.80, 0.00, 0.80, "none", True, "holds against the bar"),
    ("accuracy", 0.80, 0.00, 0.75, "none", False, "accuracy 0.75 is below the bar 0.8"),
    ("accuracy", 0.80, 0.00, 0.79999999, "none", False, "0.79999999 is below the bar 0.8"),
    ("accuracy", 0.80, 0.05, 0.79, "none", False, "below the bar"),  # the tolerance is for the champion alone
    ("mae", 2.0, 0.0, 1.9, "none", True, "holds against the bar"),
    ("mae", 2.0, 0.0, 2.0, "none", True, "holds against the bar"),
    ("mae", 2.0, 0.0, 2.1, "none", False, "mae 2.1 is above the bar 2"),
    ("accuracy", 0.50, 0.01, 0.80, 0.81, True, "the bar and the champion"),  # 0.81 - 0.80 > 0.01 in floats
    ("accuracy", 0.50, 0.01, 0.79, 0.81, False, "worse than the champion with 0.81 by more than 0.01"),
    ("accuracy", 0.50, 0.00, 0.81, 0.81, True, "the bar and the champion"),
    ("accuracy", 0.50, 0.00, 0.80, 0.81, False, "0.8 is worse than the champion with 0.81"),
    ("accuracy", 0.90, 0.01, 0.85, 0.80, False, "below the bar"),
    ("mae", 3.0, 0.1, 0.3, 0.2, True, "the bar and the champion"),  # 0.3 - 0.2 != 0.1 in floats
    ("mae", 3.0, 0.1, 2.31, 2.2, False, "worse than the champion"),
    ("mae", 3.0, 0.0, 1.0, 2.0, True, "the bar and the champion"),
    ("accuracy", 0.80, 0.00, NAN, "none", False, "could not be computed from this model"),
    ("accuracy", 0.80, 0.00, None, "none", False, "could not be computed from this model"),
    ("accuracy", 0.80, 0.00, math.inf, "none", False, "could not be computed from this model"),
    ("mae", 2.0, 0.0, -math.inf, "none", False, "could not be computed from this model"),
    ("accuracy", 0.80, 0.00, 0.9, NAN, False, "of the champion could not be computed"),
    ("accuracy", 0.80, 0.00, 0.9, None, False, "of the champion could not be computed"),
    ("accuracy", 0.0, 0.0, 0.0, "none", True, "holds"),
]


@pytest.mark.parametrize(("metric", "bar", "tolerance", "value", "champion", "passed", "reason"), VERDICTS)
def test_a_verdict_on_bare_values(
    metric: str,
    bar: float,
    tolerance: float,
    value: float | None,
    champion: float | str | None,
    passed: bool,
    reason: str,
) -> None:
    rival = None if isinstance(champion, str) else champion
    found = Measured(rows=100, value=value, champion=rival)
    judgement = judge(Bar(metric, bar, tolerance=tolerance), found, rival=champion != "none")
    assert judgement.passed is passed
    assert reason in judgement.reason


# metric, tolerance, value, champion, interval of the difference, McNemar's p, whether it passes, what the reason says
CHANCES = [
    ("accuracy", 0.00, 0.80, 0.81, (-0.03, 0.01), None, True, "may be chance (difference -0.03 to 0.01 at 95%"),
    ("accuracy", 0.00, 0.80, 0.81, (-0.02, 0.0), None, True, "may be chance"),  # reaches none
    ("accuracy", 0.00, 0.80, 0.81, (-0.015, -0.005), None, False, "(difference -0.015 to -0.005 at 95% confidence)"),
    ("accuracy", 0.01, 0.79, 0.81, (-0.025, -0.015), None, False, "by more than 0.01 (difference"),
    ("accuracy", 0.01, 0.80, 0.81, (-0.015, -0.005), None, True, "the bar and the champion"),  # within the tolerance
    ("accuracy", 0.00, 0.85, 0.81, (0.03, 0.05), None, True, "the bar and the champion"),
    ("accuracy", 0.00, 0.80, 0.81, (-0.03, 0.01), 0.01, False, "(McNemar's test: p = 0.01)"),  # p decides
    ("accuracy", 0.00, 0.80, 0.81, (-0.02, -0.01), 0.06, True, "may be chance (McNemar's test: p = 0.06)"),
    ("accuracy", 0.00, 0.80, 0.81, None, 0.05, True, "may be chance"),
    ("mae", 0.0, 2.3, 2.2, (-0.1, 0.3), None, True, "holds against the bar; 2.3 is behind the champion with 2.2"),
    ("mae", 0.0, 2.3, 2.2, (0.05, 0.15), None, False, "2.3 is worse than the champion with 2.2 (difference"),
    ("mae", 0.2, 2.3, 2.2, (0.05, 0.15), None, True, "the bar and the champion"),
]


@pytest.mark.parametrize(("metric", "tolerance", "value", "champion", "difference", "p", "passed", "reason"), CHANCES)
def test_a_loss_in_a_slice_counts_if_it_is_more_than_chance(
    metric: str,
    tolerance: float,
    value: float,
    champion: float,
    difference: tuple[float, float] | None,
    p: float | None,
    passed: bool,
    reason: str,
) -> None:
    found = Measured(rows=100, value=value, champion=champion, difference=difference, p_value=p, where="origin: Japan")
    bar = Bar(metric, 0.5 if HIGHER[metric] else 3.0, tolerance=tolerance)
    judgement = judge(bar, found, rival=True)
    assert judgement.passed is passed
    assert reason in judgement.reason


# tolerance, value, champion, interval of the difference, whether it passes, what the reason says
LOSSES = [
    (0.1, 1.348, 1.248, (-0.05, 0.25), True, "holds against the bar and the champion"),
    (
        0.1,
        1.349,
        1.248,
        (-0.05, 0.25),
        False,
        "1.349 is worse than the champion with 1.248 by more than 0.1 (difference",
    ),
    (0.0, 1.249, 1.248, (-0.05, 0.06), False, "mae 1.249 is worse than the champion with 1.248 (difference -0.05 to"),
    (0.0, 1.248, 1.248, (-0.05, 0.06), True, "holds against the bar and the champion"),
]


@pytest.mark.parametrize(("tolerance", "value", "champion", "difference", "passed", "reason"), LOSSES)
def test_on_all_rows_the_tolerance_is_the_whole_margin_chance_or_not(
    tolerance: float, value: float, champion: float, difference: tuple[float, float], passed: bool, reason: str
) -> None:
    found = Measured(rows=80, value=value, champion=champion, difference=difference)
    judgement = judge(Bar("mae", 2.5, tolerance=tolerance), found, rival=True)
    assert judgement.passed is passed
    assert reason in judgement.reason


# metric, value, champion, whether it passes, what the reason says
EXPERIMENTS = [
    ("mae", 1.348, 1.248, False, "mae 1.348 is not better than the champion with 1.248 on the same data (difference"),
    ("mae", 1.248, 1.248, False, "mae 1.248 is also the champion's on the same data, and a tie leaves the champion"),
    ("mae", 1.2479, 1.248, True, "holds against the bar and the champion"),
    ("accuracy", 0.81, 0.80, True, "holds against the bar and the champion"),
    ("accuracy", 0.79, 0.80, False, "accuracy 0.79 is not better than the champion with 0.8 on the same data"),
    ("mae", 3.1, 3.2, False, "mae 3.1 is above the bar 3"),
]


@pytest.mark.parametrize(("metric", "value", "champion", "passed", "reason"), EXPERIMENTS)
def test_an_experiment_on_the_same_data_has_to_beat_the_champion_whatever_the_tolerance(
    metric: str, value: float, champion: float, passed: bool, reason: str
) -> None:
    found = Measured(rows=80, value=value, champion=champion, difference=(-0.2, 0.2))
    bar = Bar(metric, 0.5 if HIGHER[metric] else 3.0, tolerance=0.2)
    judgement = judge(bar, found, rival=True, improve=True)
    assert judgement.passed is passed
    assert reason in judgement.reason
    # Of other data, the same numbers are within the tolerance.
    assert judge(bar, found, rival=True).passed is ("above the bar" not in reason)


def test_intervals_that_overlap_do_not_excuse_a_loss_that_is_real() -> None:
    """On the same rows two models can be told apart though the intervals of their values overlap."""
    found = Measured(rows=900, value=0.80, interval=(0.77, 0.83), champion=0.82, difference=(-0.03, -0.01))
    assert judge(Bar("accuracy", 0.5), found, rival=True).passed is False


# rows, value, champion, difference, minimum_rows, whether it passes, what the reason says
SLICES = [
    (49, 0.10, "none", None, 50, None, "accuracy (origin: Japan) is not judged: 49 rows, fewer than 50"),
    (1, 0.10, 0.9, None, 50, None, "1 row, fewer than 50"),
    (50, 0.10, "none", None, 50, False, "accuracy (origin: Japan) 0.1 is below the bar 0.5"),
    (5, 0.90, "none", None, 5, True, "accuracy (origin: Japan) holds against the bar"),
    (50, None, "none", None, 50, None, "accuracy cannot be had of these rows"),
    (50, 0.70, 0.80, (-0.2, -0.05), 50, False, "accuracy (origin: Japan) 0.7 is worse than the champion with 0.8"),
    (50, 0.70, 0.80, (-0.2, 0.05), 50, True, "may be chance"),
    (50, 0.70, None, None, 50, True, "the champion's cannot be had of these rows"),
]


@pytest.mark.parametrize(("rows", "value", "champion", "difference", "minimum", "passed", "reason"), SLICES)
def test_a_slice_is_judged_if_it_has_rows_enough(
    rows: int,
    value: float | None,
    champion: float | str | None,
    difference: tuple[float, float] | None,
    minimum: int,
    passed: bool | None,
    reason: str,
) -> None:
    rival = None if isinstance(champion, str) else champion
    found = Measured(rows=rows, value=value, champion=rival, difference=difference, where="origin: Japan")
    bar = Bar("accuracy", 0.5, slices=("origin",), minimum_rows=minimum)
    judgement = judge(bar, found, rival=champion != "none")
    assert judgement.passed is passed
    assert reason in judgement.reason


def test_many_slices_raise_no_more_false_alarms_than_one_bar() -> None:
    bar = Bar("accuracy", 0.5, confidence=0.95)
    assert gate.confidence_of_each(bar, 1) == pytest.approx(0.95)
    assert gate.confidence_of_each(bar, 10) == pytest.approx(0.995)
    assert gate.confidence_of_each(bar, 0) == pytest.approx(0.95)
    found = Measured(rows=100, value=0.80, champion=0.85, p_value=0.02, where="origin: Japan")
    assert judge(bar, found, rival=True).passed is False
    assert judge(bar, found, rival=True, confidence=0.995).passed is True


def bless(accuracy: float, mae: float, *findings: Finding) -> dict[str, object]:
    bars = {Bar("accuracy", 0.8): accuracy, Bar("mae", 2.0): mae}
    judged = [judge(bar, Measured(rows=3, value=value), rival=False) for bar, value in bars.items()]
    return gate.blessing(judged, findings, task="cars", rows=3)


def test_a_blessing_needs_every_bar() -> None:
    assert bless(0.9, 1.0)["blessed"] is True
    assert bless(0.9, 1.0)["reasons"] == []
    rejected = bless(0.7, 3.0)
    assert rejected["blessed"] is False
    assert rejected["reasons"] == ["accuracy 0.7 is below the bar 0.8", "mae 3 is above the bar 2"]


def test_a_slice_that_is_not_judged_holds_nothing_up() -> None:
    small = judge(Bar("mae", 2.0), Measured(rows=3, value=9.0, where="origin: Japan"), rival=False)
    assert gate.blessing([small])["blessed"] is True


def test_an_evaluation_that_cannot_be_believed_blesses_nothing() -> None:
    rejected = bless(0.9, 1.0, Finding("a", ""), Finding("b", "b is wrong."))
    assert (rejected["blessed"], rejected["reasons"]) == (False, ["b is wrong."])
    assert rejected["honesty"] == [
        {"check": "a", "problem": "", "passed": True},
        {"check": "b", "problem": "b is wrong.", "passed": False},
    ]


def test_a_blessing_holds_every_bar_with_its_numbers() -> None:
    found = Measured(rows=9, value=0.9, interval=(0.8, 0.95), champion=0.91, difference=(-0.1, 0.1), p_value=0.5)
    document = gate.blessing([judge(Bar("accuracy", 0.8), found, rival=True)], rows=9)
    assert document["bars"] == [
        {"metric": "accuracy", "bar": 0.8, "higher_is_better": True, "tolerance": 0.0, "confidence": 0.95, "where": "",
         "rows": 9, "value": 0.9, "interval": (0.8, 0.95), "champion": 0.91, "difference": (-0.1, 0.1), "p_value": 0.5,
         "passed": False, "reason": "accuracy 0.9 is worse than the champion with 0.91 (McNemar's test: p = 0.5)"},
    ]  # fmt: skip
    assert document["rows"] == 9
