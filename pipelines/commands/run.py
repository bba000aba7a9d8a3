"""`sluice run`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping
from typing import Any

import tasks
from components.storage.local_paths import local_path, source_kind
from pipelines import check_arguments, compiled_graph
from pipelines.commands import run_summary
from pipelines.compiled_graph import Graph
from pipelines.local.dry_run import preview
from pipelines.local.progress_display import Display
from pipelines.local.progress_events import Events
from pipelines.local.run import FAILED, REJECTED, WRONG_INPUT, Result, run
from pipelines.local.run_steps import StepFailedError
from tasks import InputError

# What a webhook is told of, by exit status; whoever interrupts a run knows it.
EVENTS = {FAILED: "failed", WRONG_INPUT: "failed", REJECTED: "rejected"}


def main(given: argparse.Namespace) -> int:
    if not given.notify:
        return _main(given)
    from pipelines.local import webhook

    webhook.check(given.notify)
    try:
        return _main(given)
    except (OSError, ValueError, RuntimeError) as error:
        status = WRONG_INPUT if isinstance(error, InputError) else FAILED
        webhook.tell(given.notify, "failed", f"sluice run {given.task} failed: {error}", status, task=given.task)
        raise


def _main(given: argparse.Namespace) -> int:
    tasks.check_name(given.task)
    arguments = pipeline_arguments(given)
    if given.dry_run:
        return _dry_run(compiled_graph.training(), arguments, given)
    display = Events() if given.progress == "json" else None
    training = compiled_graph.training(given.runs_dir)
    result = run(training, arguments, given.runs_dir, use_cache=not given.no_cache, display=display)
    if given.json:
        print(json.dumps(as_json(result), indent=1))
    elif not result.trouble:
        print(run_summary.summary(result.facts))
    if result.trouble:
        print(f"sluice: {result.trouble}", file=sys.stderr)
        if result.facts.get("mlflow"):
            print(result.facts["mlflow"], file=sys.stderr)
    if given.notify and result.status in EVENTS:
        _notify(given.notify, result)
    return result.status


def _notify(url: str, result: Result) -> None:
    from pipelines.local import webhook

    facts = as_json(result)
    name = facts["run"] or f"sluice run {facts['task']}"
    said = f"failed: {result.trouble}" if result.trouble else "\n".join(run_summary.verdict(result.facts))
    told = {key: value for key, value in facts.items() if key not in {"steps", "nothing_new", "blessed"}}
    webhook.tell(url, EVENTS[result.status], f"{name}: {said}", result.status, **told)


def pipeline_arguments(given: argparse.Namespace) -> dict[str, Any]:
    """What was typed, as the pipeline's parameters, with every path made absolute."""
    check_arguments.check(given)
    return {
        "task": given.task,
        "model": given.model,
        "data": _place(given.data) if source_kind(given.data) == "user" else given.data,
        "data_dir": _place(given.data_dir) if given.data_dir else "",
        "destination": str(given.serving_dir),
        "seed": given.seed,
        "overrides": overrides(given),
        "beam_args": given.beam,
        "force": given.force or "",
        "publish": not given.no_push,
        "keep": given.keep,
        "warm_start": getattr(given, "warm_start", False),
        "analysis": str(given.runs_dir / ".cache" / "analysis"),
    }


def as_json(result: Result) -> dict[str, Any]:
    """The object that scripts read; every key is there whatever happened."""
    facts = result.facts
    steps = [{name: step[name] for name in ("name", "status", "seconds")} for step in facts["steps"]]
    return {
        **{name: facts[name] for name in ("run", "task", "model", "data")},
        "steps": steps,
        "metrics": facts.get("metrics", {}),
        "blessed": facts.get("blessed"),
        "reasons": facts.get("reasons", []),
        "warnings": facts.get("warnings", []),
        "nothing_new": facts.get("nothing_new", False),
        "pushed": facts.get("pushed", ""),
        "report": facts.get("report", ""),
        "mlflow": facts.get("mlflow", ""),
        "error": result.trouble,
    }


def _dry_run(training: Graph, arguments: Mapping[str, Any], given: argparse.Namespace) -> int:
    display = Display(quiet=True)
    try:
        plan = preview(training, arguments, given.runs_dir, use_cache=not given.no_cache, display=display)
    except StepFailedError as error:
        print(f"sluice: {error}", file=sys.stderr)
        return WRONG_INPUT if error.failure.wrong_input else FAILED
    if given.json:
        steps = [{"name": step.name, "status": step.status, "why": step.why} for step in plan]
        print(json.dumps({"task": given.task, "steps": steps}, indent=1))
    else:
        print(run_summary.table([(step.name, step.status, step.why) for step in plan]))
    return 0


def overrides(given: argparse.Namespace) -> dict[str, str]:
    """What --set was given."""
    return dict(_setting(word) for word in given.overrides)


def _setting(word: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not key or not equals:
        raise InputError(f"--set takes KEY=VALUE, such as train.epochs=5. Received: {word!r}.")
    return key, value


def _place(words: str) -> str:
    return words if "://" in words else str(local_path(words).absolute())
