"""Dates as a model takes them: days since a day, and places in the calendar as sine and cosine.

Seconds are float64: in 32 bits, those of our days would be of two minutes.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import tensorflow as tf

from transforms import iso_dates

DAY = 86_400
CLOCK = r"^(....)-(..)-(..)(?:.(..):(..)(?::(..)(?:\.(\d+))?)?)?.*$"
ZONE = r"^.{10}[^Z+-]*(?:Z|(?:\+|(-))(\d\d):?(\d\d)?)?$"
# What a zone's clocks do is known for these years; outside of them they stay as they are at the ends.
FIRST, LAST = 1900, 2100
# No clock was changed twice within so short a time.
STEP = 3 * DAY


def seconds(text: tf.Tensor, name: str = "A date") -> tf.Tensor:
    """ISO dates and times [b] as seconds since 1970 in UTC, float64; NaN for "". What is no date is an error."""
    text = tf.strings.strip(text)
    missing, formed = text == "", tf.strings.regex_full_match(text, iso_dates.FORM)
    held = tf.where(formed, text, "1970-01-01")
    fields = _numbers(held, CLOCK, r"0\1 0\2 0\3 0\4 0\5 0\6 0.\70", 7)
    year, month, day, hour, minute, second = tf.unstack(tf.cast(fields[:6], tf.int64))
    sign, hours, minutes = tf.unstack(tf.cast(_numbers(held, ZONE, r"\11 0\2 0\3", 3), tf.int64))
    whole = _days(year, month, day) * DAY + (hour * 60 + minute - sign * (hours * 60 + minutes)) * 60 + second
    microseconds = whole * 10**6 + tf.cast(tf.round(fields[6] * 1e9), tf.int64) // 1000
    known = (_civil(_days(year, month, day))[1] == month) & (whole >= iso_dates.EARLIEST) & (whole < iso_dates.BEHIND)
    wrong = ~(missing | (formed & known))
    said = f"{name} must be an ISO date or time, such as {iso_dates.SUCH_AS}. Received:"
    with tf.control_dependencies([tf.debugging.Assert(~tf.reduce_any(wrong), [said, tf.boolean_mask(text, wrong)])]):
        return tf.where(missing, tf.constant(math.nan, tf.float64), tf.cast(microseconds, tf.float64) / 1e6)


def days_since(seconds: tf.Tensor, date: str) -> tf.Tensor:
    """Seconds [b] as days since this date, with their fraction, float32; NaN where it is missing.

    `scaling.z_score` takes it as a number. A model extrapolates along it: the days to come are beyond all it has seen.
    """
    start = iso_dates.microseconds(date)
    if start is None:
        raise ValueError(f"days_since counts from an ISO date, such as '2020-01-01'. Received: {date!r}.")
    return tf.cast((seconds - start / 1e6) / DAY, tf.float32)


def calendar(seconds: tf.Tensor, parts: Sequence[str] = ("month", "weekday", "hour"), zone: str = "UTC") -> tf.Tensor:
    """Seconds [b] as [b, 2 * parts]: where in its cycle each part stands, as sine and cosine; 0 and 0 if missing.

    So December lies beside January. "hour" is the time of day with its minutes and seconds; "weekday" (from Monday),
    "day" (of the month) and "month" go in steps. `zone` is whose clock is meant, such as "Europe/Berlin".
    """
    shares = [tf.cast(number - first, tf.float64) / length for number, first, length in _parts(seconds, parts, zone)]
    angles = 2 * math.pi * tf.stack(shares, axis=1)
    waves = tf.reshape(tf.stack([tf.sin(angles), tf.cos(angles)], axis=2), [-1, 2 * len(parts)])
    return tf.cast(tf.where(tf.math.is_nan(seconds)[:, tf.newaxis], tf.zeros_like(waves), waves), tf.float32)


def part(seconds: tf.Tensor, name: str, zone: str = "UTC") -> tf.Tensor:
    """Seconds [b] as the number of the hour, day or month, or of the weekday (0 is Monday), int64; -1 if missing.

    `categories.one_hot(dates.part(when, "weekday"), range(7))` gives each weekday a column of its own.
    """
    ((number, _, _),) = _parts(seconds, [name], zone)
    return tf.where(tf.math.is_nan(seconds), tf.constant(-1, tf.int64), tf.cast(tf.floor(number), tf.int64))


def _parts(seconds: tf.Tensor, names: Sequence[str], zone: str) -> list[tuple[tf.Tensor, int, int]]:
    """Of each part its number, the first there is, and how many there are."""
    if isinstance(names, str) or not names or not set(names) <= set(PARTS):
        raise ValueError(f"The calendar's parts are among {', '.join(PARTS)}. Received: {names!r}.")
    present = tf.where(tf.math.is_nan(seconds), tf.zeros_like(seconds), seconds)
    local = present + _offset(present, zone)
    days = tf.cast(tf.floor(local / DAY), tf.int64)
    within = local - tf.cast(days, tf.float64) * DAY
    return [(number(days, within), first, length) for number, first, length in map(PARTS.__getitem__, names)]


PARTS: dict[str, tuple[Callable[[tf.Tensor, tf.Tensor], tf.Tensor], int, int]] = {
    "hour": (lambda days, within: within / 3600, 0, 24),
    "weekday": (lambda days, within: tf.cast((days + 3) % 7, tf.float64), 0, 7),
    "day": (lambda days, within: tf.cast(_civil(days)[2], tf.float64), 1, 31),
    "month": (lambda days, within: tf.cast(_civil(days)[1], tf.float64), 1, 12),
}


def _days(year: tf.Tensor, month: tf.Tensor, day: tf.Tensor) -> tf.Tensor:
    """Days since 1970 in the Gregorian calendar; years begin in March here, so that the leap day is their last."""
    year -= tf.cast(month <= 2, tf.int64)
    in_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    return year * 365 + year // 4 - year // 100 + year // 400 + in_year - 719_468


def _civil(days: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Year, month and day of days since 1970."""
    era, in_era = (days + 719_468) // 146_097, (days + 719_468) % 146_097
    years = (in_era - in_era // 1460 + in_era // 36_524 - in_era // 146_096) // 365
    in_year = in_era - (365 * years + years // 4 - years // 100)
    at = (5 * in_year + 2) // 153
    month = (at + 2) % 12 + 1
    return era * 400 + years + tf.cast(month <= 2, tf.int64), month, in_year - (153 * at + 2) // 5 + 1


def _numbers(text: tf.Tensor, pattern: str, rewritten: str, count: int) -> tf.Tensor:
    """The numbers [count, b] in each text, as a pattern finds them."""
    found = tf.strings.split(tf.strings.regex_replace(text, pattern, rewritten), " ")
    return tf.transpose(tf.strings.to_number(found.to_tensor(shape=[None, count]), tf.float64))


def _offset(seconds: tf.Tensor, zone: str) -> tf.Tensor:
    """How far the zone's clock is ahead of UTC then."""
    if zone == "UTC":
        return tf.zeros_like(seconds)
    starts, offsets = _changes(zone)
    at = tf.searchsorted(tf.constant(starts, tf.float64), seconds, side="right")
    return tf.gather(tf.constant(offsets, tf.float64), at)


@functools.cache
def _changes(zone: str) -> tuple[list[float], list[float]]:
    """When a zone's clock was changed, and its offset before the first change and after each."""
    try:
        clock = ZoneInfo(zone)
    except (KeyError, ValueError, OSError):
        raise ValueError(
            f"Expected a time zone by its IANA name, such as 'Europe/Berlin'. Received: {zone!r}."
        ) from None

    def ahead(second: int) -> float:
        offset = (iso_dates.EPOCH + timedelta(seconds=second)).astimezone(clock).utcoffset()
        return offset.total_seconds() if offset else 0.0

    first, last = (int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) for year in (FIRST, LAST))
    starts, offsets, before = [], [ahead(first)], first
    for second in range(first + STEP, last, STEP):
        if (now := ahead(second)) != offsets[-1]:
            low, high = before, second
            while high - low > 1:
                middle = (low + high) // 2
                low, high = (middle, high) if ahead(middle) == offsets[-1] else (low, middle)
            starts.append(float(high))
            offsets.append(now)
        before = second
    return starts, offsets
