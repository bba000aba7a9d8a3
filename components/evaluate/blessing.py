"""From predictions to the blessing: both models measured on the same rows, judged bar by bar, and the doubts raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pandas as pd

from components.evaluate import confidence_intervals, gate, honesty_checks, metrics
from components.evaluate.gate import Interval, Judgement, Measured
from tasks import METRICS, Bar, Kind, Task

CONFIDENCE = 0.95


class Comparison:
    """Challenger and champion on the same rows; what was resampled is kept."""

    def __init__(self, kind: Kind, frame: pd.DataFrame, where: str = "") -> None:
        self.kind, self.rows, self.where = kind, len(frame), where
        self.label, self.prediction = frame["label"].to_numpy(), metrics.matrix(frame["prediction"])
        self.champion = metrics.matrix(frame["champion"]) if "champion" in frame else None
        self.scores = metrics.score(kind, self.label, self.prediction)
        self.champion_scores = None if self.champion is None else metrics.score(kind, self.label, self.champion)
        self._kept: dict[int, confidence_intervals.Resampled] = {}

    def measured(self, metric: str, confidence: float) -> Measured:
        value, rival = self.scores[metric], (self.champion_scores or {}).get(metric)
        difference = p_value = None
        if value is not None and rival is not None:
            difference = self._resampled(confidence).difference(metric, value - rival, confidence)
            p_value = self._p_value(metric)
        return Measured(
            rows=self.rows,
            value=value,
            interval=self.interval(metric, confidence),
            champion=rival,
            difference=difference,
            p_value=p_value,
            where=self.where,
        )

    def interval(self, metric: str, confidence: float) -> Interval | None:
        value = self.scores[metric]
        if value is None:
            return None
        trials = metrics.trials(self.kind, metric, self.label, self.prediction)
        if trials is not None:
            return confidence_intervals.wilson(value, trials, confidence)
        return self._resampled(confidence).interval(metric, value, confidence)

    def _p_value(self, metric: str) -> float | None:
        """McNemar's test is for shares of right answers; other metrics rest on the interval of the difference."""
        if metric != "accuracy" or self.champion is None:
            return None
        ours, theirs = (metrics.chosen(answers) == self.label for answers in (self.prediction, self.champion))
        return confidence_intervals.mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))

    def _resampled(self, confidence: float) -> confidence_intervals.Resampled:
        times = confidence_intervals.resamples_for(confidence)
        if times not in self._kept:
            finite = self.champion is not None and np.isfinite(self.champion).all()
            rival = self.champion if finite else None
            self._kept[times] = confidence_intervals.resample(
                self.kind, self.label, self.prediction, rival, resamples=times
            )
        return self._kept[times]


def judge(task: Task, frame: pd.DataFrame, whole: Comparison) -> list[Judgement]:
    """Every bar on all rows, and on those of each slice that it names."""
    return [judgement for bar in task.gate for judgement in _judge(task.kind, bar, frame, whole)]


def document(
    definition: Task, frame: pd.DataFrame, *, honest: Mapping[str, Any] | None = None, **facts: Any
) -> dict[str, Any]:
    """The blessing. `honest` is what the checks of honesty need beside the predictions; None omits them."""
    whole = Comparison(definition.kind, frame)
    judged = judge(definition, frame, whole)
    findings = (
        [] if honest is None else honesty_checks.check(definition, frame["row"].to_numpy(), whole, judged, **honest)
    )
    return gate.blessing(
        judged,
        findings,
        metrics=metrics.table(definition.kind, frame),
        champion_metrics=whole.champion_scores,
        confidence=CONFIDENCE,
        intervals={name: whole.interval(name, CONFIDENCE) for name in whole.scores},
        slices=metrics.slices(definition.kind, frame, definition.slices),
        **facts,
    )


def _judge(kind: Kind, bar: Bar, frame: pd.DataFrame, whole: Comparison) -> Iterator[Judgement]:
    higher, rival = METRICS[kind][bar.metric], "champion" in frame
    found = whole.measured(bar.metric, bar.confidence)
    yield gate.judge(bar, higher, found, rival=rival, confidence=bar.confidence)
    slices = {f"{column}: {value}": rows for column in bar.slices for value, rows in metrics.groups(frame, column)}
    confidence = gate.confidence_of_each(bar, sum(len(rows) >= bar.minimum_rows for rows in slices.values()))
    for where, rows in slices.items():
        found = Comparison(kind, rows, where).measured(bar.metric, confidence)
        yield gate.judge(bar, higher, found, rival=rival, confidence=confidence)
