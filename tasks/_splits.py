"""Which rows are learned from, which are watched, and which judge: by a row's content, or by its date."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

from transforms import iso_dates

Split = Literal["train", "eval", "test"]
SPLITS: tuple[Split, ...] = get_args(Split)
SHARES = (0.64, 0.16, 0.20)
LENGTH = re.compile(r"(\d{1,3}) (hour|day|week|month|year)s?")
BY_TIME = 'Splits(by="when", eval="2 weeks", test="4 weeks"), or dates such as eval="2026-09-01", test="2026-10-01"'


@dataclass(frozen=True, kw_only=True)
class Splits:
    """The share of rows in each split, by the hash of their features; a part that names its own split overrides it.

    With `by`, a Date among the features, test is the newest rows, eval those before, train the rest: from two dates
    on, or for so many hours, days, weeks, months or years, the one that the newest row lies in counted as the first.
    """

    train: float = SHARES[0]
    eval: float | str = SHARES[1]
    test: float | str = SHARES[2]
    by: str = ""

    def __post_init__(self) -> None:
        if self.by or isinstance(self.eval, str) or isinstance(self.test, str):
            _check_by_time(self)
        elif min(self.shares) < 0 or self.train == 0 or abs(sum(self.shares) - 1) > 1e-9:
            raise ValueError(f"Splits are shares that add up to 1, with some rows in train. Received: {self.shares}.")

    @property
    def shares(self) -> tuple[float, float, float]:
        """Of a split by content."""
        assert not isinstance(self.eval, str)
        assert not isinstance(self.test, str)
        return self.train, self.eval, self.test

    @property
    def moves(self) -> bool:
        """Whether the dates of the split go with the newest row."""
        return bool(self.by) and _length(self.test) is not None

    def fills(self, split: Split) -> bool:
        """Whether rows are meant to be in this split."""
        if not self.by:
            return self.shares[get_args(Split).index(split)] > 0
        first, second = self.dates(0)
        return split != "eval" or first < second

    def dates(self, newest: int) -> tuple[int, int]:
        """When eval begins and when test does, if this is the newest row; microseconds since 1970."""
        before, last = _length(self.eval), _length(self.test)
        if before is None or last is None:
            first, second = iso_dates.microseconds(str(self.eval)), iso_dates.microseconds(str(self.test))
            assert first is not None
            assert second is not None
            return first, second
        test = _back(iso_dates.EPOCH + timedelta(microseconds=newest), last[0] - 1, last[1])
        first, second = ((day - iso_dates.EPOCH) // timedelta(microseconds=1) for day in (_back(test, *before), test))
        return first, second


def _check_by_time(splits: Splits) -> None:
    received = f"Received: by={splits.by!r}, train={splits.train}, eval={splits.eval!r}, test={splits.test!r}."
    if (
        not splits.by
        or splits.train != SHARES[0]
        or not isinstance(splits.eval, str)
        or not isinstance(splits.test, str)
    ):
        raise ValueError(
            f"Rows are split by shares or by a Date. By a Date, expected {BY_TIME}; train is all before. {received}"
        )
    before, last = _length(splits.eval), _length(splits.test)
    first, second = iso_dates.microseconds(splits.eval), iso_dates.microseconds(splits.test)
    lengths = before is not None and last is not None and before[1] == last[1] and last[0] > 0
    if not lengths and (first is None or second is None or first > second):
        raise ValueError(
            "A split by a Date needs two lengths in one unit, with some rows in test, or two dates in their order. "
            f"Expected {BY_TIME}. {received}"
        )


def _length(text: object) -> tuple[int, str] | None:
    found = LENGTH.fullmatch(str(text))
    return (int(found[1]), found[2]) if found else None


def _back(moment: datetime, count: int, unit: str) -> datetime:
    """When the hour, day, week (from Monday), month or year began that lies so many before the moment's own."""
    hour = moment.replace(minute=0, second=0, microsecond=0)
    match unit:
        case "hour":
            return hour - timedelta(hours=count)
        case "day":
            return hour.replace(hour=0) - timedelta(days=count)
        case "week":
            return hour.replace(hour=0) - timedelta(days=7 * count + moment.weekday())
    months = moment.year * 12 + moment.month - 1 - count if unit == "month" else (moment.year - count) * 12
    return hour.replace(year=months // 12, month=months % 12 + 1, day=1, hour=0)
