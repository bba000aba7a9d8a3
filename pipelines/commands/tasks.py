"""`sluice tasks`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

import tasks
from pipelines.commands import described_task
from tasks import InputError, Task


def main(given: argparse.Namespace) -> int:
    if given.task:
        told = described_task.described(given.task, tasks.get(given.task))
        print(json.dumps(told, indent=1) if given.json else described_task.text(told))
        return 0
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
        "gate": described_task.gate(task),
    }


def _text(task: dict[str, Any]) -> str:
    return (
        f"{task['name']}\n  {task['about']}\n  models: {', '.join(task['models'])}\n"
        f"  data:   {', '.join(task['sources'])}\n  gate:   {'; '.join(task['gate'])}"
    )
