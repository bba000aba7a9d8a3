"""`sluice new`."""

from __future__ import annotations

import argparse
import re
import shlex
from pathlib import Path

import tasks
from components.new_task import column_guesses, picture_guesses, picture_source, task_source
from components.reading import column_names, picture_folders
from components.storage import atomic_files
from tasks import InputError

ROWS = 100_000
NAME = re.compile(r"[a-z][a-z0-9_]*")
# What the folders' names are called, if not otherwise said.
LABEL = "kind"


def main(given: argparse.Namespace) -> int:
    path = _path(given)
    if picture_folders.of_pictures(given.data):
        label_name = given.label or LABEL
        if not NAME.fullmatch(label_name):
            raise InputError(
                f"A column's name is lower case letters, digits and underscores. Received: --label {label_name!r}."
            )
        pictures = picture_guesses.picture_guesses(given.data, label_name)
        source, label = picture_source.source(given.task, given.data, pictures), pictures.label
        told = [f"{len(label.values):,} pictures, brought to {pictures.size} by {pictures.size}"]
        left_out = {"files that cannot be read": f"{pictures.unreadable:,}"} if pictures.unreadable else {}
    else:
        table, files = column_names.table(given.data, ROWS)
        if not given.label:
            raise InputError(f"A table's task needs --label COLUMN. Found: {', '.join(table.column_names[:20])}.")
        found = column_guesses.guesses(table, given.label)
        source, label, left_out = task_source.source(given.task, given.data, found), found.label, found.left_out
        count = len(found.features)
        told = [f"{len(table):,} rows of {files} file{'s' * (files > 1)}", f"{count} feature{'s' * (count > 1)}"]
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_files.write_bytes(path, source.encode())
    tasks.use_folder(str(path.parent))
    tasks.get(given.task)
    print(f"{path} is written, from {', '.join(told)}, label {label.feature.name} ({label.words}).")
    for header, why in left_out.items():
        print(f"  left out: {header}: {why}")
    metric, reached, how = task_source.baseline(label)
    print(f"  gate: {metric}, where {reached:.3g} is {how}")
    print(f"Look it over, then: sluice run {given.task} --data {shlex.quote(given.data)}{_where(given)}")
    return 0


def _path(given: argparse.Namespace) -> Path:
    """Where the file goes; InputError if it cannot."""
    if not NAME.fullmatch(given.task):
        raise InputError(f"A task's name is lower case letters, digits and underscores. Received: {given.task!r}.")
    if given.task in tasks.names():
        raise InputError(f"There is a task {given.task!r} already. Expected another name.")
    path = Path(next(iter(tasks.own_folders()), "tasks")) / f"{given.task}.py"
    if path.exists():
        raise InputError(f"{path} exists already, and is not written over. Expected another name.")
    return path


def _where(given: argparse.Namespace) -> str:
    return f" --tasks {shlex.quote(given.tasks)}" if given.tasks else ""
