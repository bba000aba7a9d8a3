"""What a date may be written as, in ISO 8601, for whoever reads it with or without TensorFlow."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

# A day, or a day and a time with or without a zone; beyond microseconds, digits are dropped. No year before 1000.
FORM = (
    r"[1-9]\d{3}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])"
    r"(?:[T ](?:[01]\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d{1,9})?)?(?:Z|[+-](?:[01]\d|2[0-3])(?::?[0-5]\d)?)?)?"
)
SUCH_AS = "2026-11-24, 2026-11-24T18:03 or 2026-11-24T18:03:00+01:00"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, BEHIND = -30_610_224_000, 253_402_300_800  # seconds: the years from 1000 to 9999
_WRITTEN = re.compile(FORM, re.ASCII)
_MICROSECOND = timedelta(microseconds=1)


def microseconds(text: str) -> int | None:
    """Since 1970 in UTC, which is also the zone of a text without one; None if it is no date."""
    if not _WRITTEN.fullmatch(text):
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:  # a day that its month does not have
        return None
    count = ((found if found.tzinfo else found.replace(tzinfo=UTC)) - EPOCH) // _MICROSECOND
    return count if EARLIEST * 10**6 <= count < BEHIND * 10**6 else None


def of_seconds(seconds: float) -> str:
    """As `written`; what a float64 rounds up behind the last year is its last moment."""
    return written(min(round(seconds * 10**6), BEHIND * 10**6 - 1))


def written(microseconds: int) -> str:
    """The shortest form: a day, a time to the minute or the second, or with its fraction; in UTC."""
    found = EPOCH + microseconds * _MICROSECOND
    if not microseconds % (86_400 * 10**6):
        return found.date().isoformat()
    digits = found.isoformat(timespec="auto").removesuffix("+00:00")
    return f"{digits.rstrip('0') if found.microsecond else digits.removesuffix(':00')}Z"
