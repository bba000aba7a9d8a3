"""Dates: what is written, what a served graph makes of it, and the calendar; held against Python's and pandas' own."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

from transforms import categories, dates, iso_dates

FORMS = [
    "2026-11-24", "2026-11-24T18:03", "2026-11-24 18:03:01", "2026-11-24T18:03:01.5Z", "2024-02-29",
    "2026-11-24T18:03:01.123456789+01:00", "1000-01-01", "9999-12-31T23:59:59.999999Z", "2024-02-29T00:00-0330",
    "1969-12-31T23:59:59.75-00:30", "2026-11-24T18:03+14", "1900-03-01", "1970-01-01",
]  # fmt: skip
NO_DATES = [
    "24.11.2026", "2026-13-01", "2026-02-30", "1900-02-29", "2026-11-24T24:00", "2026-11-24T18:60", "2026-11-24T",
    "2026-11-24T18:03+24:00", "20261124", "2026-W48-2", "1795000000", "today", "0999-01-01", "２０２６-11-24",
    "2026-11-24T18", "9999-12-31T23:59-01:00", "1000-01-01T00:00+01:00", "2026-11-24T18:03:00 Europe/Berlin",
]  # fmt: skip


def random_dates(count: int) -> list[str]:
    random = np.random.RandomState(4)
    made = []
    for _ in range(count):
        year, month, day = random.randint(1001, 9999), random.randint(1, 13), random.randint(1, 29)
        hour, minute, second, digits = (random.randint(0, end) for end in (24, 60, 60, 10))
        fraction = "." + "".join(map(str, random.randint(0, 10, digits))) if digits else ""
        zone = random.choice(["", "Z", "+05:30", "-0845", "+02", "-00:30"])
        made.append(f"{year}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}{zone}")
    return made


def stamps(*texts: str) -> tf.Tensor:
    return dates.seconds(tf.constant(texts))


def test_the_graph_reads_each_form_to_the_bit_as_python_does() -> None:
    texts = [*FORMS, *random_dates(2000)]
    expected = np.array([iso_dates.microseconds(text) for text in texts], np.int64)
    np.testing.assert_array_equal(stamps(*texts), expected / 1e6)
    aware = [datetime.fromisoformat(text) for text in FORMS]
    known = [(each if each.tzinfo else each.replace(tzinfo=UTC)).timestamp() for each in aware]
    np.testing.assert_allclose(stamps(*FORMS), known, rtol=0, atol=1e-4)


@pytest.mark.parametrize("text", NO_DATES)
def test_what_is_no_date_is_none_for_python_nor_for_the_graph(text: str) -> None:
    assert iso_dates.microseconds(text) is None
    with pytest.raises(tf.errors.InvalidArgumentError, match="when must be an ISO date or time, such as 2026-11-24"):
        dates.seconds(tf.constant(["2026-11-24", text]), "when")


def test_a_missing_date_and_blanks_around_one() -> None:
    assert np.isnan(stamps("", "  ").numpy()).all()
    assert stamps(" 1970-01-02 ").numpy().tolist() == [86_400.0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("2026-11-24T00:00:00Z", "2026-11-24"), ("2026-11-24T18:03:00+01:00", "2026-11-24T17:03Z"),
        ("2026-11-24 18:03:01", "2026-11-24T18:03:01Z"), ("2026-11-24T18:03:01.250", "2026-11-24T18:03:01.25Z"),
        ("1969-12-31T23:59:59.999999", "1969-12-31T23:59:59.999999Z"),
    ],
)  # fmt: skip
def test_the_same_moment_is_always_written_the_same(given: str, expected: str) -> None:
    moment = iso_dates.microseconds(given)
    assert moment is not None
    assert iso_dates.written(moment) == expected
    assert iso_dates.microseconds(expected) == moment


def test_seconds_keep_a_second_where_32_bits_keep_two_minutes() -> None:
    one, other = stamps("2026-11-24T18:03:00", "2026-11-24T18:03:01").numpy()
    assert other - one == 1.0
    assert np.float32(one) == np.float32(other)


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin", "Asia/Kathmandu", "Africa/Casablanca"])
def test_parts_are_those_of_the_zone_s_clock(zone: str) -> None:
    moments = np.random.RandomState(1).randint(-2_000_000_000, 4_000_000_000, 3000).astype(float)
    local = pd.to_datetime(moments, unit="s", utc=True).tz_convert(ZoneInfo(zone))
    known = {"hour": local.hour, "weekday": local.day_of_week, "day": local.day, "month": local.month}
    for name, expected in known.items():
        np.testing.assert_array_equal(dates.part(tf.constant(moments, tf.float64), name, zone), expected)


def test_an_hour_that_comes_twice() -> None:
    autumn = stamps("2026-10-25T00:30Z", "2026-10-25T01:30Z", "2026-10-25T02:30Z")
    assert dates.part(autumn, "hour", "Europe/Berlin").numpy().tolist() == [2, 2, 3]


def test_the_calendar_is_a_circle() -> None:
    new_year = dates.calendar(stamps("2026-12-01", "2027-01-01", "2026-07-01"), ["month"]).numpy()
    december, january, july = new_year
    assert np.linalg.norm(december - january) < 0.6 < 1.9 < np.linalg.norm(january - july)
    np.testing.assert_allclose(january, [0, 1], atol=1e-6)
    six = dates.calendar(stamps("2026-11-24T06:00", "2026-11-23"), ("hour", "weekday")).numpy()
    np.testing.assert_allclose(six[0], [1, 0, np.sin(2 * np.pi / 7), np.cos(2 * np.pi / 7)], atol=1e-6)
    np.testing.assert_allclose(six[1], [0, 1, 0, 1], atol=1e-6)  # a Monday at midnight
    half_past = dates.calendar(stamps("2026-11-24T06:30"), ["hour"]).numpy()[0]
    assert half_past[1] < -0.1  # minutes count


def test_what_is_missing_has_no_place_in_the_calendar() -> None:
    missing = stamps("")
    assert dates.calendar(missing).numpy().tolist() == [[0.0] * 6]
    assert dates.part(missing, "weekday").numpy().tolist() == [-1]
    assert np.isnan(dates.days_since(missing, "2020-01-01").numpy()).all()
    weekday = categories.one_hot(dates.part(stamps("", "2026-11-24"), "weekday"), range(7))
    assert weekday.numpy().tolist() == [[0] * 7, [0, 1, 0, 0, 0, 0, 0]]


def test_days_since_a_date() -> None:
    days = dates.days_since(stamps("2020-01-02T12:00", "2019-12-31"), "2020-01-01")
    assert days.dtype == tf.float32
    assert days.numpy().tolist() == [1.5, -1.0]


WRONG = [
    (lambda s: dates.days_since(s, "1.1.2020"), r"counts from an ISO date, .* Received: '1\.1\.2020'\."),
    (lambda s: dates.calendar(s, "hour"), r"parts are among hour, weekday, day, month\. Received: 'hour'\."),
    (lambda s: dates.calendar(s, ["minute"]), r"among hour, weekday, day, month\. Received: \['minute'\]\."),
    (lambda s: dates.calendar(s, []), r"Received: \[\]\."),
    (lambda s: dates.part(s, "year"), r"Received: \['year'\]\."),
    (lambda s: dates.part(s, "hour", "Berlin"), r"IANA name, such as 'Europe/Berlin'\. Received: 'Berlin'\."),
]


@pytest.mark.parametrize(("use", "sentence"), WRONG)
def test_what_the_calendar_does_not_have(use, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        use(stamps("2026-11-24"))
