"""`sluice versions`, `sluice rollback`, `sluice release`, and `sluice show` of a pushed version."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import Any

import tasks
from components.serving import model_card
from components.serving import versions as destination
from components.serving.versions import Version
from components.tracking import registered_model
from pipelines.commands import run_summary

PAPERS = ("blessing", "statistics", "rehearsal")


def main(given: argparse.Namespace) -> int:
    tasks.check_name(given.task)
    serving = str(given.serving_dir)
    match given.action:
        case "versions":
            found = destination.versions(serving, given.task)
            listed = [_facts(version, found, serving, given.task) for version in found]
            print(json.dumps(listed, indent=1) if given.json else _table(listed, given.task, serving))
        case "rollback":
            version = destination.rollback(serving, given.task, given.version)
            print(f"version {version.number}, a copy of version {given.version}, is served from {version.path}")
            if version.unservable:
                print(f"No server can answer from it; see: sluice versions {given.task}")
            if mlflow := registered_model.move_champion(given.task, version.number, version.model_sha256):
                print(mlflow)
            print(f"Retraining pushes nothing from now on. To let it again: sluice release {given.task}")
        case _:
            version = destination.release(serving, given.task)
            print(f"Models that clear the gate may take the place of version {version.number} again.")
    return 0


def _facts(version: Version, known: Sequence[Version], serving: str, task: str) -> dict[str, Any]:
    """One version, as scripts read it."""
    about = version.provenance
    withdrawn = [other.number for other in known if version.number in (other.provenance.get("withdrawn") or [])]
    parameters = about.get("parameters", {})
    return {
        "version": version.number,
        "serving": version is known[-1],
        "held": version is known[-1] and destination.is_held(serving, task, version),
        "pushed_at": about.get("pushed_at", ""),
        "run": about.get("run", ""),
        "model": about.get("model", ""),
        "metrics": about.get("metrics", {}),
        "data": parameters.get("data", ""),
        "fingerprint": about.get("fingerprint", ""),
        "force": about.get("force", ""),
        "unservable": version.unservable,
        "copied_from": version.copied_from or None,
        "damage": version.damage,
        "withdrawn_by": withdrawn[0] if withdrawn else None,
        "path": str(version.path),
        "provenance": about,
    }


def _table(listed: Sequence[dict[str, Any]], task: str, serving: str) -> str:
    if not listed:
        return f"No version of {task} in {serving} yet."
    rows = [["VERSION", "PUSHED", "RUN", "MODEL", "DATA", "METRICS", ""]]
    for facts in listed:
        notes = [
            "serving" if facts["serving"] else "",
            "no server can answer from it" if facts["unservable"] else "",
            f"copy of {facts['copied_from']}" if facts["copied_from"] else "",
            "holds retraining back" if facts["held"] else "",
            "its provenance is damaged" if facts["damage"] else "",
            f"withdrawn by {facts['withdrawn_by']}" if facts["withdrawn_by"] else "",
            f"forced: {facts['force']}" if facts["force"] else "",
        ]
        data = f"{facts['data']} {facts['fingerprint'][:8]}".strip()
        words = (_moment(facts["pushed_at"]), facts["run"], facts["model"], data, run_summary.metrics(facts["metrics"]))
        rows.append([str(facts["version"]), *map(str, words), ", ".join(filter(None, notes))])
    return "\n".join([run_summary.table(rows), *_what_to_do(listed, task)])


def _what_to_do(listed: Sequence[dict[str, Any]], task: str) -> list[str]:
    if not any(facts["unservable"] for facts in listed):
        return []
    newest = listed[-1]
    remedy = f"Version {newest['version']}, which is served, is none of them."
    if newest["unservable"]:
        again = f"sluice run {task}, with the data and settings it was made with"
        remedy = f"To replace version {newest['version']}: {again}."
    return [
        "No server can answer from versions that were pushed before Sluice asked its models as servers do: TensorFlow "
        "Serving, Java, C and Go load them, and every request fails. sluice predict answers. " + remedy
    ]


def described(version: Version) -> dict[str, Any]:
    """All that a version's own directory tells."""
    papers = {name: destination.paper(version, f"{name}.json") for name in PAPERS}
    about = {"version": version.number, "path": str(version.path), "damage": version.damage}
    return {**about, "provenance": version.provenance, **papers}


def essentials(facts: dict[str, Any]) -> str:
    """The same to read."""
    about, blessing = facts["provenance"], facts["blessing"] or {}
    if facts["damage"]:
        return str(facts["damage"])
    if not about:
        return f"{facts['path']} was not pushed by Sluice: it has no provenance."
    rows = about.get("rows", {})
    lines = [
        run_summary.table([(name, str(value)) for name, value in _origin(facts).items() if value not in ("", None)])
    ]
    counted = ", ".join(f"{count:,} {split}" for split, count in model_card.by_split(rows).items())
    lines.append(f"data       {_source(about)}: {counted}; {about.get('rejected', 0):,} set aside")
    lines.append(f"           fingerprint {about.get('fingerprint', '')}")
    lines.append(f"metrics    {run_summary.metrics(about.get('metrics', {}))}")
    bars = [[*bar[:4], f"champion {bar[4]}", bar[5]] for bar in model_card.bars(blessing)] or [["none"]]
    lines += ["gate", *(f"  {line}" for line in run_summary.table(bars).splitlines())]
    lines += [f"  - {reason}" for reason in about.get("reasons", [])]
    lines += _rehearsed(facts["rehearsal"] or {})
    versions = about.get("versions", {})
    lines.append(f"libraries  {', '.join(f'{name} {version}' for name, version in versions.items())}")
    return "\n".join(lines)


def _origin(facts: dict[str, Any]) -> dict[str, Any]:
    about = facts["provenance"]
    champion = str(about.get("champion") or "")
    settings = {k: v for k, v in about.get("parameters", {}).items() if k not in {"task", "model", "code", "snapshot"}}
    return {
        "version": f"{facts['version']} in {facts['path']}",
        "run": about.get("run"),
        "pushed": _moment(about.get("pushed_at", "")),
        "copy of": about.get("copied_from"),
        "git": about.get("git") or "not in a repository",
        "task": about.get("task"),
        "model": f"{about.get('model')} {about.get('model_sha256', '')}",
        **settings,
        "champion": f"version {champion.partition(':')[0]}" if champion else "none",
        "forced": about.get("force"),
    }


def _source(about: dict[str, Any]) -> str:
    kind = about.get("source", {}).get("kind", about.get("parameters", {}).get("data", ""))
    return model_card.SOURCES.get(str(kind), str(kind))


def _rehearsed(rehearsal: dict[str, Any]) -> list[str]:
    if not rehearsal:
        return []
    timed = [
        f"{int(size):,} rows in {found['p50_ms']:.3g} ms (p99 {found['p99_ms']:.3g})"
        for size, found in rehearsal.get("latency", {}).items()
    ]
    verdict = "passed" if rehearsal.get("passed") else "failed"
    return [f"serving    check {verdict}; {', '.join(timed)}"]


def _moment(written: str) -> str:
    return written[:16].replace("T", " ")
