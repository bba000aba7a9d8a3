"""A fit of any model of any task, interrupted after its first or second epoch: the same command goes on after it."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import watch

import tasks

EPOCHS = 4
LONGEST = 900


@cache
def cases() -> list[tuple[str, str, int, str]]:
    models = [(task, model) for task in tasks.names() for model in tasks.get(task).models]
    return [(*names, after, way) for names, after, way in product(models, (1, 2), ("SIGKILL", "SIGINT"))]


def case(seed: int, place: Path) -> str:
    task, model, after, way = cases()[seed % 100_000 % len(cases())]
    with watch.one_at_a_time(place.parent):
        expected = reference(place.parent / "fits" / task, task, model)
    shutil.copytree(place.parent / "fits" / task / "prepared", place / "runs")
    process = started(place, task, model, EPOCHS)
    state = _state_after(process, place / "runs", after)
    os.kill(process.pid, getattr(signal, way))
    status = process.wait(LONGEST)
    assert status == {"SIGKILL": -9, "SIGINT": 130}[way], f"status {status}: {_said(place)}"
    watch.gone(place)
    assert started(place, task, model, EPOCHS).wait(LONGEST) in (0, 3), _said(place)
    log = max((place / "runs").glob("*/logs/train.log"), key=lambda path: path.stat().st_mtime).read_text()
    assert "resuming after epoch" in log, log[-2000:]
    assert _outcome(place) == expected, "the model is another than that of an undisturbed fit"
    return f"{way} to {task}/{model} after epoch {state}"


def started(place: Path, task: str, model: str, epochs: int) -> subprocess.Popen[bytes]:
    command = [watch.PYTHON, "-m", "pipelines", "run", task, "--model", model, "--set", f"train.epochs={epochs}"]
    command += ["--runs", str(place / "runs"), "--serving", str(place / "serving"), "--no-push", "--json"]
    environment = watch.environment(place)
    with (place / "out").open("wb") as out, (place / "said").open("ab") as said:
        return subprocess.Popen(command, cwd=place, env=environment, stdout=out, stderr=said, start_new_session=True)


def reference(home: Path, task: str, model: str) -> dict[str, Any]:
    """What an undisturbed fit comes to; `prepared` has the steps before training, for all models of a task."""
    if not (home / "prepared").exists():
        home.mkdir(parents=True)
        assert started(home, task, model, 1).wait(LONGEST) in (0, 3), _said(home)
        (home / "runs").rename(home / "prepared")
    place = home / model
    if not place.exists():
        place.mkdir()
        shutil.copytree(home / "prepared", place / "runs")
        assert started(place, task, model, EPOCHS).wait(LONGEST) in (0, 3), _said(place)
    return _outcome(place)


def _outcome(place: Path) -> dict[str, Any]:
    metrics: dict[str, Any] = json.loads((place / "out").read_bytes())["metrics"]
    return metrics


def _said(place: Path) -> str:
    return (place / "said").read_text()[-2000:]


def _state_after(process: subprocess.Popen[bytes], runs: Path, after: int) -> int:
    """The number of finished epochs at the moment when the state of the epoch asked for was kept."""
    seen, count = None, 0
    while process.poll() is None:
        for path in runs.rglob("state.npz"):
            try:
                made = path.stat().st_mtime_ns
            except FileNotFoundError:
                continue
            seen, count = made, count + (made != seen)
        if count >= after:
            return count
        time.sleep(0.002)
    raise AssertionError("the fit was over before it could be interrupted")
