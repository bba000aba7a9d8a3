"""A row that is no example: where it stood, and what was wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np


@dataclass(frozen=True)
class Rejected:
    """A row set aside: `number` is its line or row in the source, `received` what was wrong in this one."""

    number: int
    position: str
    reason: str
    received: str
    row: str

    @property
    def sentence(self) -> str:
        return f"{self.reason}: {self.received}" if self.received else self.reason


@dataclass(frozen=True)
class SetAside:
    """Rows that break one rule, by their numbers in the source: millions are counted, and only those asked for told."""

    reason: str
    numbers: np.ndarray
    tell: Callable[[int], Rejected]

    def first(self, count: int) -> list[Rejected]:
        return [self.tell(at) for at in range(min(max(count, 0), len(self.numbers)))]


def told(groups: Iterable[SetAside]) -> list[Rejected]:
    """Every row of all groups, in the source's order."""
    return sorted((row for group in groups for row in group.first(len(group.numbers))), key=lambda row: row.number)


def grouped(rows: Sequence[Rejected]) -> list[SetAside]:
    """A few rows by the rules that they break."""
    in_order = sorted(rows, key=lambda row: row.reason)
    return [
        SetAside(reason, np.array([row.number for row in some]), some.__getitem__)
        for reason, some in ((reason, list(found)) for reason, found in groupby(in_order, key=lambda row: row.reason))
    ]
