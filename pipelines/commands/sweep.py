"""`sluice sweep`: a run for each combination of settings, which share the steps before training."""

from __future__ import annotations

import argparse
import itertools
import json
import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import tasks
from components import settings
from pipelines.commands import run_summary
from pipelines.commands.run import as_json
from pipelines.local.run import DONE, INTERRUPTED, Result
from pipelines.local.side_by_side import Wanted, Workers
from pipelines.trials import watched_metric
from pipelines.trials.one_run import Combination, arguments, in_words, push_command, seconds, verdict, watched_numbers
from tasks import InputError, Task

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
    with Workers(min(given.jobs, len(runs)), given.runs_dir) as workers:
        results = _told(workers, combinations, runs, until="train")
        ranking = by_watched_rows(task, runs, results) if _whole(results) else None
        if ranking is not None and not results[ranking.order[0]].trouble:
            (results[ranking.order[0]],) = workers.results([Wanted(arguments=runs[ranking.order[0]])])
        if ranking is None and _whole(results):
            print(f"sluice: {NOT_WATCHED}", file=sys.stderr)
            results = _told(workers, combinations, runs)
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


def by_watched_rows(task: Task, runs: list[dict[str, Any]], results: list[Result]) -> Ranking | None:
    """By the best epoch's numbers on the rows that training watches, which the gate does not ask; None without such."""
    fits = [settings.train_settings(task, run["model"], _of_training(run))[0] for run in runs]
    metric = watched_metric.stands_for(task, [fit.loss for fit in fits])
    found = [watched_numbers(result) for result in results]
    mains = [task.models[run["model"]].outputs[0] for run in runs]
    for watched in (metric, watched_metric.Watched("loss")):
        keys = [watched.within(numbers, main) for numbers, main in zip(found, mains, strict=True)]
        if all(key in numbers or result.trouble for key, numbers, result in zip(keys, found, results, strict=True)):
            values = [numbers.get(key) for key, numbers in zip(keys, found, strict=True)]
            return Ranking(watched.name, values, higher=watched.higher)
    return None


def by_test_rows(task: Task, results: list[Result]) -> Ranking:
    metric = task.gate[0].metric
    values = [result.facts.get("metrics", {}).get(metric) for result in results]
    return Ranking(metric, values, higher=task.directions[metric], on_test=True)


def _of_training(run: Mapping[str, Any]) -> dict[str, str]:
    return {key: value for key, value in run["overrides"].items() if not key.startswith(settings.PREPROCESS)}


def _told(
    workers: Workers, combinations: list[Combination], runs: list[dict[str, Any]], until: str = ""
) -> list[Result]:
    """The results of all runs, each told when it is there, as far as nobody interrupts."""
    results: list[Result] = []
    wanted = [Wanted(arguments=filled, until=until) for filled in runs]
    for combination, result in zip(combinations, workers.results(wanted), strict=True):
        results.append(result)
        print(f"{len(results)}/{len(runs)}  {in_words(combination)}  {_outcome(result)}", file=sys.stderr, flush=True)
        if result.status == INTERRUPTED:
            break
    return results


def _rows(combinations: list[Combination], results: list[Result], ranking: Ranking) -> list[list[str]]:
    rows = [["RUN", *combinations[0], f"{ranking.metric} ({'test' if ranking.on_test else 'validation'})"]]
    for at in ranking.order:
        value = ranking.values[at]
        shown = "failed" if results[at].trouble or value is None else run_summary.number(value)
        rows.append([str(results[at].facts["run"]), *combinations[at].values(), shown])
    return rows


def _next(given: argparse.Namespace, combinations: list[Combination], results: list[Result], ranking: Ranking) -> str:
    """How the best one fared, and the command that pushes it."""
    best = ranking.order[0]
    if results[best].trouble:
        return "None of them came to its end."
    said = "Chosen by the rows that training watches, and judged once, on the test rows"
    said = "Chosen by the test rows, which judge it too, so its score flatters it" if ranking.on_test else said
    pushed = f"To push the best: {push_command(given, combinations[best])}"
    return "\n".join([*verdict(results[best], said), *([pushed] if results[best].status == DONE else [])])


def _whole(results: list[Result]) -> bool:
    """Nobody has interrupted them."""
    return all(result.status != INTERRUPTED for result in results)


def _outcome(result: Result) -> str:
    if result.trouble:
        return result.trouble
    numbers = result.facts.get("metrics") or {f"val_{name}": value for name, value in watched_numbers(result).items()}
    return f"{run_summary.metrics(numbers)}  ({result.facts['run']}, {seconds(result):.0f} s)"
