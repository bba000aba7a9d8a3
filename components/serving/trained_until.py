"""How new the rows were from which a version learned: it is judged only by rows that are newer."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from components.serving import versions
from transforms import iso_dates

# In the provenance: the column by which rows were split, and the newest date that was learned from.
FIELD = "trained_until"


def of_rows(statistics: Mapping[str, Any], column: str) -> str:
    """The newest date in train and eval, as ISO 8601; "" if the statistics do not tell."""
    found = statistics.get("columns", {}).get(column, {})
    return latest(*(str(found.get(split, {}).get("last", "")) for split in ("train", "eval")))


def of_version(version: versions.Version, column: str) -> str:
    """As its provenance says; of one whose rows were split by their content, as its statistics do."""
    known = version.provenance.get(FIELD, {})
    if column in known:
        return str(known[column])
    return of_rows(versions.paper(version, "statistics.json") or {}, column)


def latest(*dates: str) -> str:
    """The newest of these; what is no date counts for nothing."""

    def moment(date: str) -> float:
        found = iso_dates.microseconds(date)
        return -math.inf if found is None else found

    return max(dates, key=moment, default="")
