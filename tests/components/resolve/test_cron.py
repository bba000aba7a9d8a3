"""Cron expressions on calendars and clocks with all their oddities."""

from __future__ import annotations

import itertools
import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from components.resolve import cron, date_placeholders
from pipelines.kubeflow import time_zones
from tasks import InputError

BERLIN, UTC_ZONE = ZoneInfo("Europe/Berlin"), ZoneInfo("UTC")


def at(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def times(text: str, start: str, count: int, zone: str = "UTC") -> list[str]:
    coming = itertools.islice(cron.parse(text).after(at(start), ZoneInfo(zone)), count)
    return [due.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S%z").removesuffix("+0000") for due in coming]


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("0 3 * * *", "2026-02-27 03:00", ["2026-02-28 03:00:00", "2026-03-01 03:00:00"]),
        ("0 3 * * *", "2028-02-27 04:00", ["2028-02-28 03:00:00", "2028-02-29 03:00:00"]),
        ("0 0 31 * *", "2026-01-31 00:00", ["2026-03-31 00:00:00", "2026-05-31 00:00:00"]),
        ("0 0 29 2 *", "2096-03-01", ["2104-02-29 00:00:00", "2108-02-29 00:00:00"]),  # 2100 is no leap year
        ("*/20 8 * * mon", "2026-11-20", ["2026-11-23 08:00:00", "2026-11-23 08:20:00"]),
        ("0 0 * * 7", "2026-11-20", ["2026-11-22 00:00:00", "2026-11-29 00:00:00"]),
        ("0 0 * * 5-7", "2026-11-20 00:00", ["2026-11-21 00:00:00", "2026-11-22 00:00:00"]),
        ("0 0 13 * 5", "2026-11-12", ["2026-11-13 00:00:00", "2026-11-20 00:00:00"]),  # the 13th, and every Friday
        ("0 0 13 * *", "2026-11-20", ["2026-12-13 00:00:00", "2027-01-13 00:00:00"]),
        ("0 0 */10 * 0", "2026-11-01 00:00", ["2027-01-31 00:00:00", "2027-02-21 00:00:00"]),  # a star: both must hold
        ("30 0 12 * * ?", "2026-12-31 13:00", ["2027-01-01 12:00:30", "2027-01-02 12:00:30"]),
        ("0 0 1 JAN,jul *", "2026-02-01", ["2026-07-01 00:00:00", "2027-01-01 00:00:00"]),
        ("@monthly", "2026-11-20", ["2026-12-01 00:00:00", "2027-01-01 00:00:00"]),
        ("5/20 * * * *", "2026-11-20 00:30", ["2026-11-20 00:45:00", "2026-11-20 01:05:00"]),
    ],
)
def test_the_coming_times(text: str, start: str, expected: list[str]) -> None:
    assert times(text, start, 2) == expected


def test_the_hour_that_a_clock_skips() -> None:
    found = times("30 2 * * *", "2026-03-27 12:00+01:00", 2, "Europe/Berlin")
    assert found == ["2026-03-28 02:30:00+0100", "2026-03-30 02:30:00+0200"]


def test_the_hour_that_a_clock_repeats() -> None:
    found = times("30 2 * * *", "2026-10-24 12:00+02:00", 3, "Europe/Berlin")
    assert found == ["2026-10-25 02:30:00+0200", "2026-10-25 02:30:00+0100", "2026-10-26 02:30:00+0100"]


def test_the_last_time() -> None:
    daily = cron.parse("0 3 * * *")
    assert daily.before(at("2026-03-01 02:59"), UTC_ZONE) == at("2026-02-28 03:00")
    assert daily.before(at("2026-03-01 03:00"), UTC_ZONE) == at("2026-03-01 03:00")


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("0 3 * * *", "0 0 3 * * *"),
        ("15 0 3 * * *", "15 0 3 * * *"),
        ("*/15 9-17 * * mon-fri", "0 */15 9-17 * * 1-5"),
        ("0 0 * * 5-7", "0 0 0 * * 0,5,6"),
        ("0 0 ? * ?", "0 0 0 * * *"),
        ("0 0 */2 * 1", "0 0 0 */2 * 1"),
        ("0 0 1,2,3,10 * *", "0 0 0 1-3,10 * *"),
        ("@weekly", "0 0 0 * * 0"),
    ],
)
def test_kubeflow_gets_six_fields(text: str, written: str) -> None:
    """Of five, its scheduler takes the first for seconds: 0 3 * * * would come every hour at three minutes past."""
    assert str(cron.parse(text)) == written
    start = at("2026-11-20 10:11:12")
    pairs = zip(cron.parse(text).after(start, BERLIN), cron.parse(written).after(start, BERLIN), strict=False)
    assert all(one == other for one, other in itertools.islice(pairs, 50))


