"""From predictions to the blessing: both models measured on the same rows, judged bar by bar, and the doubts raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd

from components import gate, honesty, intervals, metrics
from components.gate import Interval, Judgement, Measured
from tasks import METRICS, Bar, Kind, Task

CONFIDENCE = 0.95


class Comparison:
    """Challenger and champion on some rows."""

    def __init__(self, kind: Kind, frame: pd.DataFrame, *, confidence: float = CONFIDENCE, where: str = "") -> None:
        self.kind, self.rows, self.confidence, self.where = kind, len(frame), confidence, where
        self.label, self.prediction = frame["label"].to_numpy(), metrics.matrix(frame["prediction"])
        self.champion = metrics.matrix(frame["champion"]) if "champion" in frame else None
        self.scores = metrics.score(kind, self.label, self.prediction)
        self.champion_scores = None if self.champion is None else metrics.score(kind, self.label, self.champion)

    def measured(self, metric: str) -> Measured:
        rival = None if self.champion_scores is None else self.champion_scores[metric]
        return Measured(
            rows=self.rows,
            value=self.scores[metric],
            interval=self.interval(metric),
            champion=rival,
            difference=None if rival is None else self._difference(metric, rival),
            p_value=None if rival is None else self._p_value(metric),
            where=self.where,
        )

    def interval(self, metric: str) -> Interval | None:
        value = self.scores[metric]
        if value is None:
            return None
        trials = metrics.trials(self.kind, metric, self.label, self.prediction)
        if trials is not None:
            return intervals.wilson(value, trials, self.confidence)
        return self._resampled.interval(metric, value, self.confidence)

    def _difference(self, metric: str, rival: float) -> Interval | None:
        value = self.scores[metric]
        return None if value is None else self._resampled.difference(metric, value - rival, self.confidence)

    def _p_value(self, metric: str) -> float | None:
        """McNemar's test is for shares of right answers; other metrics rest on the interval of the difference."""
        if metric != "accuracy" or self.scores[metric] is None:
            return None
        ours, theirs = (metrics.chosen(answers) == self.label for answers in (self.prediction, self.champion))
        return float(f"{intervals.mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum())):.6g}")

    @cached_property
    def _resampled(self) -> intervals.Resampled:
        comparable = self.champion_scores is not None and any(v is not None for v in self.champion_scores.values())
        return intervals.resample(
            self.kind,
            self.label,
            self.prediction,
            self.champion if comparable else None,
            resamples=intervals.resamples_for(self.confidence),
        )


def judge(task: Task, frame: pd.DataFrame) -> list[Judgement]:
    """Every bar on all rows, and on those of each slice that it names."""
    return [judgement for bar in task.gate for judgement in _judge(task.kind, bar, frame)]


def document(
    task: Task, frame: pd.DataFrame, *, honest: Mapping[str, Any] | None = None, **facts: Any
) -> dict[str, Any]:
    """The blessing. `honest` is what the checks of honesty need to know beyond the predictions; None omits them."""
    judged = judge(task, frame)
    whole = Comparison(task.kind, frame)
    findings = []
    if honest is not None:
        findings = honesty.check(
            task, rows=frame["row"].to_numpy(), label=whole.label, prediction=whole.prediction, judgements=judged, **honest
        )
    return gate.blessing(
        judged,
        findings,
        metrics=metrics.table(task.kind, frame),
        champion_metrics=whole.champion_scores,
        confidence=CONFIDENCE,
        intervals={name: whole.interval(name) for name in whole.scores},
        slices=metrics.slices(task.kind, frame, task.slices),
        **facts,
    )


def _judge(kind: Kind, bar: Bar, frame: pd.DataFrame) -> Iterator[Judgement]:
    higher, rival = METRICS[kind][bar.metric], "champion" in frame
    found = Comparison(kind, frame, confidence=bar.confidence).measured(bar.metric)
    yield gate.judge(bar, higher, found, rival=rival, confidence=bar.confidence)
    slices = {f"{column}: {value}": rows for column in bar.slices for value, rows in metrics.groups(frame, column)}
    confidence = gate.confidence_of_each(bar, sum(len(rows) >= bar.minimum_rows for rows in slices.values()))
    for where, rows in slices.items():
        found = Comparison(kind, rows, confidence=confidence, where=where).measured(bar.metric)
        yield gate.judge(bar, higher, found, rival=rival, confidence=confidence)
