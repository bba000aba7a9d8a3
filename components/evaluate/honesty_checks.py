"""Whether an evaluation can be believed: each check takes small arrays and says in a sentence what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from components.evaluate import metrics
from components.evaluate.gate import Finding, Judgement
from tasks import Category, Feature, Kind, Number, Task

Array = NDArray[Any]
# A feature gives the label away if it alone leaves less than a hundredth of what one does not know without it.
GIVEN_AWAY = 0.99
# Fewer rows, or fewer rows that a guess gets wrong, than this show no dependence.
FEWEST_ROWS, FEWEST_SURPRISES = 40, 50
SEED = 1886  # Galton's regression


class Answers(Protocol):
    """The labels of the test rows and the model's predictions for them."""

    label: Array
    prediction: Array


def check(
    task: Task,
    rows: Array,
    answers: Answers,
    judgements: Sequence[Judgement],
    *,
    features: Mapping[str, Array],
    known_label: Array,
    seen: Mapping[str, Array],
) -> list[Finding]:
    """All checks. `rows` are the ids of the test rows and `seen` those of other splits; the features are of train."""
    label, prediction = answers.label, answers.prediction
    few = (too_few(task.kind, judgement, label, classes_of(task)) for judgement in judgements)
    looked_at = checked_features(task)
    problems = {giveaway_check(task): giveaways(task, features, known_label)} if looked_at else {}
    problems |= {
        "no test row stands in train": _first(in_train(rows, ids, split) for split, ids in seen.items()),
        "predictions are finite numbers": not_finite(prediction),
        "predictions depend on the input": constant(task.kind, rows, label, prediction),
        "test rows are enough for the bars": _first(few),
    }
    return [Finding(name, problem) for name, problem in problems.items()]


def giveaway_check(task: Task) -> str:
    """What is checked in words; features that are not looked into are not spoken for."""
    looked_at = checked_features(task)
    if len(looked_at) == len(task.features):
        return "no feature gives the label away"
    return f"of {', '.join(feature.name for feature in looked_at)}, none gives the label away"


def giveaways(task: Task, features: Mapping[str, Array], label: Array) -> str:
    """The features that know the label by themselves."""
    shares = {
        feature.name: dependence(values, label, nominal=not isinstance(feature, Number), classes=classes_of(task))
        for feature in checked_features(task)
        if (values := features.get(feature.name)) is not None
    }
    found = {name: share for name, share in shares.items() if share >= GIVEN_AWAY}
    if not found:
        return ""
    said = " and by ".join(f"{name}, which alone explains {share:.1%}" for name, share in sorted(found.items()))
    what = "variance" if task.kind == "regression" else "classes that a guess would get wrong"
    return (
        f"The label {task.label.name} is given away by {said} of its {what}. Take that out of the features, or name it "
        "in the task's may_tell if it is truly known when the model is asked."
    )


def spread(rows: int, most: int) -> Array:
    """Positions of at most so many rows from all over: one of each stretch, so that no order or period hides a part."""
    if rows <= most:
        return np.arange(rows)
    ends = np.arange(most + 1) * rows // most
    return np.random.RandomState(SEED).randint(ends[:-1], ends[1:])


def checked_features(task: Task) -> list[Feature]:
    """Texts and images are not looked into."""
    return [f for f in task.features if isinstance(f, Number | Category) and f.name not in task.may_tell]


def dependence(feature: Array, label: Array, *, nominal: bool, classes: int = 0) -> float:
    """How much of the label a feature alone explains, 0 to 1, whatever the form of the dependence.

    Each half of the rows predicts the other, from the rows with the nearest values of the feature. Of a number this
    is the share of its variance explained (R²), of a class the share of errors avoided that a guess would make.
    """
    if nominal:
        feature = np.unique(feature, return_inverse=True)[1]
        return _explained(feature, label, nominal=True, classes=classes)
    absent = ~np.isfinite(feature)
    shares = [_explained(feature[~absent], label[~absent], nominal=False, classes=classes)]
    if absent.any():
        shares.append(_explained(absent.astype(int), label, nominal=True, classes=classes))
    return max(shares)


def in_train(rows: Array, seen: Array, split: str) -> str:
    both = int(np.isin(rows, seen).sum())
    if not both:
        return ""
    return (
        f"{both:,} of {len(rows):,} test rows also stand in the {split} split, so the scores say nothing about new "
        "rows. Expected none in common; ingest the data again, and mend whatever wrote the examples if that remains."
    )


def not_finite(prediction: Array) -> str:
    broken = np.asarray(~np.isfinite(prediction).reshape(len(prediction), -1).all(axis=1))
    if not broken.any():
        return ""
    return (
        f"{int(broken.sum()):,} of {len(broken):,} predictions are not finite numbers. Expected a number for every "
        "row; the training may have diverged (try a lower train.learning_rate), or a missing value reaches the model."
    )


