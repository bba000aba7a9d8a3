"""Permutation importance: how much worse the served model answers when one feature's values change rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tasks import Feature, Image, Text

Array = NDArray[Any]
SEED = 2001  # Breiman's paper
REPEATS = 5
# Bounds on what is asked, never on time: the same run gives the same numbers on any machine.
MOST_ROWS = 1000
MOST_VALUES = 20_000_000  # of all features of all rows that are asked
MOST_WIDE_ROWS = 4000  # asked in all, where a row has a text or a picture
FEWEST_ROWS = 30


class Importance(NamedTuple):
    """By how much the metric gets worse: the mean over the shuffles, and their standard deviation."""

    feature: str
    mean: float
    spread: float


def affordable_rows(features: Sequence[Feature]) -> int:
    """How many test rows to look at; 0 where there is but one feature, or so many that too few rows are left."""
    count = len(features)
    if count < 2:
        return 0
    wide = any(isinstance(feature, Text | Image) for feature in features)
    most = MOST_WIDE_ROWS // (REPEATS * count) if wide else MOST_VALUES // (REPEATS * count * count)
    return min(most, MOST_ROWS) if most >= FEWEST_ROWS else 0


def orders(rows: int) -> Array:
    """The shuffles, the same for each feature, so that features are compared fairly."""
    random = np.random.default_rng(SEED)
    return np.stack([random.permutation(rows) for _ in range(REPEATS)])


def importances(
    columns: Mapping[str, Array],
    label: Array,
    ask: Callable[[Mapping[str, Array]], Array],
    measure: Callable[[Array, Array], float | None],
    shuffles: Array,
    *,
    higher_is_better: bool,
) -> list[Importance]:
    """Of each column, the greatest first; nothing where the metric cannot be had of these rows."""
    before, sign = measure(label, ask(columns)), 1 if higher_is_better else -1
    if before is None:
        return []
    repeated = {name: np.concatenate([values] * len(shuffles)) for name, values in columns.items()}
    found = []
    for name, values in columns.items():
        answers = ask(repeated | {name: values[shuffles].reshape(-1)})
        scores = [measure(label, some) for some in np.split(answers, len(shuffles))]
        losses = [sign * (before - score) for score in scores if score is not None]
        if losses:
            found.append(Importance(name, float(np.mean(losses)), float(np.std(losses))))
    return sorted(found, key=lambda one: -one.mean)
