"""A run that comes again and again on this machine: the lines for cron and for systemd. Nothing is installed."""

from __future__ import annotations

import argparse
import os
import re
import shlex
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import tasks
from components import settings
from components.resolve import cron, date_placeholders
from components.resolve import step as resolve
from components.storage.local_paths import local_path
from pipelines.commands.run import pipeline_arguments
from pipelines.local import webhook
from tasks import InputError

DAYS = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
# Where things lie that the steps look for.
CARRIED = (
    "PYTHONPATH", "GOOGLE_APPLICATION_CREDENTIALS", "AWS_PROFILE", "KERAS_HOME", "SLUICE_TASKS", "TFDS_DATA_DIR",
    "TFHUB_CACHE_DIR",
)  # fmt: skip
ON_CLUSTER = (
    "host", "namespace", "token_file", "profile", "backend", "service_account", "pipeline_root", "image", "gpu_image",
    "steps", "gpus", "gpu_type", "gpu_node_selector", "gpu_toleration", "node_selector", "toleration", "secret", "env",
    "volume", "shm", "disabled",
)  # fmt: skip
KEPT = ("data", "data_dir", "model")


def text(given: argparse.Namespace) -> str:
    """What to put where, with comments that say how."""
    schedule, zone = cron.parse(given.cron), given.timezone
    date_placeholders.zone(zone)
    if sorted(schedule.second.values) != [0]:
        raise InputError(f"cron knows minutes, no seconds. Expected five fields. Received: {given.cron!r}.")
    name = given.name or f"sluice-{given.task}"
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", name):
        raise InputError(f"A unit's name is letters, digits, '_', '-' and '.'. Received: {name!r}.")
    if given.notify:
        webhook.check(given.notify)
    if told := [option for option in ON_CLUSTER if getattr(given, option)]:
        raise InputError(f"--{told[0].replace('_', '-')} is for Kubeflow; with --local it would mean nothing.")
    next(schedule.after(datetime.now(UTC), date_placeholders.zone(zone)))  # or it says that there is no such day
    home, words = Path.cwd(), command(given)
    line = crontab(schedule, home, words, name)
    if given.catchup:
        line = "# None: cron does not make up for the times at which the machine was off.\n# Use the timer.\n"
    if not same_clock(zone, datetime.now(UTC)):
        line = f"# None: cron goes by this machine's clock, which is not that of {zone}.\n# Use the timer.\n"
    return "\n".join(
        [
            "# For cron: a line for `crontab -e`.",
            line,
            f"# For systemd: ~/.config/systemd/user/{name}.service",
            service(given.task, home, words, zone, rejected_fails=given.fail_when_rejected),
            f"# ~/.config/systemd/user/{name}.timer; then: systemctl --user enable --now {name}.timer",
            timer(given.task, schedule, zone, catchup=given.catchup),
            "# Nothing was installed. So that timers run while you are not logged in: loginctl enable-linger",
        ]
    )


def same_clock(zone: str, now: datetime) -> bool:
    """Whether this machine's clock shows that zone's time, in summer and in winter."""
    there = date_placeholders.zone(zone)
    moments = [now.replace(month=month, day=1) for month in range(1, 13)]
    return all(moment.astimezone().utcoffset() == moment.astimezone(there).utcoffset() for moment in moments)


def environment() -> dict[str, str]:
    """What a bare environment lacks of this one; never a secret itself."""
    return {name: os.environ[name] for name in CARRIED if os.environ.get(name)}


def command(given: argparse.Namespace) -> list[str]:
    """The run as it was asked for here, with nothing left that hangs on this directory or this shell."""
    definition = tasks.get(given.task)
    home = local_path(os.environ.get("SLUICE_HOME") or ".").absolute()
    runs, serving = str(home / "runs"), given.destination or str(home / "serving")
    if "://" not in serving:
        serving = str(local_path(serving).absolute())
    asked = pipeline_arguments(argparse.Namespace(**{**vars(given), "runs_dir": Path(runs), "serving_dir": serving}))
    settings.check_overrides(definition, resolve.model_name(definition, given.task, given.model), asked["overrides"])
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
    words += ["--no-cache"] if given.no_cache else []
    words += ["--force", asked["force"]] if asked["force"] else []
    words += ["--notify", given.notify] if given.notify else []
    return [*words, "--runs", runs, "--serving", serving]


def crontab(schedule: cron.Cron, home: Path, words: Sequence[str], name: str) -> str:
    """One line. cron cuts a command at a bare %, and would start a second run while the first goes on."""
    fields = " ".join(str(schedule).split()[1:])
    carried = "".join(f"{key}={shlex.quote(value)} " for key, value in environment().items())
    lock, log = (shlex.quote(str(home / end)) for end in (f".{name}.lock", f"{name}.log"))
    run = f"cd {shlex.quote(str(home))} && {carried}flock -n {lock} {shlex.join(words)} >> {log} 2>&1"
    _one_line(run)
    return f"{fields} {run.replace('%', chr(92) + '%')}\n"


def service(task: str, home: Path, words: Sequence[str], zone: str, *, rejected_fails: bool = False) -> str:
    """A oneshot: systemd starts no second one while it runs. A rejected model (3) is news, no failure unless asked."""
    variables = {**environment(), "TZ": zone}
    carried = "".join(f"Environment={_quoted(f'{key}={value}')}\n" for key, value in variables.items())
    rejected = "" if rejected_fails else "SuccessExitStatus=3\n"
    # In a command, systemd expands variables too.
    command = " ".join(_quoted(word.replace("$", "$$")) for word in words)
    return (
        f"[Unit]\nDescription=sluice run {task}\n\n"
        f"[Service]\nType=oneshot\nWorkingDirectory={str(home).replace('%', '%%')}\n"
        f"{carried}"
        f"ExecStart={command}\n{rejected}"
    )


def timer(task: str, schedule: cron.Cron, zone: str, *, catchup: bool = False) -> str:
    """Catching up, a time that passed while the machine was off is made up for, once, when it is on again."""
    lines = "".join(f"OnCalendar={event} {zone}\n" for event in events(schedule))
    head = f"[Unit]\nDescription=sluice run {task}\n\n[Timer]\n"
    persistent = "Persistent=true\n" if catchup else ""
    return f"{head}{lines}{persistent}\n[Install]\nWantedBy=timers.target\n"


def events(schedule: cron.Cron) -> list[str]:
    """systemd's calendar events. Where cron takes either of two kinds of day, systemd needs two."""
    clock = f"{_list(schedule.hour, 24)}:{_list(schedule.minute, 60)}:00"
    month, day = _list(schedule.month, 12), _list(schedule.day, 31)
    every_day = schedule.weekday.star and len(schedule.weekday.values) == 7
    week = "" if every_day else ",".join(DAYS[number] for number in sorted(schedule.weekday.values)) + " "
    if schedule.day.star or schedule.weekday.star or not week or day == "*":
        return [f"{week}*-{month}-{day} {clock}"]
    return [f"*-{month}-{day} {clock}", f"{week}*-{month}-* {clock}"]


def _list(field: cron.Field, size: int) -> str:
    values = sorted(field.values)
    return "*" if len(values) == size else ",".join(f"{value:02d}" for value in values)


def _one_line(words: str) -> None:
    if "\n" in words or "\r" in words:
        raise InputError("A command here is one line. Received a path or a setting with a line break in it.")


def _quoted(word: str) -> str:
    """systemd's own quoting: it expands %, and knows backslashes within double quotes."""
    _one_line(word)
    plain = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return plain if re.fullmatch(r"[\w@%+=:,./*?{}-]+", plain) else f'"{plain}"'
