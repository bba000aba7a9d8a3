"""One run of many: its settings as the pipeline's parameters, as words, and as the command that repeats it."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components import settings
from components.storage.atomic_files import read_json
from components.storage.local_paths import default_place
from pipelines.commands import run_summary
from pipelines.commands.run import pipeline_arguments
from pipelines.local.run import DONE, Result
from tasks import InputError, Task, nearest

Combination = Mapping[str, str]
NOT_OVERRIDES = ("model", "seed")


def arguments(
    task: Task, given: argparse.Namespace, combination: Combination, *, model: str = "", seed: int = 0
) -> dict[str, Any]:
    """The pipeline's parameters for one combination, checked before anything runs."""
    name, number = combination.get("model", model or task.default_model), combination.get("seed", str(seed))
    if name not in task.models:
        raise InputError(f"{given.task} has no model {name!r}.{nearest(name, list(task.models))}")
    if not number.isdecimal():
        raise InputError(f"A seed is a whole number. Received: {number!r}.")
    fixed = {**vars(given), "model": name, "seed": int(number), "force": None, "no_push": True, "keep": 0}
    filled = pipeline_arguments(argparse.Namespace(**fixed))
    filled["overrides"] |= {key: value for key, value in combination.items() if key not in NOT_OVERRIDES}
    settings.check_overrides(task, name, filled["overrides"])
    return filled


def push_command(given: argparse.Namespace, combination: Combination) -> str:
    """What pushes it; all its steps are cached but the last."""
    chosen: list[str] = []
    for key, value in combination.items():
        chosen += [f"--{key}", value] if key in NOT_OVERRIDES else ["--set", f"{key}={value}"]
    return command("run", given, chosen)


def command(verb: str, given: argparse.Namespace, chosen: Sequence[str]) -> str:
    """Another command about the same task, data and places. What was chosen stands last, so it holds."""
    words = ["sluice", verb, given.task]
    words += [word for setting in given.overrides for word in ("--set", setting)]
    words += [*chosen, *(f"--beam={arg}" for arg in given.beam)]
    words += ["--data", given.data] if given.data != "sample" else []
    words += ["--data-dir", given.data_dir] if given.data_dir else []
    places = {"runs": given.runs_dir, "serving": given.serving_dir}
    words += [
        word for name, place in places.items() if place != default_place(name) for word in (f"--{name}", f"{place}")
    ]
    words += ["--tasks", given.tasks] if given.tasks else []
    return shlex.join(words)


def watched_numbers(result: Result) -> dict[str, float]:
    """The best epoch's, on the rows that training watches; nothing if it has not come so far."""
    return dict(_written(result, "training.json").get("watched_metrics", {}))


def curves(result: Result) -> dict[str, list[float | None]]:
    return dict(_written(result, "history.json"))


def _written(result: Result, name: str) -> dict[str, Any]:
    model = result.facts.get("artifacts", {}).get("train/model")
    return dict(read_json(Path(model) / name)) if model else {}


def verdict(result: Result, said: str) -> list[str]:
    """How a run fared that was judged, in lines; `said` tells how it was chosen."""
    facts = result.facts
    lines = [f"{said}: {run_summary.metrics(facts.get('metrics', {}))}"]
    if result.status != DONE:
        lines += ["It does not clear the gate:", *(f"  - {reason}" for reason in facts["reasons"])]
    return lines


def in_words(combination: Combination) -> str:
    return "  ".join(f"{key}={value}" for key, value in combination.items())


def seconds(result: Result) -> float:
    return float(sum(step["seconds"] for step in result.facts["steps"]))
