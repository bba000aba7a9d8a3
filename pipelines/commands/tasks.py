"""`sluice tasks`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import tasks
from tasks import Bar, InputError, Task


def main(given: argparse.Namespace) -> int:
    described, broken = [], []
    for name in tasks.names():
        try:
            described.append(_described(name, tasks.get(name)))
        except InputError as error:
            broken.append(str(error))
    print(json.dumps(described, indent=1) if given.json else "\n\n".join(_text(task) for task in described))
    for sentence in broken:
        print(f"sluice: {sentence}", file=sys.stderr)
    return 1 if broken else 0


def _described(name: str, task: Task) -> dict[str, Any]:
    return {
        "name": name,
        "about": task.about,
        "models": list(task.models),
        "sources": ["sample", *(["real"] if task.real else []), "your own files"],
        "gate": [_bar(bar, task.directions[bar.metric]) for bar in task.gate],
    }


def _bar(bar: Bar, higher_is_better: bool) -> str:
    side = "at least" if higher_is_better else "at most"
    margin = f" by more than {bar.tolerance:g}" if bar.tolerance else ""
    each = f", for each {' and '.join(bar.slices)} too" if bar.slices else ""
    return f"{bar.metric} {side} {bar.bar:g}, and no worse than the served model{margin}{each}"


def _text(task: dict[str, Any]) -> str:
    return (
        f"{task['name']}\n  {task['about']}\n  models: {', '.join(task['models'])}\n"
        f"  data:   {', '.join(task['sources'])}\n  gate:   {'; '.join(task['gate'])}"
    )
