"""A raw column of dates to microseconds in UTC, null where missing, and what is wrong where."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.reading.raw_batch import is_bytes, is_text
from components.reading.single_values import Fault, shown
from transforms import iso_dates

UTC = pa.timestamp("us", "UTC")
MISSING = ("", "?", "na", "nan", "nat", "none", "null")


def dates(name: str, raw: pa.Array) -> tuple[pa.Array, list[Fault]]:
    kind = raw.type
    if pa.types.is_null(kind):
        return raw.cast(UTC), []
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return _stamps(name, raw)
    if is_text(kind) or is_bytes(kind):
        return _texts(name, raw.cast(pa.binary()))
    rows = np.flatnonzero(raw.is_valid())
    fault = Fault(f"{name} is no date (write {iso_dates.SUCH_AS})", rows, lambda at: f"{raw[at].as_py()!r:.40}")
    return pa.nulls(len(raw), UTC), [fault] if len(rows) else []


def _stamps(name: str, raw: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """What names no zone is taken as UTC; beyond microseconds, digits are dropped."""
    naive = raw.cast(pa.timestamp(raw.type.unit)) if pa.types.is_timestamp(raw.type) else raw.cast(pa.timestamp("s"))
    seconds = pc.cast(naive, pa.timestamp("s"), safe=False).cast(pa.int64()).fill_null(0).to_numpy()
    strange = (seconds < iso_dates.EARLIEST) | (seconds >= iso_dates.BEHIND)
    values = pc.cast(pc.if_else(pa.array(strange), None, naive), pa.timestamp("us"), safe=False).cast(UTC)
    reason = f"{name} is not in the years from 1000 to 9999"
    fault = Fault(reason, np.flatnonzero(strange), lambda at: f"{seconds[at]:,} seconds since 1970")
    return values, [fault] if strange.any() else []


def _texts(name: str, raw: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """Each distinct text is read once."""
    coded = raw.dictionary_encode()
    texts = [value.decode(errors="backslashreplace").strip() for value in coded.dictionary.to_pylist()]
    found = [iso_dates.microseconds(text) for text in texts]
    wrong = [at for at, text in enumerate(texts) if found[at] is None and text.lower() not in MISSING]
    values = pa.array(found, pa.int64()).cast(UTC).take(coded.indices)
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(np.isin(codes, wrong))
    reason = f"{name} is no ISO date or time (write {iso_dates.SUCH_AS})"
    return values, [Fault(reason, rows, lambda at: shown(texts[codes[at]]))] if len(rows) else []
