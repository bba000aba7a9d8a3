"""A run that comes again and again on this machine: the lines for cron and for systemd. Nothing is installed."""

from __future__ import annotations

import argparse
import re
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from components import cron
from pipelines.commands.run import pipeline_arguments
from tasks import InputError

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
KEPT = ("data", "data_dir", "model")


def text(given: argparse.Namespace) -> str:
    """What to put where, with comments that say how."""
    if given.timezone != "UTC" and not re.fullmatch(r"[\w+/-]+", given.timezone):
        raise InputError(f"A time zone has an IANA name, such as Europe/Berlin. Received: {given.timezone!r}.")
    schedule = cron.parse(given.cron)
    if sorted(schedule.second.values) != [0]:
        raise InputError(f"cron and this command know minutes, no seconds. Received: {given.cron!r}.")
    name = given.name or f"sluice-{given.task}"
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise InputError(f"A unit's name is letters, digits, '_', '-' and '.'. Received: {name!r}.")
    home, words = Path.cwd(), command(given)
    zone = given.timezone
    parts = [
        "# A line for `crontab -e`. Of the times it names, cron takes those of its own clock.",
        crontab(schedule, home, words, name, zone),
        f"# Or, for systemd: ~/.config/systemd/user/{name}.service",
        service(given.task, home, words),
        f"# ~/.config/systemd/user/{name}.timer; then: systemctl --user enable --now {name}.timer",
        timer(given.task, schedule, zone),
        "# So that timers run when you are not logged in: loginctl enable-linger",
    ]
    return "\n".join(parts)


def command(given: argparse.Namespace) -> list[str]:
    """The run as it was asked for here, with nothing left that hangs on this directory or this shell."""
    if "%" in str(given.timezone):
        raise InputError(f"A time zone has an IANA name, such as Europe/Berlin. Received: {given.timezone!r}.")
    asked = pipeline_arguments(given)
    words = [sys.executable, "-m", "pipelines", "run", given.task]
    for option in KEPT:
        if asked[option] and (option, asked[option]) != ("data", "sample"):
            words += [f"--{option.replace('_', '-')}", asked[option]]
    words += [word for key, value in asked["overrides"].items() for word in ("--set", f"{key}={value}")]
    words += [f"--beam={arg}" for arg in asked["beam_args"]]
    words += ["--seed", str(asked["seed"])] if asked["seed"] else []
    words += ["--keep", str(asked["keep"])] if asked["keep"] else []
    words += ["--warm-start"] if asked["warm_start"] else []
    words += [] if asked["publish"] else ["--no-push"]
    words += ["--force", asked["force"]] if asked["force"] else []
    return [*words, "--runs", str(given.runs_dir), "--serving", str(given.serving_dir)]


def crontab(schedule: cron.Cron, home: Path, words: Sequence[str], name: str, zone: str = "") -> str:
    """One line. cron has no PATH to speak of, cuts a command at a bare %, and would run two at a time."""
    fields = " ".join(str(schedule).split()[1:])
    log = home / f"{name}.log"
    lock = home / f".{name}.lock"
    run = f"cd {shlex.quote(str(home))} && flock -n {shlex.quote(str(lock))} {shlex.join(words)}"
    line = f"{fields} {_escaped(f'{run} >> {shlex.quote(str(log))} 2>&1')}"
    _one_line(line)
    return f"CRON_TZ={zone}\n{line}\n" if zone else f"{line}\n"


def service(task: str, home: Path, words: Sequence[str]) -> str:
    """A oneshot: systemd starts no second one while it runs. A rejected model (3) is news, not a failure."""
    return (
        f"[Unit]\nDescription=sluice run {task}\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={_path(home)}\n"
        f"ExecStart={' '.join(_word(word) for word in words)}\nSuccessExitStatus=3\n"
    )


def timer(task: str, schedule: cron.Cron, zone: str = "") -> str:
    lines = "".join(f"OnCalendar={event}{' ' if zone else ''}{zone}\n" for event in events(schedule))
    return f"[Unit]\nDescription=sluice run {task}\n\n[Timer]\n{lines}Persistent=true\n\n[Install]\nWantedBy=timers.target\n"


def events(schedule: cron.Cron) -> list[str]:
    """systemd's calendar events. Where cron takes either of two kinds of day, systemd needs two."""
    clock = f"{_list(schedule.hour, 24)}:{_list(schedule.minute, 60)}:00"
    month, day = _list(schedule.month, 12), _list(schedule.day, 31)
    week = "" if schedule.weekday.star and len(schedule.weekday.values) == 7 else _weekdays(schedule)
    if schedule.day.star or schedule.weekday.star or not week or day == "*":
        return [f"{week}*-{month}-{day} {clock}"]
    return [f"*-{month}-{day} {clock}", f"{week}*-{month}-* {clock}"]


def _weekdays(schedule: cron.Cron) -> str:
    return ",".join(DAYS[number] for number in sorted(schedule.weekday.values)) + " "


def _list(field: Any, size: int) -> str:
    values = sorted(field.values)
    return "*" if len(values) == size else ",".join(f"{value:02d}" for value in values)


def _escaped(words: str) -> str:
    return words.replace("%", r"\%")


def _one_line(words: str) -> None:
    if "\n" in words or "\r" in words:
        raise InputError("A crontab's command is one line. Received a path or a setting with a line break in it.")


def _path(path: Path) -> str:
    return str(path).replace("%", "%%")


def _word(word: str) -> str:
    """systemd's own quoting: it expands % and $, and knows backslashes within double quotes."""
    _one_line(word)
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%").replace("$", "$$")
    return plain if re.fullmatch(r"[\w@%+=:,./*?{}-]+", plain) else f'"{plain}"'
