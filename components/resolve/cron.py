"""Cron expressions: what they mean, when they come due, and how Kubeflow's scheduler wants them written."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from tasks import InputError

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
NAMES = {
    "month": {name: number for number, name in enumerate(MONTHS, 1)},
    "weekday": {name: number for number, name in enumerate(WEEKDAYS)},
}
LIMITS = {"second": (0, 59), "minute": (0, 59), "hour": (0, 23), "day": (1, 31), "month": (1, 12), "weekday": (0, 7)}
WORDS = {
    "@hourly": "0 * * * *", "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *", "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *",
}  # fmt: skip
PIECE = re.compile(r"(\*|\?|\w+)(?:-(\w+))?(?:/(\d+))?")
# What other schedulers know besides.
JENKINS = re.compile(r"h(\(.*)?", re.IGNORECASE)
QUARTZ = re.compile(r"\w*#\w*|\d*[lw]|lw|(" + "|".join(WEEKDAYS) + ")l", re.IGNORECASE)
# Two leap days can be eight years apart: 1896 and 1904, 2096 and 2104.
HORIZON = 8 * 366


@dataclass(frozen=True)
class Field:
    """The values that one field allows, and whether it was left open with a star."""

    values: frozenset[int]
    star: bool
    text: str


@dataclass(frozen=True, kw_only=True)
class Cron:
    """When something is to happen, on the clock of some zone."""

    second: Field
    minute: Field
    hour: Field
    day: Field
    month: Field
    weekday: Field

    def __str__(self) -> str:
        """Six fields, as Kubeflow's scheduler reads them: given five, it takes the first for seconds."""
        return " ".join(_written(name, getattr(self, name)) for name in LIMITS)

    def after(self, moment: datetime, zone: tzinfo) -> Iterator[datetime]:
        """The coming times on that zone's clock, in UTC. An hour that the clock skips has none, one it repeats two."""
        return self._search(moment, zone, 1)

    def before(self, moment: datetime, zone: tzinfo) -> datetime:
        """The last time up to this moment, in UTC."""
        return next(self._search(moment, zone, -1))

    def _search(self, moment: datetime, zone: tzinfo, step: int) -> Iterator[datetime]:
        day, fruitless = moment.astimezone(zone).date(), 0
        while fruitless < HORIZON:
            for due in self._on(day, zone)[::step]:
                if due > moment if step > 0 else due <= moment:
                    fruitless = 0
                    yield due
            day, fruitless = day + timedelta(days=step), fruitless + 1
        raise InputError(f"The schedule {str(self)!r} never comes due: there is no such day.")

    def _on(self, day: date, zone: tzinfo) -> list[datetime]:
        """The times of one day."""
        if not self._is_due(day):
            return []
        clock = itertools.product(self.hour.values, self.minute.values, self.second.values, (0, 1))
        local = [datetime(day.year, day.month, day.day, h, m, s, tzinfo=zone, fold=fold) for h, m, s, fold in clock]
        shown = {time.astimezone(UTC): time.replace(tzinfo=None, fold=0) for time in local}
        return sorted(due for due, time in shown.items() if due.astimezone(zone).replace(tzinfo=None, fold=0) == time)

    def _is_due(self, day: date) -> bool:
        """Where both the day of the month and that of the week are restricted, either will do."""
        by_month, by_week = day.day in self.day.values, day.isoweekday() % 7 in self.weekday.values
        either = not (self.day.star or self.weekday.star)
        return day.month in self.month.values and (by_month or by_week if either else by_month and by_week)


def parse(text: str) -> Cron:
    """Five fields as in a crontab, or six with the second first as Kubeflow has them, or a word such as @daily."""
    words = WORDS.get(text.strip().lower(), text).split()
    if len(words) == 5:
        words.insert(0, "0")
    if len(words) != 6:
        raise InputError(
            f"A schedule has five fields (minute, hour, day, month, weekday), or six with the second first, such as "
            f"'0 3 * * *'. Received: {text!r}."
        )
    return Cron(**{name: _field(name, word, text) for name, word in zip(LIMITS, words, strict=True)})


def field(name: str, values: frozenset[int]) -> Field:
    """A field of these values."""
    low, high = LIMITS[name] if name != "weekday" else (0, 6)
    return Field(values, len(values) == high - low + 1, "")


def _field(name: str, word: str, whole: str) -> Field:
    values: set[int] = set()
    for piece in word.split(","):
        values.update(_piece(name, piece, whole))
    if name == "weekday":
        values = {value % 7 for value in values}
    return Field(frozenset(values), word[0] in "*?", word)


def _piece(name: str, piece: str, whole: str) -> range:
    low, high = LIMITS[name]
    match = PIECE.fullmatch(piece)
    if match is None:
        raise _wrong(name, piece, whole)
    first, last, step = match.groups()
    if first in "*?":
        start, end = low, 6 if name == "weekday" else high
    else:
        start = _number(name, first, whole)
        end = _number(name, last, whole) if last else high if step else start
    if step and int(step) < 1:
        raise InputError(f"A step in a schedule is 1 or more, such as */5. Received: {piece!r} in {whole!r}.")
    if low <= end < start <= high:
        raise InputError(
            f"A range in a schedule goes upwards. Expected {start}-{high},{low}-{end} to go past the end, or "
            f"{end}-{start}. Received: {piece!r} in {whole!r}."
        )
    if not low <= start <= end <= high or (first in "*?" and last):
        raise _wrong(name, piece, whole)
    return range(start, end + 1, int(step or 1))


def _number(name: str, word: str, whole: str) -> int:
    if (named := NAMES.get(name, {}).get(word.lower())) is not None:
        return named
    if not word.isascii() or not word.isdigit():
        raise _wrong(name, word, whole)
    return int(word)


def _wrong(name: str, piece: str, whole: str) -> InputError:
    low, high = LIMITS[name]
    received = f"Received: {piece!r} in {whole!r}."
    if JENKINS.fullmatch(piece):
        return InputError(f"A schedule has no H, which only Jenkins knows. Expected a {name} of your own. {received}")
    if QUARTZ.fullmatch(piece):
        return InputError(
            "A schedule has no L, W or #, for the last, the nearest or the n-th day, which only Quartz knows. Expected "
            f"numbers and names. {received}"
        )
    names = [*NAMES.get(name, {})]
    named = f", or {names[0]} to {names[-1]}" if names else ""
    return InputError(f"The {name} of a schedule goes from {low} to {high}{named}. {received}")


def _written(name: str, given: Field) -> str:
    if field(name, given.values).star:
        return "*"
    if given.star:  # */2 counts as open where days of the month and of the week meet, so it stays a star
        return given.text.replace("?", "*")
    return ",".join(_runs(sorted(given.values)))


def _runs(values: list[int]) -> Iterator[str]:
    """1,2,3,7 as 1-3 and 7."""
    for _, group in itertools.groupby(enumerate(values), key=lambda pair: pair[1] - pair[0]):
        run = [value for _, value in group]
        yield f"{run[0]}-{run[-1]}" if len(run) > 2 else ",".join(map(str, run))
