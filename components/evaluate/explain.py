"""What the report says of why the model answers as it does: which features matter, which words moved an answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from components.evaluate import importance, metrics
from components.evaluate.explained import Explained
from components.evaluate.honesty_checks import spread
from components.evaluate.importance import Importance
from components.evaluate.left_out_words import moved
from components.evaluate.own_metrics import OwnMetric
from components.evaluate.predictions import ServedModel, readable
from components.examples import parse
from components.serving.output_names import main_output
from components.serving.versions import Version
from tasks import Date, Image, Task, Text
from transforms import iso_dates

Array = NDArray[Any]
Ask = Callable[[Mapping[str, Array]], Array]
# Versions back from the champion whose gate is told.
MOST_VERSIONS = 30


def explain(
    task: Task, served: ServedModel, test: parse.Split, frame: pd.DataFrame, texts: Mapping[int, Mapping[str, Any]]
) -> Explained:
    """`texts` are the raw features of the test rows whose words are asked about, by their places."""

    def ask(columns: Mapping[str, Array]) -> Array:
        return served.by_features(as_asked(task, columns))[main_output(task)]

    text = next((feature for feature in task.features if isinstance(feature, Text)), None)
    words = {at: moved(text, row, ask) for at, row in texts.items()} if text else {}
    plain = [feature for feature in task.features if not isinstance(feature, Text | Image)]
    affordable = importance.affordable_rows(task.features)
    wanted = list(task.features) if affordable else plain
    if not wanted:
        return Explained(words=words)
    rows = spread(len(frame), affordable or importance.MOST_ROWS)
    columns, label = parse.some_columns(task, test, wanted, rows)
    found = _importances(task, ask, columns, label, rows) if affordable else []
    shown = {feature.name: columns[feature.name] for feature in plain}
    return Explained(rows=rows, columns=shown, importances=found, words=words)


def as_asked(task: Task, columns: Mapping[str, Array]) -> dict[str, Array]:
    """Raw columns as the served model takes them: a date is text there."""
    dates = {feature.name for feature in task.features if isinstance(feature, Date)}
    return {name: _texts(values) if name in dates else values for name, values in columns.items()}


def _texts(seconds: Array) -> Array:
    texts = ["" if moment != moment else iso_dates.of_seconds(moment) for moment in seconds.tolist()]
    return np.array([text.encode() for text in texts], np.dtype("O"))


def _importances(task: Task, ask: Ask, columns: dict[str, Array], label: Array, rows: Array) -> list[Importance]:
    """By the metric that the gate names first."""
    name = task.gate[0].metric
    own = task.metrics.get(name)
    raw = readable(task, columns) if own and "rows" in own.asks else None

    def measure(truth: Array, answers: Array) -> float | None:
        if not np.isfinite(answers).all():
            return None
        return (
            OwnMetric(name, own, raw).value(truth, answers) if own else metrics.value(task.kind, name, truth, answers)
        )

    shuffles = importance.orders(len(rows))
    return importance.importances(columns, label, ask, measure, shuffles, higher_is_better=task.directions[name])


def past_gates(served: Sequence[Version], champion: str) -> list[dict[str, Any]]:
    """The bars that each version up to the champion was held against on all its test rows, the oldest first."""
    until = int(champion.partition(":")[0]) if champion else 0
    found = []
    for version in served:
        bars = [bar for bar in version.provenance.get("gate", []) if isinstance(bar, dict) and not bar.get("where")]
        if version.number <= until and bars:
            found.append({"version": version.number, "bars": {bar.get("metric"): bar for bar in bars}})
    return found[-MOST_VERSIONS:]
