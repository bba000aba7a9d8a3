"""`sluice search`: settings chosen by what earlier ones came to, each tried by a run; the best is judged once."""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tasks
from components import settings
from components.code import code_hash
from components.reading.sources import snapshot, source_parts
from components.resolve import date_placeholders
from pipelines.commands import run_summary
from pipelines.commands.run import as_json, overrides
from pipelines.local import run_record
from pipelines.local.progress_display import Display
from pipelines.local.remove_runs import SEARCHES, in_use
from pipelines.local.run import DONE, FAILED, Result
from pipelines.local.side_by_side import Workers
from pipelines.trials import one_run, page, space, study, watched_metric
from pipelines.trials.conduct import Conductor, judged
from pipelines.trials.one_run import Combination
from pipelines.trials.page import Story
from pipelines.trials.space import Axis
from tasks import InputError, Task

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

# What a trial's value depends on.
STEPS = ("ingest", "validate", "transform", "train")
SHOWN = 10
CHOSEN = "Chosen by the rows that training watches, and judged once, on the test rows"


def main(given: argparse.Namespace) -> int:
    task, fixed = tasks.get(given.task), overrides(given)
    if given.jobs < 1 or given.trials < 1:
        raise InputError(f"--trials and --jobs are at least 1. Received: {given.trials} and {given.jobs}.")
    axes = space.parse(given.space, task, given.model, fixed)
    demand_room(axes, given)
    fits = watched_metric.possible_fits(axes, task, given.model, fixed)
    metric = watched_metric.stands_for(task, [fit.loss for fit in fits])
    study.demand_library()
    display = Display()
    display.begin("search", Path(os.devnull))
    display.tick("looking at the data")
    place = given.runs_dir / SEARCHES / f"{given.task}-{identity(task, given, axes)}"
    command = run_record.typed()
    story = Story(place=place, task=given.task, metric=metric, count=given.trials, axes=axes, command=command)
    given.runs_dir.mkdir(parents=True, exist_ok=True)
    with in_use(given.runs_dir), study.alone(place):
        known = study.opened(place, higher=metric.higher, seed=given.seed, epochs=min(fit.epochs for fit in fits))
        return _search(task, given, story, known, display)


def _search(task: Task, given: argparse.Namespace, story: Story, known: optuna.Study, display: Display) -> int:
    with Workers(min(given.jobs, given.trials), given.runs_dir) as workers:
        conductor = Conductor(
            known, workers, story.metric, given.trials,
            ask=lambda trial: chosen(trial, story.axes, task, given.model),
            filled=lambda combination: filled(task, given, combination),
            output=lambda model: task.models[model].outputs[0],
            epochs=lambda asked: settings.train_settings(task, asked["model"], asked["overrides"])[0].epochs,
            display=display, concluded=lambda: page.write(known, story),
        )  # fmt: skip
        if conductor.ended:
            display.say(f"Going on after {conductor.ended} trials that the same command has made before.")
        conductor.run()
        best = study.best(known)
        if best is None or conductor.hopeless:
            display.clear()
            why = conductor.failures[-1] if conductor.failures else "It did not come to its end."
            print(f"sluice: One trial after another failed, so the search ends. The last: {why}", file=sys.stderr)
            return FAILED
        combination = page.chosen(best, story.axes)
        result = judged(workers, filled(task, given, combination), known.study_name, display)
    push = one_run.push_command(given, {**_typed(given), **combination}) if result.status == DONE else ""
    story = replace(story, judged=None if result.trouble else result.facts, push=push)
    page.write(known, story)
    _tell(given, known, story, result)
    return result.status


def demand_room(axes: Sequence[Axis], given: argparse.Namespace) -> None:
    """A small space has nothing to be searched: all of it can be tried."""
    count = math.prod(axis.count for axis in axes)
    if count <= given.trials:
        grids = [word for axis in axes for word in ("--grid", f"{axis.key}={','.join(axis.values)}")]
        grids += [word for key, value in _typed(given).items() for word in ("--grid", f"{key}={value}")]
        raise InputError(
            f"The space has just {count:g} combinations, no more than the {given.trials} trials. To try each of them "
            f"once: {one_run.command('sweep', given, grids)}"
        )


def identity(task: Task, given: argparse.Namespace, axes: Sequence[Axis]) -> str:
    """The same for a command whose trials can be told from one another by their settings alone."""
    asked = filled(task, given, {})
    data = date_placeholders.filled(asked["data"], scheduled="", schedule="", timezone="")
    state = snapshot(source_parts(task, data, asked["data_dir"]))
    code = code_hash(*(f"components.{step}.step" for step in STEPS), f"tasks.{given.task}")
    everything = [
        given.task,
        given.model,
        given.seed,
        state,
        code,
        sorted(asked["overrides"].items()),
        list(map(str, axes)),
    ]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()[:8]


def filled(task: Task, given: argparse.Namespace, combination: Combination) -> dict[str, Any]:
    return one_run.arguments(task, given, combination, model=given.model, seed=given.seed)


def chosen(trial: Trial, axes: Sequence[Axis], task: Task, model: str) -> Combination:
    """The model first, as only its own settings are chosen after it."""
    found: dict[str, str] = {}
    for axis in sorted(axes, key=lambda axis: axis.key != "model"):
        if axis.key == "model" or axis.key in settings.known(task, found.get("model", model or task.default_model)):
            found[axis.key] = study.suggested(trial, axis)
    return found


def _typed(given: argparse.Namespace) -> Combination:
    """What was asked for beside the space, and not by --set."""
    return {**({"model": given.model} if given.model else {}), **({"seed": str(given.seed)} if given.seed else {})}


def _tell(given: argparse.Namespace, known: optuna.Study, story: Story, result: Result) -> None:
    ranked, where = study.ranked(known), story.place / page.NAME
    if given.json:
        trials = [_facts(trial, story.axes) for trial in ranked]
        by = {"ranked_by": story.metric.name, "ranked_on": "watched", "importance": study.importances(known)}
        best = {**trials[0], **as_json(result)}
        print(
            json.dumps({"search": known.study_name, "page": str(where), **by, "best": best, "trials": trials}, indent=1)
        )
        return
    print(run_summary.table(_rows(ranked[:SHOWN], story)))
    lines = [f"{len(ranked) - SHOWN} more are on the page."] if len(ranked) > SHOWN else []
    lines += [result.trouble] if result.trouble else one_run.verdict(result, CHOSEN)
    lines += [f"page {where}", *([f"To push the best: {story.push}"] if story.push else [])]
    print("\n".join(lines))


def _rows(trials: Sequence[FrozenTrial], story: Story) -> list[list[str]]:
    rows = [["RUN", *(axis.key for axis in story.axes), f"{story.metric.name} (validation)"]]
    for about in (_facts(trial, story.axes) for trial in trials):
        value = run_summary.number(about["value"]) if about["state"] == "ended" else about["state"]
        rows.append([about["run"], *(about["settings"].get(axis.key, "") for axis in story.axes), value])
    return rows


def _facts(trial: FrozenTrial, axes: Sequence[Axis]) -> dict[str, Any]:
    return {
        "trial": trial.number,
        "run": trial.user_attrs.get(study.RUN, ""),
        "state": page.STATES[trial.state.name],
        "value": trial.value if trial.state.name == "COMPLETE" else None,
        "epochs": len(trial.intermediate_values),
        "settings": page.chosen(trial, axes),
        "why": trial.user_attrs.get(study.WHY, ""),
    }