@pytest.mark.parametrize(
    "text",
    ["", "0 3 * *", "0 3 * * * * *", "60 3 * * *", "0 24 * * *", "0 3 0 * *", "0 3 * 13 *", "0 3 * * 8", "0 3 L * *",
     "0 3 * * mon#2", "0 5-3 * * *", "*/0 * * * *", "0 3 * foo *", "0 3,, * * *", "-1 * * * *",
     "*-5 * * * *", "@never"],
)  # fmt: skip
def test_what_is_no_schedule(text: str) -> None:
    with pytest.raises(InputError, match="schedule"):
        cron.parse(text)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("0 5-1 * * *", "goes upwards. Expected 5-23,0-1 to go past the end, or 1-5. Received: '5-1' in '0 5-1 * * *'"),
        ("0 3 * * fri-mon", "Expected 5-7,0-1 to go past the end"),
        ("*/0 * * * *", "A step in a schedule is 1 or more, such as */5. Received: '*/0'"),
        ("H 3 * * *", "A schedule has no H, which only Jenkins knows. Expected a minute of your own. Received: 'H'"),
        ("H/15 * * * *", "only Jenkins knows"),
        ("H(0-29) * * * *", "only Jenkins knows"),
        ("0 3 L * *", "A schedule has no L, W or #"),
        ("0 3 15W * *", "A schedule has no L, W or #"),
        ("0 3 * * 5L", "A schedule has no L, W or #"),
        ("0 3 * * mon#2", "A schedule has no L, W or #"),
        ("0 3 * foo *", "The month of a schedule goes from 1 to 12, or jan to dec. Received: 'foo'"),
    ],
)
def test_what_is_wrong_with_it(text: str, words: str) -> None:
    with pytest.raises(InputError, match=re.escape(words)):
        cron.parse(text)


@pytest.mark.parametrize(
    ("name", "end"),
    [("europe/berlin", " Did you mean 'Europe/Berlin'?"), ("Berlin", " Did you mean 'Europe/Berlin'?"),
     ("new york", " Did you mean 'America/New_York'?"), ("utc", " Did you mean 'UTC'?"), ("Nowhere/X", "'Nowhere/X'."),
     ("", "''.")],
)  # fmt: skip
def test_the_zone_that_was_meant(name: str, end: str) -> None:
    with pytest.raises(InputError, match=re.escape(end) + "$"):
        date_placeholders.zone(name)


def test_a_day_that_never_comes() -> None:
    with pytest.raises(InputError, match="never comes due"):
        next(cron.parse("0 0 30 2 *").after(at("2026-01-01"), UTC_ZONE))


@pytest.mark.parametrize(
    ("text", "minutes", "moved"),
    [
        ("0 3 * * *", -60, "0 0 2 * * *"),
        ("0 3 * * *", 0, "0 0 3 * * *"),
        ("30 0 * * *", -60, "0 30 23 * * *"),
        ("30 0 * * 1", -60, "0 30 23 * * 0"),
        ("0 23 * * sat", 120, "0 0 1 * * 0"),
        ("0 3 * * *", -330, "0 30 21 * * *"),  # India
        ("*/30 * * * *", 345, "0 15,45 * * * *"),  # Nepal
        ("0 3 1 * *", -60, "0 0 2 1 * *"),
        ("0 9-17 * * 1-5", 60, "0 0 10-18 * * 1-5"),
        ("0 */6 * * *", -60, "0 0 5,11,17,23 * * *"),
    ],
)
def test_the_same_times_on_another_clock(text: str, minutes: int, moved: str) -> None:
    given = cron.parse(text)
    found = time_zones.moved(given, minutes)
    assert str(found) == moved
    start = at("2026-11-20 10:11")
    there = found.after(start + timedelta(minutes=minutes), UTC_ZONE)
    for here, due in itertools.islice(zip(given.after(start, UTC_ZONE), there, strict=False), 40):
        assert here + timedelta(minutes=minutes) == due


@pytest.mark.parametrize(
    ("text", "minutes"),
    [("0 0 1 * *", -60), ("0 23 31 * *", 60), ("0 0 * 1 *", -60), ("0 0,12 * * 1", -60), ("15,45 3 * * *", 30)],
)
def test_times_that_another_clock_cannot_say(text: str, minutes: int) -> None:
    with pytest.raises(InputError, match="which one cron expression cannot say"):
        time_zones.moved(cron.parse(text), minutes)


