"""`sluice reproduce`."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components.serving import versions as destination
from components.serving.provenance import git_revision, library_versions
from components.storage.atomic_files import read_json
from pipelines import compiled_graph
from pipelines.commands import run_summary
from pipelines.commands.history import find
from pipelines.compiled_graph import RUN_NAME
from pipelines.local.run import FAILED, run
from tasks import InputError

PAPERS = {"blessing": "evaluate/blessing", "statistics": "ingest/statistics"}
SETTINGS = ("train.", "model.", "preprocess.")


@dataclass(frozen=True)
class Origin:
    """What a run was made of, and what came of it."""

    name: str
    arguments: Mapping[str, Any]
    resolved: Mapping[str, str]
    versions: Mapping[str, str]
    git: str
    papers: Mapping[str, Any]


def main(given: argparse.Namespace) -> int:
    version = destination.at(given.run)
    origin = of_version(version) if version else of_run(find(given.runs_dir, given.run))
    for warning in warnings(origin):
        print(f"sluice: {warning}", file=sys.stderr)
    place = given.runs_dir / RUN_NAME / "serving"
    result = run(
        compiled_graph.training(), {**origin.arguments, "destination": str(place)}, given.runs_dir, use_cache=False
    )
    if result.trouble:
        print(f"sluice: {result.trouble}", file=sys.stderr)
        return result.status
    again = of_run(result.facts)
    for name, what in {"snapshot": "data source is", "code": "code that the steps run, or a library, is"}.items():
        if origin.resolved.get(name) != again.resolved.get(name):
            print(f"sluice: the {what} not as it was then.", file=sys.stderr)
    return 0 if _tell(origin, again, as_json=given.json) else FAILED


def _tell(origin: Origin, again: Origin, *, as_json: bool) -> bool:
    """Print every number as it was then and is now; gives whether all are equal."""
    then, now = numbers(origin.papers), numbers(again.papers)
    compared: list[dict[str, Any]] = [
        {"what": name, "then": then.get(name), "now": now.get(name), "same": then.get(name) == now.get(name)}
        for name in dict.fromkeys([*then, *now])
    ]
    equal = sum(each["same"] for each in compared)
    same = equal == len(compared)
    if as_json:
        print(json.dumps({"run": again.name, "of": origin.name, "same": same, "numbers": compared}, indent=1))
        return same
    rows = [["", "THEN", "NOW", ""]]
    for each in compared:
        rows.append([each["what"], _short(each["then"]), _short(each["now"]), "same" if each["same"] else "DIFFERS"])
    verdict = f"{again.name} is the same as {origin.name}" if same else "not the same"
    print(f"{run_summary.table(rows)}\n{verdict}: {equal} of {len(compared)} numbers are equal.")
    return same


def of_version(version: destination.Version) -> Origin:
    """From what lies in the version's directory."""
    about = version.provenance
    if not about.get("parameters"):
        raise InputError(f"{str(version.path)!r} has no provenance: nobody knows how to make it again.")
    papers = {name: destination.paper(version, f"{name}.json") or {} for name in PAPERS}
    parameters = about["parameters"]
    arguments = {name: parameters[name] for name in ("task", "model", "data", "data_dir")}
    arguments["seed"] = int(parameters["seed"])
    arguments["overrides"] = {name: value for name, value in parameters.items() if name.startswith(SETTINGS)}
    return Origin(str(version.path), arguments, parameters, about.get("versions", {}), about.get("git", ""), papers)


def of_run(facts: Mapping[str, Any]) -> Origin:
    """From a run's record and what its steps put out."""
    name, artifacts = str(facts["run"]), facts.get("artifacts", {})
    missing = [key for key in PAPERS.values() if not Path(artifacts.get(key, "")).exists() or key not in artifacts]
    if missing:
        raise InputError(
            f"The run {name} cannot be compared with: it has no {', '.join(missing)}. Expected a run that came to its "
            "end and whose outputs are still there."
        )
    papers = {paper: read_json(Path(artifacts[key])) for paper, key in PAPERS.items()}
    given, resolved = facts["parameters"], facts.get("resolved", {})
    kept = ("task", "data", "data_dir", "seed", "overrides", "beam_args")
    arguments = {name: given[name] for name in kept if name in given}
    # As resolved: what a day stood for then, not what it would stand for now.
    arguments |= {"model": facts["model"], "data": resolved.get("data", given["data"])}
    return Origin(name, arguments, resolved, facts.get("versions", {}), facts.get("git", ""), papers)


def warnings(origin: Origin) -> Iterator[str]:
    """What is not as it was then, before anything runs."""
    now = library_versions()
    changed = [f"{n} {v} then, {now.get(n, 'none')} now" for n, v in origin.versions.items() if now.get(n) != v]
    if changed:
        yield f"other libraries than then: {'; '.join(changed)}."
    if start := origin.resolved.get("warm_start"):
        yield f"it started from the weights of {start.partition('#')[0]}, but is made again from fresh ones."
    if origin.git != (revision := git_revision()):
        yield f"other code than then: {origin.git or 'no revision'} then, {revision or 'no revision'} now."


def numbers(papers: Mapping[str, Any]) -> dict[str, Any]:
    """All that two runs are compared by."""
    statistics, blessing = papers["statistics"], papers["blessing"]
    found = {"data fingerprint": statistics.get("fingerprint")}
    found |= {f"{split} rows": count for split, count in statistics.get("rows", {}).items()}
    found["rows set aside"] = statistics.get("rejected", {}).get("count", 0)
    found |= dict(blessing.get("metrics", {}))
    for column, values in blessing.get("slices", {}).items():
        for value, measured in values.items():
            found |= {f"{name} ({column}: {value})": number for name, number in measured.items()}
    predictions = blessing.get("predictions", {})
    found |= {"predictions": predictions.get("rows"), "predictions' sha256": predictions.get("sha256")}
    return found


def _short(value: Any) -> str:
    """Every digit of a number; the beginning of a hash."""
    return value[:16] if isinstance(value, str) else "—" if value is None else repr(value)
