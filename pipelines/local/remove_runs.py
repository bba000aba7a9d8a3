"""Older runs, and what is kept for later ones, removed as far as nothing that stays needs it."""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from components.storage.atomic_files import read_json
from pipelines.local import alive, run_record
from tasks import InputError

REMOVED = "removed-"
# Rows that came from a notebook, below the runs.
FRAMES = ".frames"
# What `sluice search` keeps, beside the runs that were its trials.
SEARCHES = "searches"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The names of runs that go, and of older ones that stay with the newer run that goes on from what they made."""

    go: tuple[str, ...]
    needed: Mapping[str, str]


def plan(found: Sequence[Mapping[str, Any]], task: str, keep: int) -> Plan:
    """Of each task, or of one, the newest runs stay; and those whose results a run that stays was answered with."""
    older: list[str] = []
    for name in dict.fromkeys(facts["task"] for facts in found):
        if not task or name == task:
            older += [facts["run"] for facts in found if facts["task"] == name][:-keep]
    makers = {facts["run"]: {step.get("made_by") for step in facts.get("steps", ())} for facts in found}
    needed: dict[str, str] = {}
    for name in reversed([facts["run"] for facts in found]):  # so who needs it is looked at first
        user = next((user for user, made_by in makers.items() if name in made_by and user not in older), "")
        if name in older and user:
            older.remove(name)
            needed[name] = user
    return Plan(go=tuple(older), needed=needed)


def links(runs: Path, names: Sequence[str]) -> list[str]:
    """Those that are links: what they lead to lies elsewhere and is not ours to remove."""
    return [name for name in names if (runs / name).is_symlink()]


@contextmanager
def in_use(runs: Path, *, alone: bool = False) -> Iterator[None]:
    """Runs hold the directory together; who cleans it holds it alone."""
    descriptor = os.open(runs / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        _take(descriptor, runs, alone=alone)
        yield
    finally:
        os.close(descriptor)


def _take(descriptor: int, runs: Path, *, alone: bool) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB if alone else fcntl.LOCK_SH)
    except BlockingIOError:
        going = [facts["run"] for facts in run_record.every(runs) if facts["status"] == "running"]
        are, ended = ("are", "they have") if len(going) > 1 else ("is", "it has")
        listed = " and ".join(going) or "A run"
        raise InputError(f"{listed} {are} going on. Clean when {ended} ended.") from None


def size(path: Path) -> int:
    """Bytes on the disk, each file once whatever its names."""
    found = {(about.st_dev, about.st_ino): about.st_blocks * 512 for about in (p.lstat() for p in path.rglob("*"))}
    return sum(found.values())


def remove(runs: Path, name: str) -> None:
    """At once, to others' eyes."""
    aside = runs / ".cache" / f"{REMOVED}{secrets.token_hex(8)}"
    aside.parent.mkdir(exist_ok=True)
    (runs / name).rename(aside)
    shutil.rmtree(aside)


def tidy(runs: Path) -> None:
    """Whatever belongs to runs that are gone, or to none; nothing runs meanwhile, and links are left alone."""
    index = runs / ".cache"
    for path in _directories(index, f"{REMOVED}*"):
        shutil.rmtree(path)
    for path in [*index.glob("*.lock"), *index.glob("**/.*.tmp")]:
        path.unlink()
    run_record.tidy(runs)
    alive.tidy_temporary()
    for path, fact in [*((p, "run") for p in index.glob("*.json")), *((p, "path") for p in index.glob("*.partial"))]:
        if not _belongs(runs, path, fact):
            path.unlink()
    _tidy_analyses(runs, index / "analysis")
    left = run_record.every(runs)
    named = {Path(str(facts.get("data"))).name for facts in left}
    for path in [] if (runs / FRAMES).is_symlink() else (runs / FRAMES).glob("frame-*.parquet"):
        if path.name not in named:
            path.unlink()
    searched = {facts.get("search") for facts in left}
    for path in [] if (runs / SEARCHES).is_symlink() else _directories(runs / SEARCHES, "*"):
        if path.name not in searched:
            shutil.rmtree(path)


def _belongs(runs: Path, entry: Path, fact: str) -> bool:
    """Whether an entry of the index is for something that is there; one that cannot be read is of no use to anybody."""
    try:
        return run_record.within(runs, read_json(entry)[fact]).exists()
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _directories(place: Path, pattern: str) -> list[Path]:
    return [path for path in place.glob(pattern) if path.is_dir() and not path.is_symlink()]


def _tidy_analyses(runs: Path, place: Path) -> None:
    """Those that no run that is left can have used; a use sets the directory's time."""
    began = {facts["task"]: facts["started"] for facts in reversed(run_record.every(runs)) if facts["started"]}
    for path in [] if place.is_symlink() else _directories(place, "*-*"):
        started = began.get(path.name.rpartition("-")[0])
        if started is None or path.stat().st_mtime < datetime.fromisoformat(started).timestamp():
            shutil.rmtree(path)
