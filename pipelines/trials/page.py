"""A search's page: one file that needs nothing else, written again after each trial."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.evaluate.report.html import Markup, document, facts, section, table, tag
from components.storage import atomic_files
from pipelines.trials import pictures, study
from pipelines.trials.space import Axis
from pipelines.trials.watched_metric import Watched

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

NAME = "index.html"
STATES = {"COMPLETE": "ended", "PRUNED": "pruned", "FAIL": "failed"}
CHOSEN = (
    "Trials are put in order by the rows that training watches. The test rows judge the best one alone, once: so its "
    "score there is not the luckiest of many."
)
SHARES = (
    "How much of the difference between the better trials and the others comes from each setting (PED-ANOVA), of those "
    "trials that ended. Few trials tell little."
)


@dataclass(frozen=True, kw_only=True)
class Story:
    """What there is to tell besides the trials themselves; `judged` and `push` when the best has been judged."""

    place: Path
    task: str
    metric: Watched
    count: int
    axes: Sequence[Axis]
    command: str
    judged: Mapping[str, Any] | None = None
    push: str = ""


def write(known: optuna.Study, story: Story) -> Path:
    trials, metric = study.ranked(known), story.metric.name
    counted = {word: sum(trial.state.name == state for trial in trials) for state, word in STATES.items()}
    said = ", ".join(f"{count} {word}" for word, count in counted.items() if count)
    head = [
        tag("p", f"{story.task}, by {metric} on the rows that training watches", class_="soft"),
        tag("h1", "Search"),
        tag("p", f"{len(trials)} of {story.count} trials: {said or 'none has ended yet'}.", class_="about"),
        tag("pre", story.command),
        tag("p", tag("a", "All runs", href="../../index.html")),
    ]
    sections = [section("Trials", _table(trials, story))]
    if study.best(known):
        pair = (pictures.progress(trials, metric, higher=story.metric.higher), pictures.curves(trials, metric))
        sections = [
            section("Best", *_best(trials[0], story)),
            section("Progress", tag("div", *pair, class_="figures")),
            section("Settings", *_importance(study.importances(known)), _by_setting(trials, story)),
            *sections,
        ]
    atomic_files.write_bytes(
        story.place / NAME, document(f"Search: {story.task}", head, sections).encode(errors="replace")
    )
    return story.place / NAME


def _best(best: FrozenTrial, story: Story) -> list[Markup]:
    told = [facts({"Run": _run(best), f"{story.metric.name}, validation": best.value, **chosen(best, story.axes)})]
    if story.judged is not None:
        cleared = story.judged["status"] == "done"
        reasons = [] if cleared else [tag("ul", *(tag("li", reason) for reason in story.judged.get("reasons", [])))]
        told += [
            tag("h3", f"Judged on the test rows, it {'clears' if cleared else 'does not clear'} the gate"),
            tag("p", tag("a", "Its report", href=f"../../{story.judged['run']}/report.html")),
            *reasons,
            facts({f"{name}, test": value for name, value in story.judged.get("metrics", {}).items()}),
        ]
    told += [tag("p", "To push it:"), tag("pre", story.push)] if story.push else []
    return [*told, tag("p", CHOSEN, class_="soft")]


def _importance(shares: Mapping[str, float]) -> list[Markup]:
    if not shares:
        return []
    rows = [
        [
            name,
            f"{share:.0%}",
            tag("div", tag("i", style=f"--share: {share:.3f}"), class_="gauge", style="width: 14rem"),
        ]
        for name, share in shares.items()
    ]
    return [tag("h3", "Importance"), table(["Setting", "Share", ""], rows), tag("p", SHARES, class_="soft")]


def _by_setting(trials: Sequence[FrozenTrial], story: Story) -> Markup:
    return tag("div", *(pictures.by_setting(trials, axis, story.metric.name) for axis in story.axes), class_="figures")


def _table(trials: Sequence[FrozenTrial], story: Story) -> Markup:
    """The best first; a trial that failed says why."""
    head = ["Trial", "Run", *(axis.key for axis in story.axes), story.metric.name, "Epochs", "Seconds", "Outcome"]
    return table(head, [_row(trial, story) for trial in trials])


def _row(trial: FrozenTrial, story: Story) -> list[Any]:
    settings = chosen(trial, story.axes)
    value = trial.value if trial.state.name == "COMPLETE" else None
    outcome = trial.user_attrs.get(study.WHY) or STATES[trial.state.name]
    return [
        trial.number, _run(trial), *(settings.get(axis.key, "") for axis in story.axes), value,
        len(trial.intermediate_values), trial.user_attrs.get(study.SECONDS), outcome,
    ]  # fmt: skip


def chosen(trial: FrozenTrial, axes: Sequence[Axis]) -> dict[str, str]:
    """The settings, as `--set` takes them."""
    return {axis.key: axis.text(trial.params[axis.key]) for axis in axes if axis.key in trial.params}


def _run(trial: FrozenTrial) -> str:
    return str(trial.user_attrs.get(study.RUN, ""))
