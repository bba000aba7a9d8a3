"""What others would see meanwhile: a server that polls the destination, and somebody who lists the processes."""

from __future__ import annotations

import fcntl
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.storage import atomic_files

ROOT = Path(__file__).parents[2]
MARK = "SLUICE_SOAK"


def environment(place: Path) -> dict[str, str]:
    """By which a case's processes are known, and with a directory for temporary files of its own."""
    (place / "tmp").mkdir(exist_ok=True)
    paths = f"{ROOT}:{Path(__file__).parent}"
    return {**os.environ, "PYTHONPATH": paths, "TMPDIR": str(place / "tmp"), MARK: str(place)}


def alive(place: Path) -> list[int]:
    """The processes of a case."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{MARK}={place}\0".encode() in (folder / "environ").read_bytes() + b"\0":
                found.append(int(folder.name))
        except OSError:
            continue
    return found


def gone(place: Path, seconds: float = 60) -> None:
    """Wait until no process of the case is left."""
    end = time.monotonic() + seconds
    while left := alive(place):
        assert time.monotonic() < end, f"processes are left: {left}"
        time.sleep(0.1)


@contextmanager
def one_at_a_time(home: Path) -> Iterator[None]:
    """What all cases start from is made by one of them."""
    with (home / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def polled(task_folder: Path) -> Iterator[list[int]]:
    """A server's view: whatever has a number for its name is whole at every moment. Gives the number of polls."""
    over, broken, polls = threading.Event(), [], [0]

    def poll() -> None:
        while not over.is_set():
            polls[0] += 1
            for path in task_folder.iterdir() if task_folder.is_dir() else ():
                whole = all((path / part).exists() for part in ("saved_model.pb", "assets.extra/provenance.json"))
                # One that is gone by now was pruned, in one renaming.
                if path.name.isdigit() and not whole and path.exists():
                    broken.append(path.name)
            time.sleep(0.002)

    thread = threading.Thread(target=poll)
    thread.start()
    try:
        yield polls
    finally:
        over.set()
        thread.join()
    assert not broken, f"seen incomplete: {broken}"


def sound(task_folder: Path) -> list[int]:
    """The numbers of the versions, each of which has the model that its provenance names."""
    numbers = sorted(int(path.name) for path in task_folder.iterdir() if path.name.isdigit())
    for number in numbers:
        about = atomic_files.read_json(task_folder / str(number) / "assets.extra" / "provenance.json")
        assert atomic_files.tree_hash(task_folder / str(number)) == about["model_sha256"], f"version {number}"
    return numbers


PYTHON = sys.executable
