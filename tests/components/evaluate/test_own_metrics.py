"""Metrics of a task's own: in the gate with the same bootstrap, in slices, and told when they cannot be."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.evaluate import blessing, confidence_intervals
from components.evaluate.own_metrics import OwnMetric
from components.evaluate.predictions import raw_frame
from components.evaluate.step import raw_rows
from tasks import Bar, InputError, Metric, Task


def mean_error(label: np.ndarray, prediction: np.ndarray) -> float:
    return float(np.abs(label - prediction).mean())


def weighted_error(label: np.ndarray, prediction: np.ndarray, weights: np.ndarray) -> float:
    return float(np.average(np.abs(label - prediction), weights=weights))


def heavy_error(label: np.ndarray, prediction: np.ndarray, rows: pd.DataFrame) -> float:
    """Of the rows whose `a` is above 3."""
    some = rows["a"].to_numpy() > 3
    return float(np.abs(label - prediction)[some].mean())


def frame(ours: float, theirs: float, count: int = 90) -> pd.DataFrame:
    noise = np.random.RandomState(0).normal(size=count)
    return pd.DataFrame({
        "row": range(count), "label": 0.0, "prediction": ours + noise, "champion": theirs - noise,
        "slice_side": ["left", "right", "left"] * (count // 3),
    })  # fmt: skip


def with_metrics(task: Task, *gate: Bar, **own: Metric) -> Task:
    return dataclasses.replace(task, metrics=own, gate=gate or task.gate)


def test_a_metric_of_ones_own_is_judged_as_the_built_in_one_that_it_equals(plane: Task) -> None:
    own = {
        "mine": Metric(mean_error, higher_is_better=False),
        "by_weight": Metric(weighted_error, higher_is_better=False),
    }
    gate = [Bar(name, 5.0, slices=("side",), minimum_rows=20) for name in ("mae", *own)]
    document = blessing.document(with_metrics(plane, *gate, **own), frame(2.0, 1.5))
    judged: dict[str, list[Any]] = {}
    for bar in document["bars"]:
        kept = {key: bar[key] for key in ("where", "rows", "champion", "passed")}
        judged.setdefault(bar["metric"], []).append((kept, [bar["value"], *bar["interval"], *bar["difference"]]))
    for name in own:
        assert [facts for facts, _ in judged[name]] == [facts for facts, _ in judged["mae"]]
        for (_, found), (_, expected) in zip(judged[name], judged["mae"], strict=True):
            assert found == pytest.approx(expected, rel=1e-5)
        assert document["slices"]["side"]["left"][name] == pytest.approx(document["slices"]["side"]["left"]["mae"])
        assert document["intervals"][name] == pytest.approx(document["intervals"]["mae"], rel=1e-5)
    assert document["bars"][0]["passed"] is False  # worse than the champion, and more than chance


def test_more_may_be_better_and_beyond_one(plane: Task) -> None:
    own = {"points": Metric(lambda label, prediction: 100 - mean_error(label, prediction), higher_is_better=True)}
    (bar,) = blessing.document(with_metrics(plane, Bar("points", 90), **own), frame(2.0, 4.0))["bars"]
    assert (bar["higher_is_better"], bar["passed"]) == (True, True)
    (bar,) = blessing.document(with_metrics(plane, Bar("points", 99), **own), frame(2.0, 4.0))["bars"]
    assert "is below the bar 99" in bar["reason"]


def test_the_rows_that_a_metric_asks_for_are_those_of_the_test_split(
    plane: Task, plane_rows: list[dict[str, Any]], write_examples: Any, tmp_path: Any
) -> None:
    task = with_metrics(plane, heavy=Metric(heavy_error, higher_is_better=False))
    examples = write_examples(task, tmp_path, {"test": plane_rows})
    assert raw_rows(plane, examples) is None  # nobody asks
    raw = raw_rows(task, examples)
    assert raw is not None
    assert raw["a"].tolist() == [row["a"] for row in plane_rows]
    assert raw_frame(task, examples)["side"].tolist() == [row["side"] for row in plane_rows]
    truth = pd.DataFrame({"label": [row["y"] for row in plane_rows]})
    answers = truth.assign(row=range(40), slice_side=raw["side"], prediction=truth["label"] + raw["a"])
    document = blessing.document(task, answers, raw=raw)
    some = [row["a"] for row in plane_rows if row["a"] > 3]
    assert document["metrics"]["heavy"] == pytest.approx(np.mean(some))
    left = [row["a"] for row in plane_rows if row["a"] > 3 and row["side"] == "left"]
    assert document["slices"]["side"]["left"]["heavy"] == pytest.approx(np.mean(left))
    own = OwnMetric("heavy", task.metrics["heavy"], raw)
    label, prediction = answers["label"].to_numpy(), answers["prediction"].to_numpy()
    resampled = confidence_intervals.resample_by(40, own.weighted(label, prediction), None, resamples=200)
    low, high = resampled.interval("heavy", float(np.mean(some)), 0.95) or (0.0, 0.0)
    assert 4 <= low < np.mean(some) < high <= 6


def test_a_metric_that_rows_cannot_have_is_none_and_no_number_is_told(plane: Task) -> None:
    nothing = Metric(lambda label, prediction: float("nan"), higher_is_better=True)
    document = blessing.document(with_metrics(plane, Bar("empty", 0.5), empty=nothing), frame(1.0, 1.0))
    assert document["metrics"]["empty"] is None
    assert document["reasons"] == ["empty could not be computed from this model's predictions"]
    for strange in (np.zeros(3), "0.5", None):
        own = OwnMetric("strange", Metric(lambda label, prediction, s=strange: s, higher_is_better=True), None)
        with pytest.raises(InputError, match="The metric 'strange' must give one number"):
            own.value(np.zeros(2), np.zeros(2))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda task: with_metrics(task, mae=Metric(mean_error, higher_is_better=False)), "The name of 'mae' is taken"),
        (lambda task: with_metrics(task, Bar("x", 1.0), cost=Metric(mean_error, higher_is_better=False)), "'x'"),
        (lambda task: with_metrics(task, Cost=Metric(mean_error, higher_is_better=False)), "lower case letters"),
        (lambda task: with_metrics(task, cost=mean_error), 'Expected {"cost": Metric(cost, higher_is_better=False)}'),
        (lambda _: Metric(lambda label: 0.0, higher_is_better=False), "Received a function of label"),
        (lambda _: Metric(lambda label, prediction, other: 0.0, higher_is_better=False), "label, prediction, other"),
        (lambda _: Metric(0.5, higher_is_better=False), "Received: 0.5"),
    ],
)  # fmt: skip
def test_metrics_that_cannot_be_are_refused_when_the_task_is_read(plane: Task, make: Any, sentence: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (its sentence is looked at)
        make(plane)
    assert sentence in str(caught.value)
