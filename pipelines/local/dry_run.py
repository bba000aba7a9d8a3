"""What a run would do, without doing it: which steps are kept from earlier runs, which would run, and why."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.compiled_graph import Graph, Step
from pipelines.local.cache import Cache
from pipelines.local.cache_keys import changes
from pipelines.local.progress_display import Display
from pipelines.local.run_record import Record
from pipelines.local.run_steps import Walk
from pipelines.local.step_values import Outputs


@dataclass(frozen=True)
class Planned:
    """What would happen to a step: "cached" or "would run"."""

    name: str
    status: str
    why: str


def preview(
    graph: Graph, arguments: Mapping[str, Any], runs: Path, *, use_cache: bool, display: Display
) -> list[Planned]:
    """Runs nothing but the first, light step, which finds out about the data and the destination."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        record = Record.new(Path(folder), "preview", {})
        walk = Walk(graph, arguments, record, use_cache=use_cache, display=display)
        walk.cache = Cache(runs.absolute())
        try:
            return [_plan(walk, step) for step in graph.steps]
        finally:
            record.close("done")


def _plan(walk: Walk, step: Step) -> Planned:
    if not step.cached and not step.after:
        walk.values.outputs[step.name] = walk.uncached(step)
    not_needed = Planned(step.name, "not needed", f"version {walk.serving} serves this already")
    missing = sorted(step.after - walk.values.outputs.keys())
    if missing and walk.serving:
        return not_needed
    if not step.cached:
        return Planned(step.name, "would run", "runs every time")
    if missing:
        return Planned(step.name, "would run", f"unless {' and '.join(missing)} put out the same as before")
    made_of = walk.made_of(step)
    entry, damage = walk.cache.check(made_of.key)
    if entry is None and walk.serving:
        return not_needed
    if entry is None:
        before = walk.cache.earlier(made_of.task, step.name)
        return Planned(step.name, "would run", damage or "; ".join(changes(before, made_of)) or "its result is gone")
    walk.values.outputs[step.name] = Outputs(entry.parameters, entry.artifacts)
    return Planned(step.name, "cached", f"made by {entry.run}")
