from __future__ import annotations

import math

import pytest

from components import gate
from tasks import Bar

HIGHER = {"accuracy": True, "mae": False}
NAN = math.nan

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
def test_a_verdict(
    metric: str,
    bar: float,
    tolerance: float,
    value: float | None,
    champion: float | str | None,
    passed: bool,
    reason: str,
) -> None:
    rival = None if isinstance(champion, str) else {metric: champion}
    (judgement,) = gate.judge([Bar(metric, bar, tolerance=tolerance)], HIGHER, {metric: value}, rival)
    assert judgement.passed is passed
    assert reason in judgement.reason


def test_a_metric_that_is_missing_fails() -> None:
    (judgement,) = gate.judge([Bar("accuracy", 0.5)], HIGHER, {}, None)
    assert (judgement.passed, judgement.value) == (False, None)
    (judgement,) = gate.judge([Bar("accuracy", 0.5)], HIGHER, {"accuracy": 0.9}, {})
    assert (judgement.passed, judgement.champion) == (False, None)


def bless(values: dict[str, float | None]) -> dict[str, object]:
    judged = gate.judge([Bar("accuracy", 0.8), Bar("mae", 2.0)], HIGHER, values, None)
    return gate.blessing(
        judged, task="cars", model_name="mlp", model_sha256="ab", champion="", metrics=values, champion_metrics=None,
        slices={}, rows=3, equality={"rows": 3, "largest_difference": 0.0},
    )  # fmt: skip


def test_a_blessing_needs_every_bar() -> None:
    assert bless({"accuracy": 0.9, "mae": 1.0})["blessed"] is True
    assert bless({"accuracy": 0.9, "mae": 1.0})["reasons"] == []
    rejected = bless({"accuracy": 0.7, "mae": 3.0})
    assert rejected["blessed"] is False
    assert rejected["reasons"] == ["accuracy 0.7 is below the bar 0.8", "mae 3 is above the bar 2"]


def test_a_blessing_holds_every_bar_with_its_numbers() -> None:
    bars = bless({"accuracy": 0.9, "mae": 3.0})["bars"]
    assert bars == [
        {"metric": "accuracy", "bar": 0.8, "higher_is_better": True, "tolerance": 0.0, "value": 0.9, "champion": None,
         "passed": True, "reason": "accuracy holds against the bar"},
        {"metric": "mae", "bar": 2.0, "higher_is_better": False, "tolerance": 0.0, "value": 3.0, "champion": None,
         "passed": False, "reason": "mae 3 is above the bar 2"},
    ]  # fmt: skip
