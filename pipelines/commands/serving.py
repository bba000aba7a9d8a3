"""`sluice predict`, `sluice versions` and `sluice rollback`."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tasks
from pipelines import _lazy
from pipelines.commands import text
from tasks import InputError, nearest

# What TensorFlow and pyarrow import where they find it, and a pushed model does not need: half of the time to start.
NEEDLESS = ("keras", "pandas", "h5py", "googleapiclient")


def main(given: argparse.Namespace) -> int:
    if given.task not in tasks.names():
        raise InputError(f"There is no task {given.task!r}.{nearest(given.task, tasks.names())}")
    match given.action:
        case "predict":
            return _predict(given)
        case "versions":
            return _versions(given)
        case _:
            return _rollback(given)


def _predict(given: argparse.Namespace) -> int:
    _lazy.load("numpy")  # sure to be needed, so not as a placeholder
    from components import predict

    tasks.get(given.task)  # with all that it imports
    asked = given.files or ["-"]
    if "-" in asked and sys.stdin.isatty():
        print("Reading rows from the keyboard; end them with Ctrl-D.", file=sys.stderr)
    with _only_our_words(), _lazy.without(*NEEDLESS):
        rows, bad = predict.run(
            task=given.task, given=asked, serving=str(given.serving_dir), version=given.version,
            output=Path(given.output).expanduser() if given.output else None, stdout=sys.stdout.buffer,
        )  # fmt: skip
    if bad:
        counted = f"{bad:,} of {rows:,} rows" if rows > 1 else "The one row"
        print(f"sluice: {counted} could not be answered; each says why in its own line.", file=sys.stderr)
    return 1 if bad else 0


@contextmanager
def _only_our_words() -> Iterator[None]:
    """Python's stderr stays; what native libraries write to the descriptor (TensorFlow's greetings) is dropped."""
    saved, python = os.dup(2), sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        with open(saved, "w", buffering=1, encoding=python.encoding, errors="backslashreplace", closefd=False) as ours:
            sys.stderr = ours
            yield
    finally:
        sys.stderr = python
        os.dup2(saved, 2)
        os.close(saved)


def _versions(given: argparse.Namespace) -> int:
    from components import destination

    found = destination.versions(str(given.serving_dir), given.task)
    if given.json:
        listed = [{"version": v.number, "path": str(v.path), "provenance": v.provenance} for v in found]
        print(json.dumps(listed, indent=1))
    elif not found:
        print(f"No version of {given.task} in {given.serving_dir} yet.")
    else:
        rows = [["VERSION", "PUSHED", "RUN", "MODEL", "METRICS", ""]]
        rows += [_row(version.number, version.provenance, version is found[-1]) for version in found]
        print(text.table(rows))
    return 0


def _row(number: int, provenance: dict[str, Any], newest: bool) -> list[str]:
    notes = ["serving"] if newest else []
    if provenance.get("copied_from"):
        notes.append(f"copy of {provenance['copied_from']}")
    if provenance.get("force"):
        notes.append(f"forced: {provenance['force']}")
    pushed = str(provenance.get("pushed_at", ""))[:16].replace("T", " ")
    words = (provenance.get("run", ""), provenance.get("model", ""), text.metrics(provenance.get("metrics", {})))
    return [str(number), pushed, *(str(word) for word in words), ", ".join(notes)]


def _rollback(given: argparse.Namespace) -> int:
    from components import destination

    version = destination.rollback(str(given.serving_dir), given.task, given.version)
    print(f"version {version.number}, a copy of version {given.version}, is served from {version.path}")
    return 0
