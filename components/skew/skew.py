"""Skew: how far what a version was asked lies from what it was trained on, and its answers beside later labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa

import tasks
from components.examples.drift import DRIFTED, Drift, drifts
from components.examples.statistics import Statistics
from components.reading.convert_columns import convert
from components.reading.find_files import matches
from components.serving import versions
from components.serving.output_names import label_values
from components.serving.versions import Version
from components.skew import labels as labels_
from components.skew.gather import Asked, gathered
from components.skew.labels import Labels
from tasks import Category, Feature, InputError, Task


class Compared(NamedTuple):
    """A column by one of its distances."""

    column: Feature
    drift: Drift

    @property
    def sentence(self) -> str:
        return f"{self.column.name}: {DRIFTED}. Expected {self.drift.expected}. Received: {self.drift.received}."


@dataclass(frozen=True, kw_only=True)
class Found:
    """What came of a comparison; `answered` has labels and predictions, and `raw` the features, of the same rows."""

    version: Version
    rows: int
    trained: int
    columns: list[Compared]
    notes: list[str]
    answered: pd.DataFrame | None = None
    raw: pd.DataFrame | None = None


def run(
    *, task: str, logs: Sequence[str], serving: str, version: int | None = None, labels: str = "", key: str = "id"
) -> Found:
    """Compare the rows that this version answered, by default the newest, with its own training rows."""
    definition = tasks.get(task)
    chosen = versions.numbered(serving, task, version)
    trained = versions.paper(chosen, "statistics.json")
    if not trained:
        raise InputError(f"Version {chosen.number} of {task} has no statistics, so it was not pushed by Sluice.")
    known = _labels(definition, chosen, labels, key) if labels else None
    paths = [path for log in logs for path in matches(log)]
    asked = gathered(definition, task, paths, chosen.number, known.by_key if known else {})
    before = trained["columns"]
    columns = _compared(definition.features, before, asked.statistics) if asked.rows else []
    notes = [*asked.left_out(task, chosen.number), *_too_few(columns)]
    if new := [feature.name for feature in definition.features if feature.name not in before]:
        notes.append(f"The version was trained without {', '.join(new)}, so there is nothing to compare with.")
    rows = trained["rows"]["train"]
    found = Found(version=chosen, rows=asked.rows, trained=rows, columns=columns, notes=notes)
    return found if known is None else _with_labels(found, asked, known, before)


def _labels(task: Task, version: Version, file: str, key: str) -> Labels:
    then = version.provenance.get("label_values", label_values(task))
    if then != label_values(task):
        raise InputError(
            f"Version {version.number} was trained with other values of {task.label.name!r} than the task has now, so "
            "its answers cannot be judged. Ask about another with --version, or leave out --labels."
        )
    return labels_.read(task, file, key)


def _compared(columns: Iterable[Feature], before: Mapping[str, Any], now: Statistics) -> list[Compared]:
    found = now.summary()["columns"]
    known = [column for column in columns if column.name in before]
    return [
        Compared(column, drift)
        for column in known
        for drift in drifts(column, before[column.name]["train"], found[column.name]["train"])
    ]


def _too_few(columns: Sequence[Compared]) -> Iterator[str]:
    """No distance is above 1: where chance alone may come to that, nothing can be found."""
    least: dict[str, float] = {}
    for column, drift in columns:
        least[column.name] = min(drift.threshold, least.get(column.name, drift.threshold))
    if blind := [name for name, threshold in least.items() if threshold >= 1]:
        yield f"So few rows can show no skew in {', '.join(blind)}: chance alone could bring any distance."


def _with_labels(found: Found, asked: Asked, labels: Labels, before: Mapping[str, Any]) -> Found:
    """The same with the rows whose label is known by now, and with how the labels are spread."""
    task, notes = asked.task, list(found.notes)
    answered, raw = labels_.answers(task, labels, asked.labelled)
    if found.rows and not asked.labelled:
        seen = next(iter(labels.by_key), "none")
        raise InputError(
            f"No label is of a row that version {found.version.number} answered: the log has none of their ids, such "
            f"as {seen!r}. Expected the id that stands in each line of `sluice serve --log`; TF Serving's log has none."
        )
    if labels.aside:
        reasons = "; ".join(f"{count:,} x {reason}" for reason, count in labels.aside.most_common(3))
        notes.append(f"Labels that cannot be used: {reasons}.")
    notes.append(f"Rows with a label: {len(answered):,} of {found.rows:,}.")
    spread = Statistics([task.label])
    values = answered["label"].tolist()
    values = [task.label.values[code] for code in values] if isinstance(task.label, Category) else values
    spread.add(np.zeros(len(values), np.int8), {task.label.name: convert(task.label, pa.array(values))[0]})
    columns = [*found.columns, *_compared([task.label], before, spread)] if values else []
    return replace(found, columns=columns, notes=notes, answered=answered, raw=raw)
