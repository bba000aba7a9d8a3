"""From predictions to the blessing: both models measured on the same rows, judged bar by bar, and the doubts raised."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from components.evaluate import confidence_intervals, gate, honesty_checks, metrics
from components.evaluate.gate import Interval, Judgement, Measured
from components.evaluate.own_metrics import OwnMetric
from tasks import Bar, Task

CONFIDENCE = 0.95


class Comparison:
    """Challenger and champion on the same rows; what was resampled is kept."""

    def __init__(self, task: Task, frame: pd.DataFrame, raw: pd.DataFrame | None = None, where: str = "") -> None:
        self.kind, self.rows, self.where = task.kind, len(frame), where
        self.label, self.prediction = frame["label"].to_numpy(), metrics.matrix(frame["prediction"])
        self.champion = metrics.matrix(frame["champion"]) if "champion" in frame else None
        rows = None if raw is None else raw.loc[frame.index]
        self.own = {name: OwnMetric(name, metric, rows) for name, metric in task.metrics.items()}
        self.scores = self._scores(self.prediction)
        self.champion_scores = None if self.champion is None else self._scores(self.champion)
        self._kept: dict[tuple[str, int], confidence_intervals.Resampled] = {}

    @property
    def of_kind(self) -> metrics.Scores:
        """Without the task's own."""
        return {name: self.scores[name] for name in metrics.METRICS[self.kind]}

    def _scores(self, answers: Any) -> metrics.Scores:
        found = metrics.score(self.kind, self.label, answers)
        known = len(self.label) > 0 and np.isfinite(answers).all()
        return found | {n: own.value(self.label, answers) if known else None for n, own in self.own.items()}

    def measured(self, metric: str, confidence: float) -> Measured:
        value, rival = self.scores[metric], (self.champion_scores or {}).get(metric)
        difference = p_value = None
        if value is not None and rival is not None:
            difference = self._resampled(metric, confidence).difference(metric, value - rival, confidence)
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
        trials = None if metric in self.own else metrics.trials(self.kind, metric, self.label, self.prediction)
        if trials is not None:
            return confidence_intervals.wilson(value, trials, confidence)
        return self._resampled(metric, confidence).interval(metric, value, confidence)

    def _p_value(self, metric: str) -> float | None:
        """McNemar's test is for shares of right answers; other metrics rest on the interval of the difference."""
        if metric != "accuracy" or self.champion is None:
            return None
        ours, theirs = (metrics.chosen(answers) == self.label for answers in (self.prediction, self.champion))
        return confidence_intervals.mcnemar(int((ours & ~theirs).sum()), int((theirs & ~ours).sum()))

    def _resampled(self, metric: str, confidence: float) -> confidence_intervals.Resampled:
        """The kind's metrics together, each of the task's own by itself."""
        own, times = self.own.get(metric), confidence_intervals.resamples_for(confidence)
        key = (own.name if own else "", times)
        if key not in self._kept:
            rival = self.champion if self.champion is not None and np.isfinite(self.champion).all() else None
            if own is None:
                self._kept[key] = confidence_intervals.resample(
                    self.kind, self.label, self.prediction, rival, resamples=times
                )
            else:
                ours = own.weighted(self.label, self.prediction)
                theirs = None if rival is None else own.weighted(self.label, rival)
                self._kept[key] = confidence_intervals.resample_by(self.rows, ours, theirs, resamples=times)
        return self._kept[key]


def judge(
    task: Task, frame: pd.DataFrame, whole: Comparison, raw: pd.DataFrame | None = None, *, same_data: bool = False
) -> list[Judgement]:
    """Every bar on all rows, and on those of each slice that it names.

    A champion of the same data is one to improve upon, by the first bar: else whoever tries often enough loses ground.
    """
    return [
        judgement
        for number, bar in enumerate(task.gate)
        for judgement in _judge(task, bar, frame, whole, raw, improve=same_data and number == 0)
    ]


def document(
    definition: Task,
    frame: pd.DataFrame,
    *,
    honest: Mapping[str, Any] | None = None,
    raw: pd.DataFrame | None = None,
    same_data: bool = False,
    against: Sequence[str] = (),
    **facts: Any,
) -> dict[str, Any]:
    """The blessing. `honest` is what the checks of honesty need beside the predictions; None omits them.

    `raw` are the features of the frame's rows, for metrics of the task's own that ask for them; `against` are reasons
    that no bar has, for which the model is not blessed either.
    """
    whole = Comparison(definition, frame, raw)
    judged = judge(definition, frame, whole, raw, same_data=same_data)
    findings = (
        [] if honest is None else honesty_checks.check(definition, frame["row"].to_numpy(), whole, judged, **honest)
    )
    return gate.blessing(
        judged,
        findings,
        against,
        metrics=metrics.table(definition.kind, frame, whole.of_kind)
        | {name: whole.scores[name] for name in definition.metrics},
        champion_metrics=whole.champion_scores,
        confidence=CONFIDENCE,
        intervals={name: whole.interval(name, CONFIDENCE) for name in whole.scores},
        slices=metrics.slices(
            lambda rows: Comparison(definition, rows, raw).scores,
            frame.drop(columns="champion", errors="ignore"),
            definition.slices,
        ),
        same_data=same_data,
        **facts,
    )


def _judge(
    task: Task, bar: Bar, frame: pd.DataFrame, whole: Comparison, raw: pd.DataFrame | None, *, improve: bool
) -> Iterator[Judgement]:
    higher, rival = task.directions[bar.metric], "champion" in frame
    found = whole.measured(bar.metric, bar.confidence)
    yield gate.judge(bar, higher, found, rival=rival, confidence=bar.confidence, improve=improve)
    slices = {
        f"{column}: {value}": places
        for column in bar.slices
        for value, places in metrics.places_of(frame, column).items()
    }
    confidence = gate.confidence_of_each(bar, sum(len(places) >= bar.minimum_rows for places in slices.values()))
    for where, places in slices.items():
        found = Comparison(task, frame.iloc[places], raw, where).measured(bar.metric, confidence)
        yield gate.judge(bar, higher, found, rival=rival, confidence=confidence)
