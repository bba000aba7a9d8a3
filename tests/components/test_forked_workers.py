"""A process for each item, so many at a time, none of which is left behind."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from pathlib import Path

from components import forked_workers
from components.forked_workers import DiedError


def never(item: object, error: DiedError) -> None:
    raise AssertionError(f"{item}: {error}")


def test_each_item_has_a_process_and_no_more_than_so_many_run_together(tmp_path: Path) -> None:
    running = tmp_path / "running"
    running.mkdir()
    two_met = tmp_path / "two-met"

    def work(item: int) -> tuple[int, int, int]:
        mine = running / str(item)
        mine.touch()
        give_up = time.monotonic() + 60
        while (together := len(list(running.iterdir()))) < 2 and not two_met.exists() and time.monotonic() < give_up:
            time.sleep(0.01)
        if together == 2:
            two_met.touch()
        time.sleep(0.05)
        together = max(together, len(list(running.iterdir())))
        mine.unlink()
        return item, os.getpid(), together

    made = list(forked_workers.each(work, range(6), 2, never))
    assert sorted(item for item, _, _ in made) == [0, 1, 2, 3, 4, 5]
    assert len({process for _, process, _ in made} - {os.getpid()}) == 6
    assert max(together for _, _, together in made) == 2


def test_one_that_dies_is_told_and_the_others_go_on() -> None:
    def work(item: str) -> str:
        if item == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        if item == "raises":
            raise ValueError("a traceback for the log")
        return item

    items = ["killed", "raises", "well"]
    made = set(forked_workers.each(work, items, 2, lambda item, error: f"{item}: {error}"))
    assert made == {
        "killed: its process was killed by SIGKILL. Memory may have run out.",
        "raises: its process ended with status 1.",
        "well",
    }


def test_whoever_stops_listening_leaves_no_process_behind() -> None:
    def work(item: float) -> float:
        time.sleep(item)
        return item

    results = forked_workers.each(work, [0.0, 60.0, 60.0], 3, never)
    assert next(results) == 0.0
    results.close()  # type: ignore[attr-defined]
    assert not multiprocessing.active_children()
