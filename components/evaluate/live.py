"""The gate's bars on rows that were answered after the push and have a label by now, beside what the gate saw."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import pandas as pd

from components.evaluate import gate
from components.evaluate.blessing import Comparison
from components.evaluate.gate import Interval, Judgement
from tasks import Task


class Live(NamedTuple):
    """A bar now and at the gate; `beyond` where it is missed by more than chance."""

    now: Judgement
    beyond: bool
    then: float | None
    then_interval: Interval | None


def measured(task: Task, answered: pd.DataFrame, raw: pd.DataFrame, blessing: Mapping[str, Any]) -> list[Live]:
    """Every bar of the task's gate, on all rows; a champion there is none to compare with."""
    whole = Comparison(task, answered, raw)
    found = []
    for bar in task.gate:
        higher = task.directions[bar.metric]
        now = gate.judge(
            bar, higher, whole.measured(bar.metric, bar.confidence), rival=False, confidence=bar.confidence
        )
        then: Mapping[str, Any] = next(
            (b for b in blessing.get("bars", []) if b["metric"] == bar.metric and not b["where"]), {}
        )
        beyond = now.passed is False and not _reaches(now.interval, bar.bar)
        found.append(Live(now, beyond, then.get("value"), then.get("interval")))
    return found


def _reaches(interval: Interval | None, bar: float) -> bool:
    """Whether the value may as well lie on the bar, of which these rows are but a part; unknown without an interval."""
    return interval is None or interval[0] <= bar <= interval[1]
