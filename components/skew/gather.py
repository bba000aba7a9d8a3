"""The rows of all logs that a version answered, summed up column by column; those that do not count are counted."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np
import pyarrow as pa

from components.examples.statistics import Statistics
from components.reading.convert_columns import convert
from components.reading.json_lines import columns_of
from components.skew import read_log
from components.skew.read_log import Row
from tasks import InputError, Task

ROWS = 16_384


@dataclass
class Asked:
    """What counts, and by version or task what does not; `labelled` are the rows whose label is known, by their id."""

    task: Task
    statistics: Statistics
    rows: int = 0
    unsaid: int = 0
    unreadable: int = 0
    versions: Counter[int] = field(default_factory=Counter)
    tasks: Counter[str] = field(default_factory=Counter)
    labelled: dict[str, Row] = field(default_factory=dict)

    def left_out(self, name: str, version: int) -> Iterator[str]:
        if self.unreadable:
            yield f"Lines or records left out, as they are no requests of {name}: {self.unreadable:,}."
        if self.tasks:
            yield f"Rows left out, as they were asked of {', '.join(sorted(self.tasks))}: {self.tasks.total():,}."
        if self.versions:
            others = ", ".join(map(str, sorted(self.versions)))
            yield f"Rows left out, as other versions ({others}) answered them: {self.versions.total():,}."
        if self.unsaid:
            yield f"Rows that do not say which version answered, and count as of version {version}: {self.unsaid:,}."


def gathered(task: Task, name: str, paths: Iterable[str], version: int, wanted: Mapping[str, Any]) -> Asked:
    """Read the logs, of rows with a `wanted` id all of it; InputError if none is a log, or none is about this task."""
    asked = Asked(task, Statistics(task.features))
    every = (row for path in paths for row in read_log.rows(name, task, path))
    while batch := list(islice(every, ROWS)):
        _add(asked, name, version, batch, wanted)
    if asked.rows or asked.versions:
        return asked
    if asked.tasks:
        raise InputError(f"The log has no request of {name}. Received requests of: {', '.join(sorted(asked.tasks))}.")
    if asked.unreadable:
        raise InputError(
            f"The log has no request of {name}. Expected JSON lines as `sluice serve --log` writes them, or TFRecords "
            "of TF Serving's PredictionLog. Received lines or records of another kind."
        )
    return asked


def _add(asked: Asked, name: str, version: int, batch: Sequence[Row | None], wanted: Mapping[str, Any]) -> None:
    kept: list[Row] = []
    for row in batch:
        if row is None:
            asked.unreadable += 1
        elif row.task not in ("", name):
            asked.tasks[row.task] += 1
        elif row.version not in (0, version):
            asked.versions[row.version] += 1
        else:
            kept.append(row)
    if not kept:
        return
    asked.rows += len(kept)
    asked.unsaid += sum(row.version == 0 for row in kept)
    asked.statistics.add(np.zeros(len(kept), np.int8), typed(asked.task, [row.instance for row in kept]))
    asked.labelled |= {row.key: row for row in kept if row.key in wanted}


def typed(task: Task, instances: Sequence[Mapping[str, Any]]) -> dict[str, pa.Array]:
    """The features as columns; what cannot be read counts as missing."""
    columns, composites = columns_of(instances, [feature.name for feature in task.features])
    return {
        feature.name: convert(feature, columns[feature.name], composites.get(feature.name, {}))[0]
        for feature in task.features
    }
