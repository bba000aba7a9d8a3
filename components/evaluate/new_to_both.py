"""In a split by time: the test rows that are newer than all that the challenger or the champion learned from."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from transforms import iso_dates

# Fewer rows than these say nothing of either model.
FEWEST = 30
# The column of the predictions that holds a row's date, in seconds since 1970.
TIME = "time"


class Comparable(NamedTuple):
    """The rows to judge by, what the report should say of that, and why there may be none to compare on."""

    rows: pd.DataFrame
    facts: dict[str, Any]
    against: list[str]


def comparable(frame: pd.DataFrame, until: str) -> Comparable:
    """All test rows are newer than what the challenger learned from; the champion learned `until` this date."""
    moment = iso_dates.microseconds(until)
    if moment is None:
        return Comparable(frame, {}, [])
    newer = frame[frame[TIME] > moment / 1e6]
    if len(newer) >= FEWEST:
        return Comparable(newer, {"champion_until": until, "older_rows": len(frame) - len(newer)}, [])
    last, there = iso_dates.of_seconds(float(frame[TIME].max())), f"{len(newer)} of {FEWEST} that it takes"
    reason = (
        f"The serving model learned from rows up to {until}, and of the test rows, up to {last}, {there} are newer. So "
        "they cannot be compared. Run again with newer rows, or push the new one with --force REASON."
    )
    return Comparable(frame.drop(columns="champion"), {}, [reason])