def constant(kind: Kind, rows: Array, label: Array, prediction: Array) -> str:
    """One answer to different rows; differences that no float32 model means are none."""
    if not (rows != rows[:1]).any() or not np.isfinite(prediction).all():
        return ""
    scale = max(float(np.ptp(label)), float(np.abs(prediction).max()), 1e-30) if kind == "regression" else 1.0
    if float(np.ptp(prediction, axis=0).max()) > 1e-6 * scale:
        return ""
    answer = np.array2string(np.asarray(prediction[0]), precision=4, threshold=8)
    return (
        f"The model ignores its input: it answers {answer} to each of the {len(rows):,} test rows. Expected answers "
        "that differ; the training may have collapsed (try another train.learning_rate), or an input is not connected."
    )


def too_few(kind: Kind, judgement: Judgement, label: Array, classes: int = 0) -> str:
    """A bar is cleared, but by rows so few that one constant answer could have done as well.

    A bar that asks no more than a constant answer reaches is left alone: it asks for nothing.
    """
    if judgement.where or not judgement.passed or judgement.value is None:
        return ""
    guess = guessed(kind, judgement.metric, label, classes)
    sign = 1 if judgement.higher_is_better else -1
    if guess is None or sign * (judgement.bar - guess) <= 0:
        return ""
    metric, rows = judgement.metric, f"{judgement.rows:,} test row{'s' if judgement.rows > 1 else ''}"
    advice = "Give the test split more rows, or ask for more than that in the bar."
    if judgement.interval is None:
        return f"{rows} cannot tell how sure {metric} is, so the bar of {judgement.bar:g} means nothing. {advice}"
    worst = judgement.interval[0 if judgement.higher_is_better else 1]
    if sign * (worst - guess) > 0:
        return ""
    return (
        f"{rows} are too few for the bar of {judgement.bar:g}: {metric} may be anything from "
        f"{judgement.interval[0]:.4g} to {judgement.interval[1]:.4g}, and one constant answer scores {guess:.4g}. "
        f"{advice}"
    )


def guessed(kind: Kind, metric: str, label: Array, classes: int = 0) -> float | None:
    """What the best answer that is the same for all rows scores on these rows; None for a task's own metric."""
    if metric not in metrics.METRICS[kind]:
        return None
    if kind == "regression":
        answer: Any = np.median(label) if metric == "mae" else np.mean(label, dtype=np.float64)
        return metrics.score(kind, label, np.full(len(label), answer, np.float64), [metric])[metric]
    shares = np.bincount(label, minlength=classes) / len(label)
    answers = np.broadcast_to(shares, (len(label), len(shares)))  # one line in memory
    return metrics.score(kind, label, answers[:, 1] if kind == "binary" else answers, [metric])[metric]


def classes_of(task: Task) -> int:
    return len(task.label.values) if isinstance(task.label, Category) else 0


def _explained(feature: Array, label: Array, *, nominal: bool, classes: int) -> float:
    if len(label) < FEWEST_ROWS:
        return 0.0
    half = np.random.RandomState(SEED).permutation(len(label)) % 2 == 0
    left = total = 0.0
    for fitted in (half, ~half):
        some = _between(feature[fitted], feature[~fitted], nominal)
        truth = label[~fitted][some]
        answers = _answers(feature[fitted], label[fitted], feature[~fitted][some], classes)
        if classes:
            left += float((answers != truth).sum())
            total += len(truth) - int(np.bincount(truth, minlength=1).max(initial=0))
        elif len(truth):
            left += float(((answers - truth) ** 2).sum())
            total += float(((truth - truth.mean(dtype=np.float64)) ** 2).sum())
    enough = total >= FEWEST_SURPRISES if classes else total > 0
    return max(0.0, 1 - left / total) if enough else 0.0


def _between(known: Array, asked: Array, nominal: bool) -> Array:
    """Which rows the other half can speak for: values it has seen, or that lie between such."""
    if not len(known):
        return np.zeros(len(asked), bool)
    return np.isin(asked, known) if nominal else (asked >= known.min()) & (asked <= known.max())


def _answers(known: Array, label: Array, asked: Array, classes: int) -> Array:
    """The mean label of the rows with that value, or between its neighbours; the commonest class of the nearest."""
    values, at = np.unique(known, return_inverse=True)
    if not classes:
        means = np.bincount(at, label.astype(np.float64)) / np.bincount(at)
        return np.interp(asked, values, means)
    pairs, counts = np.unique(at * classes + label, return_counts=True)
    # Sorted by count, the last one written for a value is its commonest class.
    order = np.argsort(counts, kind="stable")
    commonest = np.zeros(len(values), np.int64)
    commonest[pairs[order] // classes] = pairs[order] % classes
    above = np.clip(np.searchsorted(values, asked), 1, max(len(values) - 1, 1))
    above = np.minimum(above, len(values) - 1)
    below = np.maximum(above - 1, 0)
    nearest = np.where(np.abs(values[above] - asked) < np.abs(asked - values[below]), above, below)
    return commonest[nearest]


def _first(problems: Iterable[str]) -> str:
    return next((problem for problem in problems if problem), "")
