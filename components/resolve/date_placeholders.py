"""{date} and {previous_date} in the data of a run that comes again and again."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, available_timezones

from components.progress import say
from components.resolve import cron
from tasks import InputError

DATE, PREVIOUS = "{date}", "{previous_date}"
CATCHUP = "catchup"
SHIFT = re.compile(r"([+-])(\d\d):(\d\d)$")


def filled(data: str, *, scheduled: str, schedule: str, timezone: str, now: datetime | None = None) -> str:
    """The data of the day for which the run is: its scheduled day if it has one, else today."""
    if DATE not in data and PREVIOUS not in data:
        return data
    due = moment(scheduled, schedule, now or datetime.now(UTC))
    day = on_clock(due, timezone).date()
    done = data.replace(DATE, day.isoformat()).replace(PREVIOUS, (day - timedelta(days=1)).isoformat())
    say(f"the data of this run: {done}")
    return done


def moment(scheduled: str, schedule: str, now: datetime) -> datetime:
    """When the run was due.

    Kubeflow backends before mid-2026 leave the scheduled time empty or unfilled. Without catching up a run is always
    that of the newest time that has come due, which the schedule itself tells.
    """
    if scheduled and "{{" not in scheduled:
        try:
            found = datetime.fromisoformat(scheduled)
        except ValueError:
            raise InputError(f"The scheduled time must be in ISO 8601. Received: {scheduled!r}.") from None
        return found if found.tzinfo else found.replace(tzinfo=UTC)
    if schedule == CATCHUP:
        raise InputError(
            f"This Kubeflow backend does not say for when a run was scheduled, so {DATE} cannot be filled in one that "
            "may be catching up. Schedule it without --catchup, or upgrade the backend."
        )
    if not schedule:
        return now
    fields, _, where = schedule.rpartition(" ")
    return cron.parse(fields).before(now, zone(where))


def on_clock(due: datetime, timezone: str) -> datetime:
    """The moment as a clock shows it: of a zone, of a zone with a shift, or of this machine."""
    shift = SHIFT.search(timezone)
    if shift is None:
        return due.astimezone(zone(timezone) if timezone else None)
    minutes = int(shift[2]) * 60 + int(shift[3])
    return due.astimezone(zone(timezone[: shift.start()])) + timedelta(minutes=-minutes if shift[1] == "-" else minutes)


def shifted(name: str, minutes: int) -> str:
    """A clock that goes with a zone's, so many minutes ahead."""
    hours, rest = divmod(abs(minutes), 60)
    return f"{name}{'-' if minutes < 0 else '+'}{hours:02d}:{rest:02d}" if minutes else name


def zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"Expected a time zone by its IANA name, such as Europe/Berlin. Received: {name!r}.{_meant(name)}"
        ) from None


def _meant(name: str) -> str:
    """The zone that is spelled so in other letters, or whose city it is."""
    word = name.strip().lower().replace(" ", "_")
    close = [each for each in sorted(available_timezones()) if f"/{each.lower()}".endswith(f"/{word}")]
    close.sort(key=len)
    return f" Did you mean {close[0]!r}?" if word and close else ""
