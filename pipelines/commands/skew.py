"""`sluice skew`."""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import tasks
from pipelines import lazy_imports
from pipelines.commands import run_summary
from pipelines.local import webhook
from pipelines.native_output import only_our_words

if TYPE_CHECKING:
    from components.evaluate.live import Live
    from components.skew.skew import Compared, Found

WITHIN, BEYOND = 0, 3


def main(given: argparse.Namespace) -> int:
    tasks.check_name(given.task)
    if given.notify:
        webhook.check(given.notify)
    if given.key != "id" and not given.labels:
        raise tasks.InputError(f"--key is the column of the ids in --labels FILE. Received: --key {given.key} alone.")
    lazy_imports.load("pandas")  # sure to be needed, so not as a placeholder
    from components.skew import skew

    with only_our_words():
        found = skew.run(
            task=given.task, logs=given.files, serving=str(given.serving_dir), version=given.version,
            labels=given.labels, key=given.key,
        )  # fmt: skip
    live = measured(given.task, found)
    facts = as_json(given.task, found, live)
    print(json.dumps(facts, indent=1) if given.json else text(given.task, found, live, facts["beyond"]))
    if not facts["beyond"]:
        return WITHIN
    if given.notify:
        said = "\n".join([f"{given.task} version {found.version.number}:", *facts["beyond"]])
        webhook.tell(given.notify, "skewed", said, BEYOND, **facts)
    return BEYOND


def measured(task: str, found: Found) -> list[Live]:
    """The task's bars on the rows that have a label, beside what the gate saw."""
    if found.answered is None or found.raw is None or found.answered.empty:
        return []
    from components.evaluate import live  # with scikit-learn
    from components.serving import versions

    return live.measured(
        tasks.get(task), found.answered, found.raw, versions.paper(found.version, "blessing.json") or {}
    )


def as_json(task: str, found: Found, live: Sequence[Live]) -> dict[str, Any]:
    """The object that scripts read; `beyond` has a sentence for all that is beyond its limit."""
    return {
        "task": task, "version": found.version.number, "rows": found.rows, "trained_on": found.trained,
        "columns": [_column(each) for each in found.columns],
        "metrics": [_metric(each) for each in live],
        "notes": found.notes,
        "beyond": [
            *(each.sentence for each in found.columns if each.drift.beyond),
            *(_missed(each) for each in live if each.beyond),
        ],
    }  # fmt: skip


def text(task: str, found: Found, live: Sequence[Live], beyond: Sequence[str]) -> str:
    lines = [f"{task} version {found.version.number}: asked {found.rows:,} rows, trained on {found.trained:,}"]
    if found.columns:
        rows = [["COLUMN", "DISTANCE", "VALUE", "ALLOWED", "OF IT CHANCE", ""], *map(_row, _shown(found.columns))]
        lines.append(run_summary.table(rows))
    if live:
        rows = [["METRIC", "NOW", "INTERVAL", "AT THE GATE", "INTERVAL", "BAR", ""], *map(_bar, live)]
        lines += ["", run_summary.table(rows)]
    lines += [f"note: {note}" for note in found.notes]
    lines += beyond or ["within the task's limits" if found.rows else "nothing was asked of it"]
    return "\n".join(lines)


def _shown(columns: Sequence[Compared]) -> list[Compared]:
    """All but that neither side lacks a value."""
    return [each for each in columns if each.drift.distance.value or not each.drift.of_missing]


def _row(each: Compared) -> list[str]:
    distance = each.drift.distance
    numbers = (distance.value, each.drift.threshold, distance.noise)
    return [each.column.name, distance.name, *(f"{n:.3f}" for n in numbers), "skewed" if each.drift.beyond else ""]


def _bar(each: Live) -> list[str]:
    now, number = each.now, run_summary.number
    verdict = "holds" if now.passed else "missed" if each.beyond else "missed, which may be chance"
    then = "" if each.then is None else number(each.then)
    asked = f"{'≥' if now.higher_is_better else '≤'} {number(now.bar)}"
    return [now.metric, number(now.value), _interval(now.interval), then, _interval(each.then_interval), asked, verdict]


def _interval(ends: Sequence[float] | None) -> str:
    return f"{ends[0]:.4g} to {ends[1]:.4g}" if ends else ""


def _missed(each: Live) -> str:
    return f"{each.now.reason} (interval {_interval(each.now.interval)}), on {each.now.rows:,} rows with a label."


def _column(each: Compared) -> dict[str, Any]:
    drift = each.drift
    return {
        "column": each.column.name, "distance": drift.distance.name, "value": drift.distance.value,
        "threshold": drift.threshold, "limit": drift.limit, "chance": drift.distance.noise, "beyond": drift.beyond,
    }  # fmt: skip


def _metric(each: Live) -> dict[str, Any]:
    now = each.now
    return {
        "metric": now.metric, "rows": now.rows, "value": now.value, "interval": now.interval, "bar": now.bar,
        "higher_is_better": now.higher_is_better, "at_gate": each.then, "at_gate_interval": each.then_interval,
        "beyond": each.beyond,
    }  # fmt: skip
