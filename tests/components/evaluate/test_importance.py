"""Permutation importance: scikit-learn's numbers, the same each time, of no more rows than can be afforded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.inspection import permutation_importance

from components.evaluate import importance, metrics
from components.evaluate.importance import FEWEST_ROWS, MOST_ROWS, Importance
from tasks import Image, Number, Text

Array = np.ndarray[Any, Any]


def rows(count: int = 60) -> dict[str, Array]:
    random = np.random.default_rng(0)
    return {name: random.normal(size=count).astype(np.float32) for name in ("much", "little", "none")}


def ask(columns: Mapping[str, Array]) -> Array:
    return np.asarray(3 * columns["much"] + columns["little"])


def label(columns: Mapping[str, Array]) -> Array:
    return ask(columns) + np.random.default_rng(1).normal(scale=0.1, size=len(columns["much"]))


def as_scikit_learn_shuffles(count: int, repeats: int, seed: int) -> Array:
    """It takes one seed for all columns, and shuffles anew what it has shuffled before."""
    random = np.random.RandomState(np.random.RandomState(seed).randint(np.iinfo(np.int32).max + 1))
    at, made, order = np.arange(count), [], np.arange(count)
    for _ in range(repeats):
        random.shuffle(at)
        order = order[at]
        made.append(order)
    return np.stack(made)


class Estimator(RegressorMixin, BaseEstimator):
    """Made already."""

    def fit(self) -> None: ...

    def predict(self, X: pd.DataFrame) -> Array:
        return ask({name: X[name].to_numpy() for name in X})


def test_the_numbers_are_scikit_learns() -> None:
    columns = rows()
    expected = permutation_importance(
        Estimator(), pd.DataFrame(columns), label(columns), scoring="neg_mean_absolute_error", n_repeats=5,
        random_state=7,
    )  # fmt: skip
    found = importance.importances(
        columns, label(columns), ask, lambda truth, said: metrics.value("regression", "mae", truth, said),
        as_scikit_learn_shuffles(60, 5, 7), higher_is_better=False,
    )  # fmt: skip
    means = dict(zip(columns, zip(expected.importances_mean, expected.importances_std, strict=True), strict=True))
    assert [one.feature for one in found] == ["much", "little", "none"]
    for one in found:
        assert (one.mean, one.spread) == pytest.approx(means[one.feature], rel=1e-5)
    assert found[-1] == Importance("none", 0.0, 0.0)


def test_a_metric_of_which_more_is_better_gets_worse_by_falling() -> None:
    columns = rows()
    truth = (ask(columns) > 0).astype(np.int64)
    found = importance.importances(
        columns, truth, lambda some: (ask(some) > 0).astype(float),
        lambda label, said: metrics.value("binary", "accuracy", label, said), importance.orders(60),
        higher_is_better=True,
    )  # fmt: skip
    assert found[0].feature == "much"
    assert 0.2 < found[0].mean < 0.6


def test_without_the_metric_there_is_nothing_to_lose() -> None:
    columns = rows()
    assert importance.importances(columns, label(columns), ask, lambda *_: None, importance.orders(60),
                                  higher_is_better=True) == []  # fmt: skip


def test_the_same_shuffles_each_time() -> None:
    shuffles = importance.orders(40)
    assert np.array_equal(shuffles, importance.orders(40))
    assert np.array_equal(np.sort(shuffles, axis=1), np.tile(np.arange(40), (importance.REPEATS, 1)))


def test_rows_are_bounded_by_what_they_cost() -> None:
    def numbers(count: int) -> tuple[Number, ...]:
        return tuple(Number(f"n{at}") for at in range(count))

    assert importance.affordable_rows(numbers(7)) == MOST_ROWS
    assert importance.affordable_rows(numbers(200)) == 100
    assert importance.affordable_rows(numbers(400)) == 0  # it would be fewer than
    assert FEWEST_ROWS == 30
    assert importance.affordable_rows((Text("review"),)) == 0  # without it there is nothing left
    assert importance.affordable_rows((Text("review"), *numbers(3))) == 200
    assert importance.affordable_rows((Image("photo", 96, 96), *numbers(1))) == 400
