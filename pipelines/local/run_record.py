"""A run's directory: its number, and run.json, which says at any moment how far it has come."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.storage.atomic_files import read_json, write_json
from pipelines.local import alive
from tasks import InputError

# A record has these from its first moment on.
KNOWN = {"run", "task", "status", "steps", "started"}
STEP = {"name", "status", "seconds"}
BLANK = {"model": "", "data": "", "started": ""}
NUMBERED = re.compile(r"(.+)-(\d+)")


class Record:
    """One run's directory while the run goes on."""

    def __init__(self, path: Path, facts: dict[str, Any]) -> None:
        self.path, self.facts = path, facts
        self.name = path.name
        # The system drops the lock when this process ends in whatever way: so others see that a run is over.
        self._alive = alive.mark(path)

    @classmethod
    def new(cls, runs: Path, task: str, facts: dict[str, Any]) -> Record:
        """The next free number, also when others are looking for one at this moment."""
        _check(runs)
        number = 1 + max((found[1] for found in _numbered(runs) if found[0] == task), default=0)
        while True:
            path = runs / f"{task}-{number}"
            try:
                path.mkdir()
                break
            except FileExistsError:
                number += 1
        (path / "logs").mkdir()
        record = cls(path, {"run": path.name, "task": task, "status": "running", **facts})
        record.update(steps=[], started=now(), command=typed())
        return record

    def update(self, **facts: Any) -> None:
        self.facts.update(facts)
        write_json(self.path / "run.json", self.facts)

    def step(self, name: str, **facts: Any) -> None:
        others = [step for step in self.facts["steps"] if step["name"] != name]
        self.update(steps=[*others, {"name": name, **facts}])

    def log(self, step: str) -> Path:
        return self.path / "logs" / f"{step}.log"

    @property
    def scratch(self) -> Path:
        """Where workers put temporary files, so that none stay elsewhere if they are killed."""
        return self.path / alive.SCRATCH

    def discard(self) -> None:
        """Leave nothing of the run."""
        shutil.rmtree(self.path)

    def close(self, status: str) -> None:
        """The run is over."""
        if not self.path.exists():
            os.close(self._alive)
            return
        shutil.rmtree(self.scratch, ignore_errors=True)
        with suppress(OSError):  # a full disk, which has been told already
            self.update(status=status, ended=now())
        (self.path / alive.MARK).unlink(missing_ok=True)
        os.close(self._alive)


def typed() -> str:
    """The command, but for a webhook's address: that is often a secret, and no part of what the run is."""
    kept, words = ["sluice"], iter(sys.argv[1:])
    for word in words:
        name, equals, _ = word.partition("=")
        if len(name) <= len("--no") or not "--notify".startswith(name):
            kept.append(word)
        elif not equals:
            next(words, "")
    return shlex.join(kept)


def _check(runs: Path) -> None:
    try:
        runs.mkdir(parents=True, exist_ok=True)
        writable = os.access(runs, os.W_OK | os.X_OK)
    except OSError as error:
        raise InputError(f"The runs directory {runs} cannot be made: {error.strerror}. Name another.") from error
    if not writable:
        raise InputError(f"The runs directory {runs} cannot be written. Name another with --runs, or change its mode.")


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def load(path: Path) -> dict[str, Any]:
    """A run's facts; one that says it is running but has no living process was interrupted.

    Which run it is, the directory's name says: what stands in run.json may have been written by anybody.
    """
    name = {"run": path.name, "task": path.name.rpartition("-")[0]}
    try:
        facts = {**read_json(path / "run.json"), **name}
        sound = facts.keys() >= KNOWN and all(step.keys() >= STEP for step in facts["steps"])
        datetime.fromisoformat(facts["started"])
    except (OSError, ValueError, TypeError, AttributeError, KeyError):
        sound = False
    if not sound:
        return {**name, "status": "damaged", "steps": [], **BLANK}
    if facts.get("status") == "running" and not alive.is_alive(path):
        facts["status"] = "interrupted"
    return facts


def every(runs: Path, task: str = "") -> list[dict[str, Any]]:
    """The facts of all runs, the oldest first; directories that are no runs are left out."""
    found = [load(path.parent) for path in records(runs, task)]
    return sorted(found, key=lambda facts: str(facts.get("started", "")))


def records(runs: Path, task: str = "") -> Iterator[Path]:
    """The file run.json of each run, by task and number."""
    for name, number in sorted(_numbered(runs)):
        path = runs / f"{name}-{number}" / "run.json"
        if (not task or name == task) and path.is_file():
            yield path


def tidy(runs: Path) -> None:
    """Remove what runs that were killed have left behind for themselves."""
    for name, number in _numbered(runs):
        alive.tidy_run(runs / f"{name}-{number}")


def within(runs: Path, words: Any) -> Path:
    """What a file of ours names below a run's directory; ValueError if it leads elsewhere, be it by a link."""
    parts = words.split("/") if isinstance(words, str) else []
    path = runs.joinpath(*parts)
    if not parts or not NUMBERED.fullmatch(parts[0]) or {"", ".", ".."} & {*parts} or "\0" in words:
        raise ValueError(f"Expected a path below a run's directory. Received: {words!r}.")
    if any((runs.joinpath(*parts[:end])).is_symlink() for end in range(1, len(parts) + 1)):
        raise ValueError(f"{path} is reached by a link, which is not followed.")
    return path


def _numbered(runs: Path) -> Iterator[tuple[str, int]]:
    for path in runs.iterdir() if runs.is_dir() else ():
        if match := NUMBERED.fullmatch(path.name):
            yield match[1], int(match[2])
