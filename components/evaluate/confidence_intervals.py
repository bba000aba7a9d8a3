"""How sure a metric is: a seeded bootstrap, Wilson's interval, and McNemar's test of two models on the same rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from components.evaluate.bootstrap_metrics import Weighted, weighted
from tasks import Kind

Array = NDArray[Any]
Interval = tuple[float, float]
# From positions of rows to a function of their weights.
Measured = Callable[[Array], Weighted]
SEED = 1979  # Efron's paper
RESAMPLES = 1000
IN_TAIL, MOST_RESAMPLES = 10, 10_000
# Beyond these rows a part of them is resampled and the spread scaled to all: it is then about 1% off.
MOST_ROWS = 10_000
# Weights at a time: so few that what is made of them stays in the processor's cache.
CELLS = 1 << 16
DIGITS = 6  # beyond them, the order in which a processor adds numbers up could show


@dataclass(frozen=True)
class Resampled:
    """Each metric of both models in every resampling, the same rows for both, and in the rows resampled from."""

    rows: int
    drawn: int
    values: dict[str, Array]
    champion: dict[str, Array] | None

    def interval(self, metric: str, value: float, confidence: float) -> Interval | None:
        return self._interval(self.values[metric], value, confidence)

    def difference(self, metric: str, value: float, confidence: float) -> Interval | None:
        """Of the challenger's value less the champion's."""
        assert self.champion is not None
        return self._interval(self.values[metric] - self.champion[metric], value, confidence)

    def _interval(self, resampled: Array, value: float, confidence: float) -> Interval | None:
        """The percentiles between which such a share of the resamplings lies, wider where rows are few.

        Percentiles of a bootstrap are too narrow by the factor between Student's and the normal distribution, and by
        that between n and n - 1; taking percentiles further out makes up for both (Hesterberg, 2015).
        """
        center, others = resampled[0], resampled[1:]
        found = others[np.isfinite(others)]
        if self.rows < 2 or not math.isfinite(center) or len(found) < len(others) / 2:
            return None
        student = special.stdtrit(self.rows - 1, (1 + confidence) / 2)
        tail = special.ndtr(-student * math.sqrt(self.rows / (self.rows - 1)))
        low, high = np.quantile(found, [tail, 1 - tail])
        scale = math.sqrt(self.drawn / self.rows)
        return _rounded(value + (low - center) * scale, value + (high - center) * scale)


def resample(
    kind: Kind, label: Array, prediction: Array, champion: Array | None, *, resamples: int = RESAMPLES
) -> Resampled:
    """Every metric of the kind, on rows drawn again and again."""

    def measured(answers: Array) -> Measured:
        return lambda part: weighted(kind, label[part], answers[part])

    return resample_by(
        len(label), measured(prediction), None if champion is None else measured(champion), resamples=resamples
    )


def resample_by(rows: int, ours: Measured, theirs: Measured | None, *, resamples: int = RESAMPLES) -> Resampled:
    """Draw as many rows as there are, with replacement, again and again; the first line is the rows themselves."""
    part = np.arange(rows)
    if rows > MOST_ROWS:
        part = np.sort(np.random.default_rng(SEED).permutation(rows)[:MOST_ROWS])
    challenger, champion = ours(part), None if theirs is None else theirs(part)
    found, rival = [], []
    for weights in _weights(len(part), resamples):
        found.append(challenger(weights))
        if champion is not None:
            rival.append(champion(weights))
    return Resampled(rows, len(part), _joined(found), _joined(rival) if rival else None)


def resamples_for(confidence: float) -> int:
    """Enough for some to lie beyond each end of the interval."""
    return min(max(RESAMPLES, math.ceil(2 * IN_TAIL / (1 - confidence))), MOST_RESAMPLES)


def wilson(share: float, trials: int, confidence: float) -> Interval | None:
    """The interval of a share of successes; unlike a bootstrap's it does not shrink to nothing when all succeed."""
    if trials < 1:
        return None
    z = float(special.ndtri((1 + confidence) / 2))
    center = share + z * z / (2 * trials)
    reach = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    whole = 1 + z * z / trials
    return _rounded(max((center - reach) / whole, 0.0), min((center + reach) / whole, 1.0))


def mcnemar(only_ours: int, only_theirs: int) -> float:
    """The mid-p value of McNemar's exact test, from how many rows only the one or the other model got right."""
    rows, fewer = only_ours + only_theirs, min(only_ours, only_theirs)
    if rows == 0:
        return 1.0
    at_most = float(special.bdtr(fewer, rows, 0.5))
    exactly = at_most - (float(special.bdtr(fewer - 1, rows, 0.5)) if fewer else 0.0)
    return float(f"{min(2 * at_most - exactly, 1.0):.{DIGITS}g}")


def _weights(rows: int, resamples: int) -> Iterator[Array]:
    """How often each row was drawn, some resamplings at a time."""
    yield np.ones((1, rows))
    random = np.random.default_rng(SEED)
    most = max(1, CELLS // rows)
    for begun in range(0, resamples, most):
        count = min(most, resamples - begun)
        drawn = random.integers(rows, size=(count, rows)) + rows * np.arange(count)[:, None]
        yield np.bincount(drawn.ravel(), minlength=count * rows).reshape(count, rows).astype(np.float64)


def _joined(parts: list[dict[str, Array]]) -> dict[str, Array]:
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _rounded(low: float, high: float) -> Interval:
    return float(f"{low:.{DIGITS}g}"), float(f"{high:.{DIGITS}g}")
