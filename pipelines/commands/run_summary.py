"""Facts about runs as text to read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import tasks


def summary(facts: Mapping[str, Any], *, hint: bool = True) -> str:
    """The end of a run in a few lines; the hint at other data needs the task's file."""
    lines = [f"{facts['run']}: {facts['model']} on {_data(facts)}"]
    if facts.get("metrics"):
        lines.append(f"  {metrics(facts['metrics'])}")
    lines += [f"  {line}" for line in verdict(facts)]
    lines += [f"  warning: {sentence}" for sentence in facts.get("warnings", [])]
    if facts.get("report"):
        lines.append(f"  report {facts['report']}")
    if facts.get("mlflow"):
        lines.append(f"  {facts['mlflow']}")
    if hint and facts.get("data") == "sample":
        task = tasks.get(facts["task"])
        pictures = any(isinstance(feature, tasks.Image) for feature in task.features)
        own = ("your own pictures", "FOLDER") if pictures else ("your own rows", "FILE.csv")
        other, data = ("the real data", "real") if task.real is not None else own
        lines.append(f"The sample is synthetic. For {other}: sluice run {facts['task']} --data {data}")
    return "\n".join(lines)


def verdict(facts: Mapping[str, Any]) -> list[str]:
    """What the gate said and where the model went."""
    if facts.get("nothing_new"):
        return [f"nothing new: version {facts['version']} already serves this, from {facts['pushed']}"]
    if facts.get("pushed"):
        where = f"version {facts['version']} is served from {facts['pushed']}"
        if facts.get("parameters", {}).get("force"):
            return [where] if facts.get("blessed") else ["pushed by force, past the gate:", *_listed(facts), where]
        if facts.get("reasons"):
            return ["the gate rejected the model, which is served already; nothing was pushed:", *_listed(facts), where]
        return [where]
    if facts.get("blessed") is None:
        return [str(facts["status"])]
    if facts["blessed"] and not facts.get("reasons") and not facts.get("parameters", {}).get("publish", True):
        return ["the model clears the gate; it was not to be pushed"]
    said = "the model clears the gate, but was held back" if facts["blessed"] else "the gate rejected the model"
    return [f"{said}; nothing was pushed:", *_listed(facts)]


def metrics(values: Mapping[str, Any]) -> str:
    return "   ".join(f"{name} {number(value)}" for name, value in values.items())


def number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns side by side, each as wide as its widest cell."""
    widths = [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]
    padded = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in padded)


def _listed(facts: Mapping[str, Any]) -> list[str]:
    return [f"  - {reason}" for reason in facts.get("reasons", [])]


def _data(facts: Mapping[str, Any]) -> str:
    return {"sample": "synthetic sample data", "real": "the real data"}.get(facts["data"], str(facts["data"]))
