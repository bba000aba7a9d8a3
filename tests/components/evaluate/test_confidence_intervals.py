"""Intervals and tests on numbers that were worked out elsewhere, and on draws whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from components.evaluate import confidence_intervals, metrics
from components.evaluate.bootstrap_metrics import weighted
from tasks import METRICS, Kind

KINDS: tuple[Kind, ...] = ("regression", "binary", "classes")


def answers(kind: Kind, rows: int, seed: int = 0, noise: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.RandomState(seed)
    if kind == "regression":
        label = random.normal(size=rows).astype(np.float32)
        return label, (label + random.normal(0, noise, rows)).astype(np.float32)
    if kind == "binary":
        label = random.randint(0, 2, rows)
        return label, np.round(np.clip(random.normal(label, noise), 0, 1), 2).astype(np.float32)  # with ties
    label = random.randint(0, 4, rows)
    scores = np.exp(random.normal(2 * np.eye(4)[label], 4 * noise))
    return label, (scores / scores.sum(axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize("kind", KINDS)
def test_weighted_metrics_are_those_of_scikit_learn_on_the_rows_drawn(kind: Kind) -> None:
    label, prediction = answers(kind, 60)
    compute = weighted(kind, label, prediction)
    drawn = np.random.RandomState(1).randint(0, 60, (5, 60))
    found = compute(np.stack([np.bincount(rows, minlength=60) for rows in drawn]).astype(float))
    assert found.keys() == METRICS[kind].keys()
    for number, rows in enumerate(drawn):
        for name, value in metrics.score(kind, label[rows], prediction[rows]).items():
            assert found[name][number] == pytest.approx(value, rel=1e-5), name


@pytest.mark.parametrize(
    ("kind", "label", "prediction", "undefined"),
    [
        ("regression", [2.0, 2.0, 2.0], [1.0, 2.0, 3.0], "r2"),
        ("binary", [1, 1, 1], [0.9, 0.8, 0.7], "auc"),
        ("binary", [1, 0, 1], [0.1, 0.2, 0.3], "precision"),
        ("binary", [0, 0, 0], [0.9, 0.2, 0.3], "recall"),
    ],
)  # fmt: skip
def test_what_rows_cannot_have_is_nan(kind: Kind, label: list[float], prediction: list[float], undefined: str) -> None:
    with np.errstate(all="raise"):
        found = weighted(kind, np.array(label), np.array(prediction))(np.ones((2, 3)))
    assert np.isnan(found[undefined]).all()
    resampled = confidence_intervals.resample(kind, np.array(label), np.array(prediction), None, resamples=20)
    assert resampled.interval(undefined, 0.5, 0.95) is None


def test_the_interval_of_a_mean_is_student_s() -> None:
    label, prediction = np.zeros(25), np.random.RandomState(3).gamma(9, size=25)
    low, high = confidence_intervals.resample("regression", label, prediction, None, resamples=20_000).interval(
        "mae", prediction.mean(), 0.95
    )
    reach = 2.064 * prediction.std(ddof=1) / 5
    assert low == pytest.approx(prediction.mean() - reach, abs=0.15 * reach)
    assert high == pytest.approx(prediction.mean() + reach, abs=0.15 * reach)


def test_intervals_hold_the_truth_as_often_as_they_say() -> None:
    held = 0
    for seed in range(200):
        label, prediction = np.zeros(30), np.random.RandomState(seed).normal(5, 1, 30)
        resampled = confidence_intervals.resample("regression", label, prediction, None, resamples=300)
        low, high = resampled.interval("mae", prediction.mean(), 0.9)
        held += low <= 5 <= high
    assert 0.86 <= held / 200 <= 0.95


@pytest.mark.parametrize("kind", KINDS)
def test_equal_models_differ_by_nothing(kind: Kind) -> None:
    label, prediction = answers(kind, 80)
    resampled = confidence_intervals.resample(kind, label, prediction, prediction.copy(), resamples=50)
    for name in METRICS[kind]:
        assert resampled.difference(name, 0.0, 0.95) == (0.0, 0.0)


def test_the_same_rows_tell_models_apart_that_their_own_intervals_do_not() -> None:
    label, prediction = answers("regression", 400)
    better = label + (prediction - label) * np.float32(0.95)
    resampled = confidence_intervals.resample("regression", label, prediction, better)
    ours, theirs = (metrics.score("regression", label, column)["mae"] for column in (prediction, better))
    assert resampled.interval("mae", ours, 0.95)[0] < theirs
    low, high = resampled.difference("mae", ours - theirs, 0.95)
    assert 0 < low < ours - theirs < high


def test_the_same_rows_give_the_same_intervals() -> None:
    label, prediction = answers("binary", 300)
    first, second = (
        confidence_intervals.resample("binary", label, prediction, None).interval("auc", 0.8, 0.95) for _ in "ab"
    )
    assert first == second


def test_more_rows_than_are_resampled_narrow_the_interval_all_the_same() -> None:
    label, prediction = answers("regression", 4 * confidence_intervals.MOST_ROWS)
    value = metrics.score("regression", label, prediction)["mae"]
    resampled = confidence_intervals.resample("regression", label, prediction, None)
    low, high = resampled.interval("mae", value, 0.95)
    assert low < value < high
    reach = 1.96 * np.abs(label - prediction).std() / np.sqrt(len(label))
    assert (high - low) / 2 == pytest.approx(reach, rel=0.12)


def test_one_row_is_no_ground_for_an_interval() -> None:
    label, prediction = answers("regression", 1)
    assert (
        confidence_intervals.resample("regression", label, prediction, None, resamples=9).interval("mae", 0.1, 0.95)
        is None
    )


@pytest.mark.parametrize(
    ("share", "trials", "low", "high"),
    [(0.9, 100, 0.8256, 0.9448), (1.0, 20, 0.8389, 1.0), (0.0, 10, 0.0, 0.2775), (0.5, 4, 0.15, 0.85)],
)  # fmt: skip
def test_wilson_s_interval(share: float, trials: int, low: float, high: float) -> None:
    assert confidence_intervals.wilson(share, trials, 0.95) == pytest.approx((low, high), abs=1e-4)


def test_no_trials_no_interval() -> None:
    assert confidence_intervals.wilson(0.0, 0, 0.95) is None


@pytest.mark.parametrize(
    ("ours", "theirs", "p"),
    [(0, 0, 1.0), (1, 1, 1.0), (0, 5, 0.03125), (5, 0, 0.03125), (1, 9, 0.01171875), (6, 15, 0.053), (40, 41, 0.91)],
)  # fmt: skip
def test_mcnemar_s_mid_p_value(ours: int, theirs: int, p: float) -> None:
    assert confidence_intervals.mcnemar(ours, theirs) == pytest.approx(p, rel=0.05)


def test_rare_ends_are_resampled_more_often() -> None:
    assert [confidence_intervals.resamples_for(c) for c in (0.5, 0.95, 0.995, 0.9999999)] == [1000, 1000, 4000, 10_000]
