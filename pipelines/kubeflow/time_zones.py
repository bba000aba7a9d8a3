"""The same times on another zone's clock: Kubeflow's scheduler knows one zone, which is its server's."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta, tzinfo

from components.resolve.cron import Cron, field
from tasks import InputError

DAY = 24 * 60
YEAR = 366


def ahead(moment: datetime, there: tzinfo, here: tzinfo) -> int:
    """By how many minutes the clock there is ahead of the clock here."""
    difference = (moment.astimezone(there).utcoffset() or timedelta()) - (
        moment.astimezone(here).utcoffset() or timedelta()
    )
    return int(difference.total_seconds()) // 60


def next_change(moment: datetime, there: tzinfo, here: tzinfo) -> datetime | None:
    """When the two clocks will stand otherwise to each other, to the day; nothing within a year."""
    now = ahead(moment, there, here)
    days = (moment + timedelta(days=n) for n in range(1, YEAR))
    return next((day for day in days if ahead(day, there, here) != now), None)


def moved(given: Cron, minutes: int) -> Cron:
    """What this schedule is on a clock that is so many minutes ahead."""
    if minutes == 0:
        return given
    shifted = [divmod(h * 60 + m + minutes, DAY) for h, m in itertools.product(given.hour.values, given.minute.values)]
    clock = {divmod(rest, 60) for _, rest in shifted}
    hours, past = frozenset(hour for hour, _ in clock), frozenset(minute for _, minute in clock)
    if clock != set(itertools.product(hours, past)):
        raise _inexpressible(given)
    found = replace(given, hour=field("hour", hours), minute=field("minute", past))
    days = {day for day, _ in shifted}
    any_date = len(given.day.values) == 31 and len(given.month.values) == 12
    if days == {0} or (any_date and len(given.weekday.values) == 7):
        return found
    if len(days) > 1 or not any_date:
        raise _inexpressible(given)
    (day,) = days
    return replace(found, weekday=field("weekday", frozenset((value + day) % 7 for value in given.weekday.values)))


def _inexpressible(given: Cron) -> InputError:
    return InputError(
        f"The schedule {str(given)!r} falls on other days on the server's clock, which one cron expression cannot say. "
        "Expected times that stay on one day there; or give the times of the server's own zone, or several schedules."
    )
