"""A run from its arguments to its verdict: the record, the walk, what came of it, and the exit status."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.serving.provenance import git_revision, library_versions
from components.storage.atomic_files import read_json
from pipelines.compiled_graph import RUN_NAME, Graph
from pipelines.local import interrupts, run_record, short_run
from pipelines.local.kept_process import PRELOAD
from pipelines.local.progress_display import Display
from pipelines.local.remove_runs import in_use
from pipelines.local.run_record import Record
from pipelines.local.run_steps import StepFailedError, Walk, publish
from pipelines.local.step_process import full_place, is_full_disk
from pipelines.local.step_values import Outputs
from pipelines.local.warm_server import WarmServer
from pipelines.runs_page import write as write_page

DONE, FAILED, WRONG_INPUT, REJECTED, INTERRUPTED = 0, 1, 2, 3, 130


class PrunedError(Exception):
    """Whoever watches a run has seen enough of it."""


@dataclass(frozen=True)
class Result:
    """The facts in run.json, the exit status, and what to tell the user about a failure."""

    facts: Mapping[str, Any]
    status: int
    trouble: str = ""


def run(
    graph: Graph,
    arguments: Mapping[str, Any],
    runs: Path,
    *,
    use_cache: bool = True,
    display: Display | None = None,
    preload: tuple[str, ...] = PRELOAD,
    server: WarmServer | None = None,
    until: str = "",
    watch: Callable[[Path], object] = lambda _: None,
    noted: Mapping[str, Any] | None = None,
) -> Result:
    """Walk the graph in a new run directory; with a server given, that one is used and left running.

    With `until`, that step is the last: nothing is judged after it, and nothing pushed. `watch` is called with the
    run's directory ten times a second; what it raises ends the run, and PrunedError is no failure. `noted` goes into
    the record.
    """
    complete = graph.arguments(arguments)
    task = str(complete.get("task", graph.name))
    asked = {"model": complete.get("model", ""), "data": complete.get("data", "")}
    made_by = {"versions": library_versions(), "git": git_revision()}
    record = Record.new(runs.absolute(), task, {**asked, **made_by, **(noted or {})})
    # An argument may name the run itself: so a run can have a destination of its own.
    named = {k: v.replace(RUN_NAME, record.name) if isinstance(v, str) else v for k, v in complete.items()}
    complete = record.facts["parameters"] = named
    status = "failed"
    try:
        with interrupts.heeded() as stop_if_asked, in_use(record.path.parent):
            run_record.tidy(record.path.parent)
            walk = Walk(
                graph, complete, record, use_cache=use_cache, display=display, preload=preload, server=server,
                ask=lambda: [stop_if_asked(), watch(record.path)],
            )  # fmt: skip
            _conclude(graph, walk.run(until), record)
        status = "done" if cleared(record.facts) else "rejected"
        return Result(record.facts, DONE if status == "done" else REJECTED)
    except StepFailedError as error:
        if error.failure.wrong_input and len(record.facts["steps"]) == 1:
            record.discard()  # nothing has begun, so there is nothing to keep
            return Result({**record.facts, "run": ""}, WRONG_INPUT, error.failure.message)
        pages = _pages(graph, walk.values.outputs, record, error.step)
        trouble = f"{error}\nIts log: {error.log}{_report(record, error, pages)}"
        return Result(record.facts, WRONG_INPUT if error.failure.wrong_input else FAILED, trouble)
    except PrunedError:
        status = "pruned"
        return Result(record.facts, DONE)
    except KeyboardInterrupt:
        status = "interrupted"
        trouble = f"{record.name} was interrupted. The same command goes on where it stopped."
        return Result(record.facts, INTERRUPTED, trouble)
    except OSError as error:
        if not is_full_disk(error):
            raise
        return Result(record.facts, FAILED, _full(full_place(error, runs)))
    finally:
        record.close(status)
        short_run.tell(record, status)
        _rewrite_page(record.path.parent)


def _full(place: Path) -> str:
    return f"The disk that holds {place} is full. Free some space; the same command goes on where it stopped."


def _rewrite_page(runs: Path) -> None:
    """The page is a convenience: a run is what it is also where it cannot be written."""
    try:
        write_page.write(runs)
    except OSError as error:
        print(f"sluice: {runs / write_page.NAME} could not be rewritten: {error.strerror}", file=sys.stderr)


def _conclude(graph: Graph, outputs: Mapping[str, Outputs], record: Record) -> None:
    """Gather what a reader wants to know from where the steps have put it."""
    artifacts = {
        schema: outputs[step.name].artifacts[name]
        for step in graph.steps
        if step.name in outputs
        for name, schema in step.output_artifacts.items()
    }
    said = {name: output.parameters for name, output in outputs.items()}
    resolved, evaluated, pushed = said.get("resolve", {}), said.get("evaluate", {}), said.get("push", {})
    if "system.Metrics" in artifacts:
        record.facts["metrics"] = dict(sorted(artifacts["system.Metrics"].metadata.items()))
    if "system.HTML" in artifacts:
        report = record.path.parent / artifacts["system.HTML"].path
        publish(report, record.path / "report.html")
        record.facts["report"] = str(record.path / "report.html")
        record.facts["mlflow"] = artifacts["system.HTML"].metadata.get("mlflow", "")
    serving, given = resolved.get("serving", 0), record.facts["parameters"]
    if serving and given.get("publish") and "push" not in outputs:  # the walk has ended early
        pushed = {"version": serving, "pushed": f"{given['destination']}/{given['task']}/{serving}"}
    record.update(
        nothing_new=bool(serving) and pushed.get("version") == serving,
        warnings=_warnings(outputs, record),
        model=resolved.get("model", record.facts["model"]),
        resolved=resolved.get("parameters", {}),
        blessed=evaluated.get("blessed"),
        reasons=[*dict.fromkeys([*evaluated.get("reasons", []), *pushed.get("reasons", [])])],
        pushed=pushed.get("pushed", ""),
        version=pushed.get("version", 0),
        artifacts={
            f"{step}/{name}": str(record.path.parent / artifact.path)
            for step, output in outputs.items()
            for name, artifact in output.artifacts.items()
        },
    )


def _warnings(outputs: Mapping[str, Outputs], record: Record) -> list[str]:
    """What validation found worth knowing, such as drift."""
    found = outputs["validate"].artifacts.get("anomalies") if "validate" in outputs else None
    if found is None:
        return []
    anomalies = read_json(record.path.parent / found.path)
    return [
        f"{each['column']}{': ' if each['column'] else ''}{each['what']}. Expected {each['expected']}. "
        f"Received: {each['received']}."
        for each in anomalies
        if each["severity"] == "warning"
    ]


def _report(record: Record, error: StepFailedError, pages: list[Path]) -> str:
    """Write what failed over the newest page there is; the end of the sentence that tells where."""
    from pipelines.local import failure_report  # not needed where all goes well

    page = next((page for page in reversed(pages) if page.is_file()), None)
    target = record.path / "report.html"
    try:
        failure_report.write(target, record.facts, error.step, error.failure.message, error.log, page)
    except OSError:
        return ""  # a full disk, as a rule, which failed the step
    record.facts["report"] = str(target)
    return f"\nIts report: {target}"


def _pages(graph: Graph, outputs: Mapping[str, Outputs], record: Record, failed: str) -> list[Path]:
    """The reports that steps have written, also one that failed on what is in it."""
    found = []
    for step in graph.steps:
        for name, schema in step.output_artifacts.items():
            if schema == "system.HTML" and step.name in outputs:
                found.append(record.path.parent / outputs[step.name].artifacts[name].path)
            elif schema == "system.HTML" and step.name == failed:
                found.append(record.path / failed / name)
    return found


def cleared(facts: Mapping[str, Any]) -> bool:
    """The gate let the model through, or the graph has none."""
    if not facts["parameters"].get("publish", True):
        return facts["blessed"] is not False and not facts["reasons"]
    if facts["blessed"] is None or facts["nothing_new"]:
        return True
    return bool(facts["pushed"]) and (bool(facts["parameters"].get("force")) or not facts["reasons"])
