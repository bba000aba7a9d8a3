"""`sluice sweep`: a run for each combination of settings, which share the steps before training."""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import tasks
from components import settings
from pipelines import compiled_graph
from pipelines.commands import run_summary
from pipelines.commands.run import as_json, pipeline_arguments
from pipelines.local.progress_display import Display
from pipelines.local.run import DONE, INTERRUPTED, Result, run
from pipelines.local.warm_server import WarmServer
from tasks import InputError, Task, nearest

Combination = Mapping[str, str]


def main(given: argparse.Namespace) -> int:
    task = tasks.get(given.task)
    if given.jobs < 1:
        raise InputError(f"--jobs must be at least 1. Received: {given.jobs}.")
    combinations = expand(given.grid)
    runs = [arguments(task, given, combination) for combination in combinations]
    results = []
    for combination, result in zip(combinations, _results(runs, given.runs_dir, given.jobs), strict=True):
        results.append(result)
        print(f"{len(results)}/{len(runs)}  {_words(combination)}  {_outcome(result)}", file=sys.stderr, flush=True)
        if result.status == INTERRUPTED:
            return INTERRUPTED
    order = best_first(task, results)
    if given.json:
        print(json.dumps([{**combinations[at], **as_json(results[at])} for at in order], indent=1))
    else:
        print(run_summary.table(_rows(combinations, results, order)))
        print(_next(given, task, combinations, results, order))
    return 1 if any(_broken(result) for result in results) else DONE


def expand(grids: list[str]) -> list[Combination]:
    """Every combination of the grids' values, the last grid's changing fastest."""
    axes: dict[str, list[str]] = {}
    for grid in grids:
        key, equals, values = grid.partition("=")
        listed = [value.strip() for value in values.split(",") if value.strip()]
        if not key or not equals or not listed:
            raise InputError(f"--grid takes KEY=V1,V2,..., such as train.epochs=5,10. Received: {grid!r}.")
        if key in axes:
            raise InputError(f"Two grids change {key}. Expected one, with all its values.")
        axes[key] = list(dict.fromkeys(listed))
    return [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]


def arguments(task: Task, given: argparse.Namespace, combination: Combination) -> dict[str, Any]:
    """The pipeline's parameters for one combination, checked before anything runs."""
    model, seed = combination.get("model", task.default_model), combination.get("seed", "0")
    if model not in task.models:
        raise InputError(f"{given.task} has no model {model!r}.{nearest(model, list(task.models))}")
    if not seed.isdecimal():
        raise InputError(f"A seed is a whole number. Received: {seed!r}.")
    fixed = argparse.Namespace(**vars(given), model=model, seed=int(seed), force=None, no_push=True, keep=0)
    filled = pipeline_arguments(fixed)
    filled["overrides"] |= {key: value for key, value in combination.items() if key not in {"model", "seed"}}
    settings.check_overrides(task, model, filled["overrides"])
    return filled


def best_first(task: Task, results: list[Result]) -> list[int]:
    """Positions by the first metric of the task's gate; runs without it come last."""
    metric = task.gate[0].metric
    sign = -1 if task.directions[metric] else 1

    def rank(at: int) -> float:
        value = results[at].facts.get("metrics", {}).get(metric)
        return float("inf") if value is None else sign * value

    return sorted(range(len(results)), key=rank)


def _results(runs: list[dict[str, Any]], directory: Path, jobs: int) -> Iterator[Result]:
    if jobs == 1:
        with _server() as server:
            for filled in runs:
                yield _run(filled, directory, server)
        return
    # Each of them forks and handles signals, which takes a main thread: a process each.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(runs)), mp_context=context) as pool:
        yield from pool.map(_alone, runs, itertools.repeat(directory))


def _alone(filled: dict[str, Any], directory: Path) -> Result:
    with _server() as server:
        return _run(filled, directory, server)


def _run(filled: dict[str, Any], directory: Path, server: WarmServer) -> Result:
    return run(compiled_graph.training(), filled, directory, display=Display(quiet=True), server=server)


@contextmanager
def _server() -> Iterator[WarmServer]:
    """TensorFlow is loaded once for all runs of a process."""
    with tempfile.NamedTemporaryFile() as log:
        server = WarmServer(Path(log.name))
        try:
            yield server
        finally:
            server.stop()


def _rows(combinations: list[Combination], results: list[Result], order: list[int]) -> list[list[str]]:
    metrics = list(dict.fromkeys(name for result in results for name in result.facts.get("metrics", {})))
    rows = [["RUN", *(key for key in combinations[0]), *metrics, "GATE"]]
    for at in order:
        facts = results[at].facts
        values = [run_summary.number(facts.get("metrics", {}).get(name, "")) for name in metrics]
        gate = "failed" if _broken(results[at]) else "passed" if facts.get("blessed") else "rejected"
        rows.append([str(facts["run"]), *combinations[at].values(), *values, gate])
    return rows


def _next(
    given: argparse.Namespace, task: Task, combinations: list[Combination], results: list[Result], order: list[int]
) -> str:
    """The command that pushes the best; all its steps are cached but the last."""
    best = next((at for at in order if results[at].facts.get("blessed")), None)
    if best is None:
        return "None of them clears the gate."
    words = ["sluice", "run", given.task]
    for key, value in combinations[best].items():
        words += [f"--{key}", value] if key in {"model", "seed"} else ["--set", f"{key}={value}"]
    words += [word for setting in given.overrides for word in ("--set", setting)]
    words += [word for arg in given.beam for word in ("--beam", arg)]
    words += ["--data", given.data] if given.data != "sample" else []
    words += ["--data-dir", given.data_dir] if given.data_dir else []
    return f"To push the best: {shlex.join(words)}"


def _broken(result: Result) -> bool:
    return bool(result.trouble)


def _outcome(result: Result) -> str:
    if result.trouble:
        return result.trouble
    seconds = sum(step["seconds"] for step in result.facts["steps"])
    return f"{run_summary.metrics(result.facts.get('metrics', {}))}  ({result.facts['run']}, {seconds:.0f} s)"


def _words(combination: Combination) -> str:
    return "  ".join(f"{key}={value}" for key, value in combination.items())
