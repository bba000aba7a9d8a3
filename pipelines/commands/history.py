"""`sluice runs`, `sluice show` and `sluice compare`."""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any

from components.serving import versions as destination
from pipelines.commands import compared_runs, run_summary, versions
from pipelines.local import run_record
from pipelines.runs_page import write as write_page
from tasks import InputError, nearest

VERSION = re.compile(r"(.+)/([^/]+)/([0-9]+)/?")
ESSENTIAL = ("run", "task", "model", "data", "status", "started", "ended", "search", "command")


def main(given: argparse.Namespace) -> int:
    match given.view:
        case "runs" if given.html:
            if not given.runs_dir.is_dir():
                raise InputError(f"There is no directory {given.runs_dir}. `sluice run TASK` makes it.")
            print(write_page.write(given.runs_dir))
        case "runs":
            found = run_record.every(given.runs_dir, given.task)
            print(json.dumps(found, indent=1) if given.json else _list(found, given.runs_dir))
        case "show" if (version := destination.at(given.run)) is not None:
            told = versions.described(version)
            print(json.dumps(told, indent=1) if given.json else versions.essentials(told))
        case "show" if (named := VERSION.fullmatch(given.run)) and Path(named[1], named[2]).is_dir():
            destination.numbered(named[1], named[2], int(named[3]))
        case "show":
            facts = there(find(given.runs_dir, given.run))
            print(json.dumps(facts, indent=1) if given.json else _essentials(facts, given.runs_dir))
        case _:
            compared = [there(find(given.runs_dir, name)) for name in given.compared]
            print(json.dumps(compared, indent=1) if given.json else _side_by_side(compared))
    return 0


def find(runs: Path, name: str) -> dict[str, Any]:
    """A run by its name, or by its directory."""
    for path in (runs / name, Path(name)):
        if (path / "run.json").is_file():
            return run_record.load(path)
    known = [facts["run"] for facts in run_record.every(runs)]
    hint = nearest(name, known) if known else " There are no runs yet; `sluice run TASK` makes one."
    raise InputError(f"There is no run {name!r} in {runs}.{hint}")


def there(facts: dict[str, Any]) -> dict[str, Any]:
    """The facts without files that are gone: of a failed step, or of a run that was cleaned away."""
    artifacts = {name: path for name, path in facts.get("artifacts", {}).items() if Path(path).exists()}
    known = {"artifacts": artifacts} if "artifacts" in facts else {}
    report = facts.get("report", "")
    return {**facts, **known, **({"report": ""} if report and not Path(report).is_file() else {})}


def _list(found: list[dict[str, Any]], runs: Path) -> str:
    if not found:
        return f"No runs in {runs} yet."
    rows = [["RUN", "STATUS", "MODEL", "DATA", "STARTED", "METRICS"]]
    for facts in found:
        words = [
            facts["run"],
            facts["status"],
            facts.get("model", ""),
            facts.get("data", ""),
            facts["started"][:16].replace("T", " "),
        ]
        rows.append([*(str(word) for word in words), run_summary.metrics(facts.get("metrics", {}))])
    return run_summary.table(rows)


def _essentials(facts: dict[str, Any], runs: Path) -> str:
    rows = [(name, str(facts[name])) for name in ESSENTIAL if facts.get(name)]
    rows += [(name, str(value)) for name, value in _settings(facts).items()]
    steps = [
        (f"  {step['name']}", step["status"], f"{step['seconds']:.1f} s", step.get("made_by") or step.get("why", ""))
        for step in facts["steps"]
    ]
    lines = [run_summary.table(rows), "steps", run_summary.table(steps) if steps else "  none"]
    if facts.get("metrics"):
        lines.append(f"metrics  {run_summary.metrics(facts['metrics'])}")
    lines += run_summary.verdict(facts) if "blessed" in facts else []
    lines += [f"report   {facts['report']}"] if facts.get("report") else []
    lines.append(f"logs     {runs / facts['run'] / 'logs'}")
    return "\n".join(lines)


def _side_by_side(compared: list[dict[str, Any]]) -> str:
    """A column for each run; a row where they are not alike is marked."""
    rows = [["", *(facts["run"] for facts in compared), ""]]
    for name, values in compared_runs.compared(compared).items():
        words = ["" if value is None else run_summary.number(value) for value in values]
        rows.append([name, *words, "≠" if len(set(words)) > 1 else ""])
    return run_summary.table(rows)


def _settings(facts: dict[str, Any]) -> dict[str, Any]:
    parameters = facts.get("parameters", {})
    return {"seed": parameters.get("seed", ""), **parameters.get("overrides", {})}
