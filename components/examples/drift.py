"""How far apart two columns' statistics lie, and how far chance alone would bring them.

Numbers: the Kolmogorov-Smirnov distance, the largest difference between the shares of rows up to a value, from the
quantiles. Categories: the total variation distance, half the sum of the differences of the values' shares, or the
least it can be where not all values are named. Both are 0 for the same distribution and 1 for distributions that share
nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from tasks import Date, Feature

# Chance alone exceeds the allowance once in a thousand comparisons.
ALPHA = 0.001
# Two sets of 101 quantiles, each from a sketch, resolve no finer.
RESOLUTION = 0.02
KOLMOGOROV_SMIRNOV = "Kolmogorov-Smirnov distance"
TOTAL_VARIATION = "total variation distance"
MISSING = "difference of the shares of missing values"
DRIFTED = "The values have drifted since the serving model was trained"


class Distance(NamedTuple):
    """A named distance, and what of it may be sampling noise."""

    name: str
    value: float
    noise: float


class Drift(NamedTuple):
    """A distance beside what the task allows its column, and chance on top of that."""

    distance: Distance
    limit: float

    @property
    def threshold(self) -> float:
        return self.limit + self.distance.noise

    @property
    def beyond(self) -> bool:
        return self.distance.value > self.threshold

    @property
    def of_missing(self) -> bool:
        return self.distance.name == MISSING

    @property
    def expected(self) -> str:
        allowed = f"{self.limit:g} and {self.distance.noise:.3f} for chance"
        return f"a {self.distance.name} of at most {self.threshold:.3f} ({allowed})"

    @property
    def received(self) -> str:
        return f"{self.distance.value:.3f}"


def drifts(column: Feature, before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Drift]:
    """Every distance of a column between two sets of rows, beside what is allowed. Dates move on: that is no drift."""
    found = distances(before, now)
    if isinstance(column, Date):
        found = [distance for distance in found if distance.name == MISSING]
    return [Drift(distance, column.drift) for distance in found]


def distances(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Distance]:
    """Between the statistics of one column in two sets of rows."""
    found = [_missing(before, now)]
    if before["count"] and now["count"]:
        if "quantiles" in before and "quantiles" in now:
            found.append(_kolmogorov_smirnov(before, now))
        if "top" in before and "top" in now:
            found.append(_total_variation(before, now))
    return [distance for distance in found if distance is not None]


def _kolmogorov_smirnov(before: Mapping[str, Any], now: Mapping[str, Any]) -> Distance:
    value = kolmogorov_smirnov(before["quantiles"], now["quantiles"])
    noise = math.sqrt(-math.log(ALPHA / 2) / 2 * _inverse(before["count"], now["count"])) + RESOLUTION
    return Distance(KOLMOGOROV_SMIRNOV, value, noise)


def kolmogorov_smirnov(before: list[float], now: list[float]) -> float:
    """The largest distance between two distributions, each given by evenly spaced quantiles."""
    points = np.unique(np.concatenate([before, now]))
    shares = [np.searchsorted(np.sort(side), points, side="right") / len(side) for side in (before, now)]
    return float(np.abs(shares[0] - shares[1]).max())


def _total_variation(before: Mapping[str, Any], now: Mapping[str, Any]) -> Distance:
    # With all values named, both are the same; of lists that are cut off, the larger is the better bound.
    value = max(_excess(before, now), _excess(now, before))
    names = len({str(name) for side in (before, now) for name, _ in side["top"]})
    inverse = _inverse(before["count"], now["count"])
    # The mean of the distance under no drift is at most the first term; McDiarmid's inequality bounds the rest.
    noise = math.sqrt(names * inverse) / 2 + math.sqrt(-math.log(ALPHA) / 2 * inverse)
    return Distance(TOTAL_VARIATION, value, noise)


def _excess(more: Mapping[str, Any], less: Mapping[str, Any]) -> float:
    """How far the shares in the one are, at the least, above those in the other.

    Only the commonest values are named. One that the other list leaves out may have had the share of its last.
    """
    shares, others = _shares(more), _shares(less)
    complete = sum(count for _, count in less["top"]) == less["count"]
    unnamed = 0.0 if complete else min(others.values())
    above = sum(max(0.0, share - others.get(name, unnamed)) for name, share in shares.items())
    return above + max(0.0, sum(others.get(name, 0.0) for name in shares) - sum(shares.values()))


def _shares(side: Mapping[str, Any]) -> dict[str, float]:
    return {str(value): count / side["count"] for value, count in side["top"]}


def _missing(before: Mapping[str, Any], now: Mapping[str, Any]) -> Distance | None:
    sizes = [side["count"] + side["missing"] for side in (before, now)]
    if not all(sizes):
        return None
    value = abs(before["missing"] / sizes[0] - now["missing"] / sizes[1])
    noise = math.sqrt(-math.log(ALPHA / 2) / 2 * _inverse(*sizes))
    return Distance(MISSING, value, noise)


def _inverse(before: int, now: int) -> float:
    return 1 / before + 1 / now
