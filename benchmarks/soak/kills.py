"""A run that is killed somewhere in a given step: the same command goes on and comes to the same model.

Some cases do all steps. The others find all but that step and the last one done: what a step makes after the kill has
to be the same bit for bit, or the steps behind it would not be found done.
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import watch

from components.storage import atomic_files

STEPS = ("resolve", "ingest", "validate", "transform", "train", "evaluate", "rehearse", "push")
WAYS = ("SIGKILL", "SIGINT", "SIGTERM", "worker")
# Statuses with which a killed run may end: by the signal (a SIGTERM also where the command has told its outcome and is
# leaving), interrupted, or with a failed step whose worker was killed.
ENDS = {"SIGKILL": {-9}, "SIGINT": {130}, "SIGTERM": {130, -15}, "worker": {1}}
LONGEST = 600
# Of the cases, those that begin with nothing.
FRESH = 0.15


def case(seed: int, place: Path) -> str:
    generator = random.Random(seed)
    step, way, share = generator.choice(STEPS), generator.choice(WAYS), generator.random()
    fresh = generator.random() < FRESH
    expected = reference(place.parent)
    seconds = expected["seconds"].get(step, 1.0)
    if not fresh:
        shutil.copytree(place.parent / "reference" / "runs", place / "runs")
        forget(place / "runs" / ".cache", step, "push")
    with watch.polled(place / "serving" / "auto_mpg") as polls:
        process = started(place)
        reached = _reached(process, place / "runs" / f"auto_mpg-{1 if fresh else 2}" / "logs" / f"{step}.log")
        time.sleep(share * seconds if reached else 0)
        status = _killed(process, place, way)
        watch.gone(place)
        again = started(place)
        assert again.wait(LONGEST) == 0, (place / "said").read_text()[-2000:]
    watch.gone(place)
    assert watch.sound(place / "serving" / "auto_mpg") == [1]
    assert _metrics(place) == expected["metrics"], "the model is another than without the kill"
    left = [*(place / "runs").glob("*/.alive"), *(place / "runs").glob("*/.scratch"), *(place / "tmp").iterdir()]
    assert not left, f"left behind: {left}"
    told = f"{way} in {step} after {share * seconds:.2f} s (status {status}); {polls[0]:,} polls"
    return told if fresh else f"{told}; other steps done before"


def started(place: Path) -> subprocess.Popen[bytes]:
    command = [watch.PYTHON, "-m", "pipelines", "run", "auto_mpg"]
    command += ["--runs", str(place / "runs"), "--serving", str(place / "serving")]
    with (place / "said").open("ab") as said:
        return subprocess.Popen(
            command, cwd=place, env=watch.environment(place), stdout=said, stderr=said, start_new_session=True
        )


def reference(home: Path) -> dict[str, Any]:
    """What an undisturbed run comes to, and how long its steps take; done once."""
    place = home / "reference"
    with watch.one_at_a_time(home):
        if not place.exists():
            place.mkdir()
            assert started(place).wait(LONGEST) == 0, (place / "said").read_text()[-2000:]
    facts = atomic_files.read_json(place / "runs" / "auto_mpg-1" / "run.json")
    return {"metrics": _metrics(place), "seconds": {step["name"]: step["seconds"] for step in facts["steps"]}}


def forget(index: Path, *steps: str) -> None:
    """Let these steps, which were done, be not done."""
    for path in index.glob("*.json"):
        if atomic_files.read_json(path)["step"] in steps:
            path.unlink()


def _metrics(place: Path) -> dict[str, float]:
    found: dict[str, float] = atomic_files.read_json(
        place / "serving" / "auto_mpg" / "1" / "assets.extra" / "provenance.json"
    )["metrics"]
    return found


def _reached(process: subprocess.Popen[bytes], log: Path) -> bool:
    """Whether the step began before the run was over."""
    while process.poll() is None:
        if log.exists():
            return True
        time.sleep(0.005)
    return False


def _killed(process: subprocess.Popen[bytes], place: Path, way: str) -> int:
    """The status with which the run ended; one that was over before is no finding."""
    if way == "worker":
        for other in set(watch.alive(place)) - {process.pid}:
            try:
                os.kill(other, signal.SIGKILL)
            except ProcessLookupError:
                continue
    elif process.poll() is None:
        os.kill(process.pid, getattr(signal, way))
    status = process.wait(LONGEST)
    assert status in ENDS[way] | {0}, f"{way} ended in status {status}: {(place / 'said').read_text()[-2000:]}"
    return status
