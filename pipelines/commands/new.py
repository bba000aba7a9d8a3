"""`sluice new`."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import tasks
from components.new_task import column_guesses, task_source
from components.reading import column_names
from components.storage import atomic_files
from tasks import InputError

ROWS = 100_000


def main(given: argparse.Namespace) -> int:
    path = _path(given)
    table, files = column_names.table(given.data, ROWS)
    found = column_guesses.guesses(table, given.label)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.write_bytes(path, task_source.source(given.task, given.data, found).encode())
    metric, reached, how = task_source.baseline(found.label)
    tasks.use_folder(str(path.parent))
    tasks.get(given.task)
    print(f"{path} is written, from {len(table):,} rows of {files} file{'s' * (files > 1)}: ", end="")
    print(f"{len(found.features)} features, label {found.label.feature.name} ({found.label.words}).")
    for header, why in found.left_out.items():
        print(f"  left out: {header}: {why}")
    print(f"  gate: {metric}, where {reached:.3g} is {how}")
    print(f"Look it over, then: sluice run {given.task} --data {shlex.quote(given.data)}{_where(given)}")
    return 0


def _path(given: argparse.Namespace) -> Path:
    """Where the file goes; InputError if it cannot."""
    if not re.fullmatch(r"[a-z][a-z0-9_]*", given.task):
        raise InputError(f"A task's name is lower case letters, digits and underscores. Received: {given.task!r}.")
    if given.task in tasks.names():
        raise InputError(f"There is a task {given.task!r} already. Expected another name.")
    path = Path(next(iter(tasks.own_folders()), "tasks")) / f"{given.task}.py"
    if path.exists():
        raise InputError(f"{path} exists already, and is not written over. Expected another name.")
    return path


def _where(given: argparse.Namespace) -> str:
    return f" --tasks {shlex.quote(given.tasks)}" if given.tasks else ""
