"""`sluice sweep`: a run for each combination of settings, which share the steps before training."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import multiprocessing
import shlex
import sys
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tasks
from components import settings
from components.storage.atomic_files import read_json
from pipelines import compiled_graph
from pipelines.commands import run_summary
from pipelines.commands.run import as_json, pipeline_arguments
from pipelines.local.progress_display import Display
from pipelines.local.run import DONE, INTERRUPTED, Result, run
from pipelines.local.warm_server import WarmServer
from tasks import InputError, Task, nearest

Combination = Mapping[str, str]

# Metrics of a gate for which one that Keras watches puts models in about the same order.
STANDS_FOR = {"mae": "mae", "accuracy": "accuracy", "macro_f1": "accuracy"}
NOT_WATCHED = (
    "no rows are held out for training to watch, so all runs are judged on the test rows and put in order by them. "
    "That is worse: the best of many is partly the luckiest on just these rows, and no others are left to show it."
)


@dataclass(frozen=True)
class Ranking:
    """What the runs are put in order by: a metric of each, and whether it was taken on the rows that the gate asks."""

    metric: str
    values: list[float | None]
    higher: bool
    on_test: bool = False

    @property
    def order(self) -> list[int]:
        """Positions, the best first; runs without the metric come last."""
        sign = -1 if self.higher else 1
        return sorted(range(len(self.values)), key=lambda at: math.inf if (v := self.values[at]) is None else sign * v)


def main(given: argparse.Namespace) -> int:
    task = tasks.get(given.task)
    if given.jobs < 1:
        raise InputError(f"--jobs must be at least 1. Received: {given.jobs}.")
    combinations = expand(given.grid)
    runs = [arguments(task, given, combination) for combination in combinations]
    results = _told(given, combinations, runs, until="train")
    ranking = by_watched_rows(task, runs, results) if _whole(results) else None
    if ranking is not None and not results[ranking.order[0]].trouble:
        (results[ranking.order[0]],) = _results([runs[ranking.order[0]]], given.runs_dir, 1)
    if ranking is None and _whole(results):
        print(f"sluice: {NOT_WATCHED}", file=sys.stderr)
        results = _told(given, combinations, runs)
        ranking = by_test_rows(task, results)
    if ranking is None or not _whole(results):
        return INTERRUPTED
    if given.json:
        ranked = {"ranked_by": ranking.metric, "ranked_on": "test" if ranking.on_test else "watched"}
        told = [
            {**combinations[at], **ranked, "value": ranking.values[at], **as_json(results[at])} for at in ranking.order
        ]
        print(json.dumps(told, indent=1))
    else:
        print(run_summary.table(_rows(combinations, results, ranking)))
        print(_next(given, combinations, results, ranking))
    return 1 if any(result.trouble for result in results) else DONE


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


def by_watched_rows(task: Task, runs: list[dict[str, Any]], results: list[Result]) -> Ranking | None:
    """By the best epoch's numbers on the rows that training watches, which the gate does not ask; None without such.

    The loss stands for a metric that is not watched, unless the runs minimise different losses.
    """
    fits = [settings.train_settings(task, run["model"], _of_training(run))[0] for run in runs]
    plain = "mae" if task.kind == "regression" else "accuracy"
    named = STANDS_FOR.get(task.gate[0].metric, "loss")
    metric = plain if named == "loss" and len({fit.loss for fit in fits}) > 1 else named
    found = [_watched(result) for result in results]
    mains = [task.models[run["model"]].outputs[0] for run in runs]
    for name in (metric, "loss"):
        keys = [
            f"{main}_{name}" if f"{main}_{name}" in watched else name
            for watched, main in zip(found, mains, strict=True)
        ]
        if all(key in watched or result.trouble for key, watched, result in zip(keys, found, results, strict=True)):
            values = [watched.get(key) for key, watched in zip(keys, found, strict=True)]
            return Ranking(name, values, higher=name == "accuracy")
    return None


def by_test_rows(task: Task, results: list[Result]) -> Ranking:
    metric = task.gate[0].metric
    values = [result.facts.get("metrics", {}).get(metric) for result in results]
    return Ranking(metric, values, higher=task.directions[metric], on_test=True)


def _of_training(run: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in run["overrides"].items() if not key.startswith(settings.PREPROCESS)}


def _watched(result: Result) -> dict[str, float]:
    model = result.facts.get("artifacts", {}).get("train/model")
    return dict(read_json(Path(model) / "training.json")["watched_metrics"]) if model else {}


def _told(
    given: argparse.Namespace, combinations: list[Combination], runs: list[dict[str, Any]], until: str = ""
) -> list[Result]:
    """The results of all runs, each told when it is there, as far as nobody interrupts."""
    results: list[Result] = []
    for combination, result in zip(combinations, _results(runs, given.runs_dir, given.jobs, until), strict=True):
        results.append(result)
        print(f"{len(results)}/{len(runs)}  {_words(combination)}  {_outcome(result)}", file=sys.stderr, flush=True)
        if result.status == INTERRUPTED:
            break
    return results


def _results(runs: list[dict[str, Any]], directory: Path, jobs: int, until: str = "") -> Iterator[Result]:
    if jobs == 1:
        with _server() as server:
            for filled in runs:
                yield _run(filled, directory, server, until)
        return
    # Each of them forks and handles signals, which takes a main thread: a process each.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(jobs, len(runs)), mp_context=context) as pool:
        yield from pool.map(_alone, runs, itertools.repeat(directory), itertools.repeat(until))


def _alone(filled: dict[str, Any], directory: Path, until: str) -> Result:
    with _server() as server:
        return _run(filled, directory, server, until)


def _run(filled: dict[str, Any], directory: Path, server: WarmServer, until: str) -> Result:
    return run(compiled_graph.training(), filled, directory, display=Display(quiet=True), server=server, until=until)


@contextmanager
def _server() -> Iterator[WarmServer]:
    """TensorFlow is loaded once for all runs of a process."""
    with tempfile.NamedTemporaryFile() as log:
        server = WarmServer(Path(log.name))
        try:
            yield server
        finally:
            server.stop()


def _rows(combinations: list[Combination], results: list[Result], ranking: Ranking) -> list[list[str]]:
    rows = [["RUN", *combinations[0], f"{ranking.metric} ({'test' if ranking.on_test else 'validation'})"]]
    for at in ranking.order:
        value = ranking.values[at]
        shown = "failed" if results[at].trouble or value is None else run_summary.number(value)
        rows.append([str(results[at].facts["run"]), *combinations[at].values(), shown])
    return rows


def _next(given: argparse.Namespace, combinations: list[Combination], results: list[Result], ranking: Ranking) -> str:
    """How the best one fared, and the command that pushes it; all its steps are cached but the last."""
    best = ranking.order[0]
    facts = results[best].facts
    if results[best].trouble:
        return "None of them came to its end."
    said = "Chosen by the rows that training watches, and judged once, on the test rows"
    said = "Chosen by the test rows, which judge it too, so its score flatters it" if ranking.on_test else said
    lines = [f"{said}: {run_summary.metrics(facts.get('metrics', {}))}"]
    if not facts.get("blessed"):
        return "\n".join([*lines, "It does not clear the gate:", *(f"  - {reason}" for reason in facts["reasons"])])
    words = ["sluice", "run", given.task]
    for key, value in combinations[best].items():
        words += [f"--{key}", value] if key in {"model", "seed"} else ["--set", f"{key}={value}"]
    words += [word for setting in given.overrides for word in ("--set", setting)]
    words += [word for arg in given.beam for word in ("--beam", arg)]
    words += ["--data", given.data] if given.data != "sample" else []
    words += ["--data-dir", given.data_dir] if given.data_dir else []
    return "\n".join([*lines, f"To push the best: {shlex.join(words)}"])


def _whole(results: list[Result]) -> bool:
    """Nobody has interrupted them."""
    return all(result.status != INTERRUPTED for result in results)


def _outcome(result: Result) -> str:
    if result.trouble:
        return result.trouble
    seconds = sum(step["seconds"] for step in result.facts["steps"])
    numbers = result.facts.get("metrics") or {f"val_{name}": value for name, value in _watched(result).items()}
    return f"{run_summary.metrics(numbers)}  ({result.facts['run']}, {seconds:.0f} s)"


def _words(combination: Combination) -> str:
    return "  ".join(f"{key}={value}" for key, value in combination.items())
