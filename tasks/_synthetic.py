"""Columns of made-up rows that resemble those of a file, for the samples that `sluice new` writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd


def kinds(random: np.random.RandomState, count: int, shares: Sequence[float]) -> np.ndarray:
    """The number of each row's kind, by how frequent each is; every kind comes at least once."""
    drawn = random.choice(len(shares), count, p=np.asarray(shares) / sum(shares))
    drawn[: len(shares)] = range(len(shares))
    return drawn


def numbers(
    random: np.random.RandomState,
    means: np.ndarray,
    deviation: float,
    low: float,
    high: float,
    *,
    decimals: int = 3,
) -> np.ndarray:
    """Numbers around each row's mean, none outside what the file has."""
    return np.round(np.clip(means + random.normal(0, deviation, len(means)), low, high), decimals)


def values(
    random: np.random.RandomState, kinds: np.ndarray, known: Sequence[Any], shares: Sequence[Sequence[float]]
) -> np.ndarray:
    """One of the known values for each row, as frequent as with its kind; every value comes at least once."""
    cumulated = np.cumsum(np.asarray(shares, float), axis=1)
    position = random.rand(len(kinds)) * cumulated[kinds, -1]
    drawn = (position[:, None] >= cumulated[kinds]).sum(axis=1)
    drawn[-len(known) :] = range(len(known))
    return np.array(known, dtype=object)[drawn]


def dates(random: np.random.RandomState, count: int, first: str, last: str, *, unit: str) -> np.ndarray:
    """Days or times from all over that span, in whole days (D), hours (h), minutes (m) or seconds (s)."""
    start, end = np.array([first, last], f"datetime64[{unit}]")
    drawn: np.ndarray = start + random.randint(0, (end - start).astype(int) + 1, count)
    return drawn.astype("datetime64[s]")


def texts(
    random: np.random.RandomState, kinds: np.ndarray, common: str, telling: Sequence[str], *, length: int
) -> list[str]:
    """Common words, and among them some that are used of the row's kind."""
    neutral, special = common.split(), [words.split() for words in telling]
    made = []
    for kind in kinds.tolist():
        words = random.choice(neutral, max(3, random.poisson(length)))
        places = random.randint(0, len(words), max(2, len(words) // 5))
        words[places] = random.choice(special[kind] or neutral, len(places))
        made.append(" ".join(words))
    return made


def lacking(random: np.random.RandomState, column: Any, share: float) -> pd.Series[Any]:
    """The column, with so large a share of its rows empty."""
    return pd.Series(column).mask(random.rand(len(column)) < share)


def line(rows: Mapping[str, Any], start: float, slopes: Mapping[str, float | Mapping[Any, float]]) -> np.ndarray:
    """A number for each row: `start`, and what each column adds: so much a unit, or for each of its values."""
    total: Any = start
    for name, slope in slopes.items():
        column = pd.Series(rows[name])
        added = column.map(slope).astype(float) if isinstance(slope, Mapping) else column * slope
        total = total + added.fillna(added.mean())
    return np.asarray(total, float)
