"""The data that the model was made of and judged on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from components.evaluate.report.html import ABSENT, Markup, folded, join, number, section, table, tag
from components.evaluate.report.plots import spark
from tasks import Category, Date, Feature, Image, Number, Task, Text
from transforms import iso_dates

KINDS = {
    Number: "number", Category: "category", Date: "date", Text: "text, length in characters",
    Image: "image, mean pixel",
}  # fmt: skip
SHOWN = 6
SPLITS = {"train": "train", "eval": "validation", "test": "test"}


def page(task: Task, statistics: Mapping[str, Any], anomalies: Sequence[Mapping[str, Any]]) -> Markup:
    rows = statistics.get("rows", {})
    total = sum(rows.values()) or 1
    counts = table(
        ["Split", "Rows", "Share"],
        ([SPLITS.get(split, split), rows[split], f"{rows[split] / total:.1%}"] for split in _ordered(rows)),
    )
    return section(
        "Data",
        counts,
        *_rejected(statistics.get("rejected", {}), total),
        *_anomalies(anomalies),
        tag("h3", "Columns of the train split"),
        _columns(task, statistics.get("columns", {}), "train"),
        *(
            folded(f"Columns of the {SPLITS[split]} split", _columns(task, statistics.get("columns", {}), split))
            for split in ("eval", "test")
            if rows.get(split)
        ),
    )


def _rejected(rejected: Mapping[str, Any], kept: int) -> list[Markup]:
    count = rejected.get("count", 0)
    if not count:
        return [tag("p", "No row was set aside.", class_="soft")]
    reasons = sorted(rejected["reasons"].items(), key=lambda item: -item[1])
    examples = (
        [example.get("position", ""), example.get("reason", ""), tag("code", _row(example.get("row", "")))]
        for example in rejected.get("examples", [])
    )
    stored = rejected.get("kept", count)
    told = f" Kept as they stood: the first {number(stored)} by file and reason." if stored < count else ""
    return [
        tag("h3", "Rows set aside"),
        tag(
            "p",
            f"{number(count)} of {number(count + kept)} rows ({count / (count + kept):.1%}) could not be used.",
            told,
        ),
        table(["Reason", "Rows"], reasons),
        folded("Examples", table(["Position", "Reason", "Row"], examples)),
    ]


def _anomalies(anomalies: Sequence[Mapping[str, Any]]) -> list[Markup]:
    if not anomalies:
        return [tag("p", "No anomalies: the data are as the task expects.", class_="soft")]
    found = (
        [
            tag("span", anomaly["severity"], class_="fail" if anomaly["severity"] == "error" else None),
            anomaly["column"],
            anomaly["what"],
            anomaly["expected"],
            anomaly["received"],
        ]
        for anomaly in anomalies
    )
    return [tag("h3", "Anomalies"), table(["Severity", "Column", "What", "Expected", "Received"], found)]


def _columns(task: Task, columns: Mapping[str, Any], split: str) -> Markup:
    known = [(column, columns.get(column.name, {}).get(split, {})) for column in task.columns]
    head = ["Column", "Kind", "Rows", "Missing", "Mean", "Deviation", "Least", "Median", "Most", "Values"]
    return table(head, [_column(task, column, found) for column, found in known if found])


def _column(task: Task, column: Feature, found: Mapping[str, Any]) -> list[Any]:
    role = join([tag("b", column.name), " (label)"]) if column is task.label else tag("b", column.name)
    start = [role, KINDS[type(column)], found.get("count"), found.get("missing")]
    if isinstance(column, Category):
        return [*start, *[None] * 5, _top(column, found.get("top", []), found.get("count", 0))]
    quantiles = [value for value in found.get("quantiles", []) if value is not None]
    median = quantiles[len(quantiles) // 2] if quantiles else None
    if isinstance(column, Date):
        middle = None if median is None else iso_dates.of_seconds(round(median))
        return [*start, None, None, found.get("first"), middle, found.get("last"), _histogram(column.name, quantiles)]
    numbers = [found.get("mean"), found.get("std"), found.get("min"), median, found.get("max")]
    return [*start, *numbers, _histogram(column.name, quantiles)]


def _histogram(name: str, quantiles: Sequence[float]) -> Markup:
    """Each of the quantiles stands for an equal share of the rows."""
    if len(set(quantiles)) < 2:
        return Markup(ABSENT)
    counts = np.histogram(quantiles, bins=24)[0]
    return spark([float(count) for count in counts], f"How the values of {name} are distributed")


def _top(column: Category, top: Sequence[Sequence[Any]], count: int) -> str:
    names = {str(value): label for value, label in zip(column.values, column.labels, strict=True)}
    shares = [f"{names.get(str(value), str(value))} {times / max(count, 1):.0%}" for value, times in top[:SHOWN]]
    return ", ".join(shares) + (f" and {len(top) - SHOWN} more" if len(top) > SHOWN else "")


def _ordered(rows: Mapping[str, int]) -> list[str]:
    return [split for split in SPLITS if split in rows] + [split for split in rows if split not in SPLITS]


def _row(row: Any, longest: int = 300) -> str:
    text = row if isinstance(row, str) else json.dumps(row, ensure_ascii=False, default=str)
    return text if len(text) <= longest else f"{text[:longest]}…"
