"""Runs side by side: every setting as it was, whoever set it, and every metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tasks
from components.storage.atomic_files import read_json
from tasks import InputError

FACTS = ("model", "data", "status")


def compared(runs: Sequence[Mapping[str, Any]]) -> dict[str, list[Any]]:
    """Rows by name, with a value for each run; None where a run has none."""
    rows = {name: [facts.get(name) for facts in runs] for name in FACTS}
    for columns in ([settings(facts) for facts in runs], [facts.get("metrics", {}) for facts in runs]):
        for name in dict.fromkeys(name for column in columns for name in column):
            rows[name] = [column.get(name) for column in columns]
    rows["blessed"] = [facts.get("blessed") for facts in runs]
    return rows


def settings(facts: Mapping[str, Any]) -> dict[str, Any]:
    """What a run was set to: as training wrote it down, else as far as it was typed."""
    parameters = facts.get("parameters", {})
    typed = parameters.get("overrides", {})
    return {"seed": parameters.get("seed"), **_preprocess(facts["task"]), **_trained(facts), **typed}


def _trained(facts: Mapping[str, Any]) -> dict[str, Any]:
    directory = facts.get("artifacts", {}).get("train/model")
    path = Path(directory or "") / "training.json"
    found = read_json(path).get("settings", {}) if directory and path.is_file() else {}
    return {name: ",".join(map(str, value)) if isinstance(value, list) else value for name, value in found.items()}


def _preprocess(task: str) -> dict[str, Any]:
    """The defaults that the task has now; a run does not write them down."""
    try:
        defaults = tasks.keyword_defaults(tasks.get(task).preprocess)
    except InputError:  # the task is gone, or its file is being worked on
        return {}
    return {f"preprocess.{name}": value for name, value in defaults.items()}
