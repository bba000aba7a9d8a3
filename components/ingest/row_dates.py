"""For a split by time: how new the newest row is, before any row is split, and what becomes of rows without a date."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.reading.check_rows import Rows, check
from components.reading.source_rows import Source, part_batches
from tasks import Date


def newest(column: Date, part: Source) -> int | None:
    """The newest date of a part that can be read, in microseconds since 1970; nothing else of it is."""
    found: int | None = None
    for batch in part_batches(part, [column]):
        last = pc.max(check([column], None, batch).columns[column.name].cast(pa.int64())).as_py()
        found = last if found is None else max(found, found if last is None else last)
    return found


def dated(name: str, rows: Rows, batch: Any, latest: int | None) -> Rows:
    """The rows that have a date; RuntimeError if one is newer than all were when this was asked."""
    values = rows.columns[name].cast(pa.int64())
    last = pc.max(values).as_py()
    if latest is not None and last is not None and last > latest:
        raise RuntimeError("The data changed while they were read. Run again when nothing writes to them.")
    if not values.null_count:
        return rows
    keep = values.is_valid().to_numpy(zero_copy_only=False)
    at = np.searchsorted(batch.numbers, rows.numbers[~keep])
    reason = f"{name} is missing, by which rows are split"
    return rows.only(keep, [batch.set_aside(reason, at, lambda _: "")])