def test_when_two_clocks_change_against_each_other() -> None:
    change = time_zones.next_change(at("2026-11-20"), UTC_ZONE, BERLIN)
    assert change is not None
    assert change.date().isoformat() == "2027-03-29"
    assert time_zones.ahead(at("2026-11-20"), UTC_ZONE, BERLIN) == -60
    assert time_zones.next_change(at("2026-11-20"), UTC_ZONE, ZoneInfo("Asia/Tokyo")) is None
    assert time_zones.next_change(at("2026-11-20"), ZoneInfo("Europe/Paris"), BERLIN) is None


PLACE = "s3://raw/day={date}/*.csv"
UNFILLED = "{{$.pipeline_job_schedule_time_utc}}"


@pytest.mark.parametrize(
    ("scheduled", "schedule", "timezone", "now", "day"),
    [
        ("2026-03-01T03:00:00Z", "", "UTC", "2026-03-05", "2026-03-01"),
        ("2026-02-28T23:30:00+00:00", "", "Europe/Berlin", "2026-03-05", "2026-03-01"),
        ("2026-02-28T23:30:00", "", "America/New_York", "2026-03-05", "2026-02-28"),
        ("", "", "UTC", "2026-03-01 00:00:01", "2026-03-01"),
        (UNFILLED, "", "UTC", "2026-03-01 12:00", "2026-03-01"),
        # An older backend, and a run that had to wait past midnight for the one before it.
        ("", "0 0 23 * * * UTC", "UTC", "2026-03-02 00:30", "2026-03-01"),
        (UNFILLED, "0 0 2 * * * UTC", "Europe/Berlin", "2026-03-01 01:59", "2026-02-28"),
        (UNFILLED, "0 30 22 * * * UTC", "Europe/Berlin", "2026-06-30 22:31", "2026-07-01"),
        ("2026-03-01T03:00:00Z", "catchup", "UTC", "2026-03-05", "2026-03-01"),
    ],
)
def test_the_date_is_that_of_the_schedule(scheduled: str, schedule: str, timezone: str, now: str, day: str) -> None:
    found = date_placeholders.filled(PLACE, scheduled=scheduled, schedule=schedule, timezone=timezone, now=at(now))
    assert found == f"s3://raw/day={day}/*.csv"


def test_the_day_before() -> None:
    place = "{previous_date}/{date}.csv"
    found = date_placeholders.filled(place, scheduled="2028-03-01T00:00:00Z", schedule="", timezone="UTC")
    assert found == "2028-02-29/2028-03-01.csv"


def test_data_without_a_date_stays_as_it_is() -> None:
    assert (
        date_placeholders.filled("a{b}.csv", scheduled="nonsense", schedule="catchup", timezone="Nowhere") == "a{b}.csv"
    )


@pytest.mark.parametrize(
    ("scheduled", "schedule", "timezone", "words"),
    [
        ("yesterday", "", "UTC", "ISO 8601"),
        ("", "catchup", "UTC", "does not say for when a run was scheduled"),
        ("", "", "Berlin", "IANA name"),
        ("", "", "../etc/passwd", "IANA name"),
    ],
)
def test_a_date_that_cannot_be_known(scheduled: str, schedule: str, timezone: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        date_placeholders.filled(PLACE, scheduled=scheduled, schedule=schedule, timezone=timezone)


@pytest.mark.parametrize(
    ("fields", "made", "here", "there"),
    [
        ("30 23 * * *", "2027-01-10T12:00Z", "Europe/Berlin", "UTC"),
        ("30 0 * * *", "2027-07-10T12:00Z", "Europe/Berlin", "UTC"),
        ("30 0 * * *", "2027-01-10T12:00Z", "Europe/Berlin", "Europe/Berlin"),
        ("15 22 * * *", "2027-01-10T12:00Z", "America/New_York", "Europe/Berlin"),
        ("0 1 * * *", "2027-01-10T12:00Z", "Asia/Kathmandu", "America/New_York"),
    ],
)
def test_through_a_year_each_day_has_its_run_and_no_day_two(fields: str, made: str, here: str, there: str) -> None:
    moment, server = datetime.fromisoformat(made), date_placeholders.zone(there)
    minutes = time_zones.ahead(moment, date_placeholders.zone(here), server)
    schedule, clock = time_zones.moved(cron.parse(fields), -minutes), date_placeholders.shifted(there, minutes)
    due = itertools.islice(schedule.after(moment, server), 366)
    days = [
        date.fromisoformat(date_placeholders.filled("{date}", scheduled="", schedule="", timezone=clock, now=at))
        for at in due
    ]
    assert {later - day for day, later in itertools.pairwise(days)} == {timedelta(days=1)}
