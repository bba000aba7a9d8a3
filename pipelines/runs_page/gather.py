"""What the page tells of each run: one small dictionary, made from the run's own papers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from components.storage.atomic_files import read_json

POINTS = 40
CURVES = ("loss", "val_loss")


def row(runs: Path, facts: Mapping[str, Any], state: str) -> dict[str, Any]:
    """`state` changes with the record, so that the next page need not read all of it again."""
    blessing = _paper(facts, "evaluate/blessing", "") or {}
    bars = blessing.get("bars") or [{}]
    report = runs / facts["run"] / "report.html"
    # One that was pruned, or is going on, has its curves so far in its own directory, and no artifact yet.
    model = facts.get("artifacts", {}).get("train/model") or runs / facts["run"] / "train" / "model"
    return {
        "state": state,
        "run": facts["run"],
        "task": facts["task"],
        "model": facts.get("model", ""),
        "data": str(facts.get("data", "")),
        "status": facts["status"],
        "started": facts.get("started", ""),
        "seconds": round(sum(step.get("seconds", 0.0) for step in facts["steps"]), 1),
        "verdict": verdict(facts),
        "reasons": facts.get("reasons", []),
        "version": facts.get("version", 0),
        "served": facts.get("pushed", ""),
        "report": f"{facts['run']}/report.html" if report.is_file() else "",
        "metric": bars[0].get("metric", ""),
        "higher": bool(bars[0].get("higher_is_better")),
        "metrics": facts.get("metrics", {}),
        "intervals": {name: ends for name, ends in (blessing.get("intervals") or {}).items() if ends},
        "settings": settings(facts),
        "curves": _curves(_read(Path(model) / "history.json") or {}),
    }


def verdict(facts: Mapping[str, Any]) -> str:
    """One word or two."""
    if facts["status"] not in {"done", "rejected"}:
        return str(facts["status"])
    if facts.get("nothing_new"):
        return "nothing new"
    if facts.get("pushed"):
        return "pushed" if facts.get("blessed") else "forced"
    if facts.get("blessed") is None:
        return "not judged"
    return "blessed" if facts["blessed"] and not facts.get("reasons") else "rejected"


def settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What training was set to, and what was typed besides."""
    parameters = facts.get("parameters", {})
    trained = (_paper(facts, "train/model", "training.json") or {}).get("settings", {})
    return {"seed": parameters.get("seed", 0), **trained, **parameters.get("overrides", {})}


def _paper(facts: Mapping[str, Any], artifact: str, name: str) -> Any:
    """None where the run has none, or it is gone or damaged: then the page does without."""
    place = facts.get("artifacts", {}).get(artifact)
    return _read(Path(place) / name) if place else None


def _read(path: Path) -> Any:
    try:
        return read_json(path)
    except (OSError, ValueError):
        return None


def _curves(history: Mapping[str, Sequence[float | None]]) -> dict[str, list[list[float | None]]]:
    """Epochs and values, at most so many of each."""
    found = {}
    for name in CURVES:
        values = history.get(name) or []
        step = max(1, math.ceil(len(values) / POINTS))
        places = sorted({*range(0, len(values), step), *([len(values) - 1] if values else [])})
        found[name] = [[at + 1, _short(values[at])] for at in places]
    return found


def _short(value: float | None) -> float | None:
    return None if value is None or not math.isfinite(value) else float(f"{value:.4g}")
