"""A split by time: which rows judge, today and when days have been added."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from tasks import Splits
from transforms import iso_dates

DAY = 86_400 * 10**6


def moment(text: str) -> int:
    found = iso_dates.microseconds(text)
    assert found is not None
    return found


def begins(newest: str, eval: str, test: str) -> tuple[str, str]:  # noqa: A002 (as Splits calls it)
    first, second = Splits(by="when", eval=eval, test=test).dates(moment(newest))
    return iso_dates.written(first), iso_dates.written(second)


@pytest.mark.parametrize(
    ("newest", "eval", "test", "expected"),
    [
        ("2026-11-24T18:03", "2 days", "1 day", ("2026-11-22", "2026-11-24")),
        ("2026-11-24", "2 weeks", "4 weeks", ("2026-10-19", "2026-11-02")),  # Mondays; the 24th is a Tuesday
        ("2026-11-24", "1 month", "3 months", ("2026-08-01", "2026-09-01")),
        ("2026-01-31T23:59:59.999999", "2 months", "1 month", ("2025-11-01", "2026-01-01")),
        ("2026-11-24", "1 year", "2 years", ("2024-01-01", "2025-01-01")),
        ("2026-11-24T18:03", "6 hours", "2 hours", ("2026-11-24T11:00Z", "2026-11-24T17:00Z")),
        ("2026-11-24", "0 days", "7 days", ("2026-11-18", "2026-11-18")),
        ("1969-12-31T23:00", "1 day", "1 day", ("1969-12-30", "1969-12-31")),
        ("2026-11-24", "2026-09-01", "2026-10-01T06:00", ("2026-09-01", "2026-10-01T06:00Z")),
    ],
)
def test_when_eval_and_test_begin(newest: str, eval: str, test: str, expected: tuple[str, str]) -> None:  # noqa: A002
    assert begins(newest, eval, test) == expected


@pytest.mark.parametrize(
    ("eval", "test", "moved"), [("2 days", "3 days", 149), ("1 week", "2 weeks", 21), ("1 month", "1 month", 4)]
)
def test_while_days_are_added_no_row_that_judges_was_ever_learned_from(
    eval: str,  # noqa: A002
    test: str,
    moved: int,
) -> None:
    """A hundred and fifty days, each with a run at its end; rows of every hour."""
    splits, start = Splits(by="when", eval=eval, test=test), datetime(2026, 1, 1, tzinfo=UTC)
    hours = [moment((start + timedelta(hours=hour)).isoformat()) for hour in range(24 * 150)]
    before: list[int] = []
    learned_until, boundaries = 0, set()
    for day in range(1, 151):
        known = hours[: 24 * day]
        first, second = splits.dates(known[-1])
        boundaries.add((first, second))
        now = [(row >= first) + (row >= second) for row in known]
        # A row goes from test to eval to train, and never back.
        assert all(later <= earlier for earlier, later in zip(before, now, strict=False))
        # What judges today is newer than all that any earlier day's model learned from or was chosen by.
        judging = [row for row, split in zip(known, now, strict=True) if split == 2]
        assert min(judging) > learned_until
        learned_until = max([learned_until, *(row for row in known if row < second)])
        before = now
    assert len(boundaries) == moved + 1  # between these days, each row stays where it is


def test_dates_of_the_task_do_not_move() -> None:
    splits = Splits(by="when", eval="2026-09-01", test="2026-10-01")
    assert not splits.moves
    assert splits.dates(moment("2026-11-24")) == splits.dates(moment("2030-01-01"))


def test_which_splits_are_meant_to_have_rows() -> None:
    assert Splits().fills("eval")
    assert not Splits(train=0.8, eval=0.0, test=0.2).fills("eval")
    for empty in (("0 days", "7 days"), ("2026-09-01", "2026-09-01T00:00")):
        assert not Splits(by="when", eval=empty[0], test=empty[1]).fills("eval")
        assert Splits(by="when", eval=empty[0], test=empty[1]).fills("test")
    assert Splits(by="when", eval="1 day", test="1 day").fills("eval")


@pytest.mark.parametrize(
    "given",
    [
        {"by": "when"},
        {"by": "when", "eval": 0.1, "test": "4 weeks"},
        {"by": "when", "train": 0.7, "eval": "1 week", "test": "4 weeks"},
        {"eval": "1 week", "test": "4 weeks"},
        {"eval": "2026-09-01", "test": "2026-10-01"},
    ],
)
def test_shares_and_dates_together(given: dict) -> None:
    with pytest.raises(ValueError, match=r"split by shares or by a Date\. .* Splits\(by=\"when\", .* Received: by="):
        Splits(**given)


@pytest.mark.parametrize(
    ("eval", "test"),
    [
        ("2 weeks", "30 days"), ("2 weeks", "2026-10-01"), ("2026-10-02", "2026-10-01"), ("1 week", "0 weeks"),
        ("some days", "4 weeks"), ("2 weeks", "-4 weeks"), ("1.9.2026", "1.10.2026"), ("1 week", "1000 weeks"),
    ],
)  # fmt: skip
def test_dates_that_are_none(eval: str, test: str) -> None:  # noqa: A002
    with pytest.raises(ValueError, match=r"two lengths in one unit, .* or two dates in their order\. .* Received: by="):
        Splits(by="when", eval=eval, test=test)
