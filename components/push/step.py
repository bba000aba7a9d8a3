"""Push: the gate. Only a blessed model, and the very one that was blessed, goes to the destination."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import tasks
from components.progress import say
from components.serving import model_card, report_outcome, trained_until
from components.serving import versions as served
from components.serving.output_names import WARMUP, label_values
from components.serving.provenance import provenance
from components.serving.report_outcome import Outcome
from components.storage import atomic_files
from components.tracking import finished_run, server

RIVAL_SECONDS = 60.0
WEIGHTS = "model.keras"


class Pushed(NamedTuple):
    """Version 0 and an empty path with reasons: declined. A version with reasons: it serves what was rejected now."""

    version: int
    pushed: str
    reasons: list[str]


def run(
    *,
    task: str,
    destination: str,
    champion: str,
    inputs: str,
    run: str,
    force: str,
    publish: bool = True,
    keep: int = 0,
    parameters: Mapping[str, str],
    statistics: str,
    model: str,
    blessing: str,
    rehearsal: str,
    judged: str,
    report: str,
    told: dict[str, Any] | None = None,
) -> Pushed:
    """Push the model if its blessing is for it, and for the champion that is served now; then finish the report.

    What came of telling MLflow goes into `told`, the report's metadata.
    """
    source = Path(model) / "serving"
    verdict, tried, sha256 = _read(blessing), _read(Path(rehearsal) / "rehearsal.json"), atomic_files.tree_hash(source)
    if reasons := [*not_this_model(verdict, task, sha256), *not_rehearsed(tried, sha256)]:
        result, outcome = _declined(verdict, reasons)
    elif not publish:
        say("judged only; not asked to push")
        result = Pushed(0, "", [*rejected(verdict), *tried["reasons"]])
        outcome = report_outcome.not_pushed(verdict, result.reasons, asked=False)
    else:
        data = atomic_files.read_json(statistics)
        origin = provenance(
            verdict, data, tried, run=run, inputs=inputs, champion=champion, force=force, parameters=parameters,
            label_values=label_values(tasks.get(task)), began_with=began_with(task, parameters),
        )  # fmt: skip
        extra = papers(task, origin, data, verdict, tried, Path(rehearsal))
        if (weights := Path(model) / WEIGHTS).is_file():  # a later run may begin with them
            extra[WEIGHTS] = weights
        result, outcome = _pushed(task, destination, source, extra, champion=champion, force=force)
    report_outcome.settle(judged, report, outcome)
    if result.version and (removed := served.prune(destination, task, keep)):
        say(f"version {result.version} is served; pruned {', '.join(map(str, removed))}")
    if server.is_named():
        finished = finished_run.of_push(
            task, run, parameters, model=Path(model), report=Path(report), verdict=verdict,
            statistics=_read(statistics), outcome=outcome, version=result.version,
            nothing_new=_nothing_new(destination, task, inputs, run),
        )  # fmt: skip
        if mlflow := finished_run.tell(finished):
            say(mlflow)
            if told is not None:
                told["mlflow"] = mlflow
    return result


def began_with(task: str, parameters: Mapping[str, str]) -> str:
    """Until when the version learned from whose weights a warm start took; "" without one."""
    by, start = tasks.get(task).splits.by, parameters.get("warm_start", "").rpartition("#")[0]
    version = served.at(start) if by and start else None
    return trained_until.of_version(version, by) if version else ""


def papers(
    task: str,
    origin: Mapping[str, Any],
    statistics: Mapping[str, Any],
    verdict: Mapping[str, Any],
    tried: Mapping[str, Any],
    rehearsal: Path,
) -> dict[str, Any]:
    """What goes to the destination beside the model."""
    about = model_card.markdown(tasks.get(task), task, verdict, statistics, origin, tried)
    warmup = rehearsal / WARMUP
    return {
        "provenance.json": origin,
        "statistics.json": statistics,
        "blessing.json": verdict,
        "rehearsal.json": tried,
        "model_card.md": about.encode(errors="replace"),
        **({WARMUP: warmup} if warmup.exists() else {}),
    }


def _pushed(
    task: str, destination: str, source: Path, extra: Mapping[str, Any], *, champion: str, force: str
) -> tuple[Pushed, Outcome]:
    """Look at what is served and push, until no rival comes in between."""
    verdict, tried, inputs = extra["blessing.json"], extra["rehearsal.json"], extra["provenance.json"]["inputs"]
    while True:
        # The number is chosen before the champion is looked at, so a rival who pushes in between has taken it.
        number = served.free_number(destination, task)
        _await_rivals(destination, task)
        newest = served.newest(destination, task)
        unchanged = newest is not None and bool(inputs) and newest.provenance.get("inputs") == inputs
        if newest and (unchanged or newest.model_sha256 == verdict["model_sha256"]):
            say(f"version {newest.number} is this model already")
            # What was decided of these inputs, perhaps by force, stays so; of the model, another gate may decide anew.
            against = [] if force or unchanged else [*rejected(verdict), *tried["reasons"]]
            return Pushed(newest.number, str(newest.path), against), report_outcome.serving(newest.number, against)
        reasons = [
            *held_back(verdict, champion, newest.champion if newest else ""),
            *tried["reasons"],
            *_rolled_back(destination, task, newest),
            *only_synthetic(extra["provenance.json"], newest.provenance if newest else {}),
            *_rivals(destination, task),
        ]
        if reasons and not force:
            return _declined(verdict, reasons)
        with suppress(served.TakenError):
            sha256 = verdict["model_sha256"]
            version = served.add(destination, task, source, extra, number=number, model_sha256=sha256)
            say(f"pushed version {version.number} to {version.path}")
            told = report_outcome.pushed(version.number, str(version.path), reasons, force)
            return Pushed(version.number, str(version.path), []), told


def _nothing_new(destination: str, task: str, inputs: str, run: str) -> bool:
    """Whether an earlier run has pushed what is served, from the very same inputs."""
    newest = served.newest(destination, task)
    origin = newest.provenance if newest else {}
    return bool(inputs) and origin.get("inputs") == inputs and origin.get("run") != run


def not_rehearsed(tried: Mapping[str, Any], model_sha256: str) -> list[str]:
    """Why nothing shows that a server could load this model; no force gets past that."""
    if not tried:
        return ["There is no rehearsal that can be read: the exported model was not tried out."]
    if tried.get("model_sha256") != model_sha256:
        return [f"The rehearsal was with another model, of sha256 {tried.get('model_sha256')}."]
    return [] if tried.get("loaded") is True else list(tried.get("reasons") or ["The model was not loaded."])


def not_this_model(verdict: Mapping[str, Any], task: str, model_sha256: str) -> list[str]:
    """Why the blessing says nothing about this model; no force gets past that."""
    if not verdict:
        return ["There is no blessing that can be read: the model was not evaluated."]
    if verdict.get("task") != task:
        return [f"The blessing is for the task {verdict.get('task')!r}, not for {task!r}."]
    blessed = verdict.get("model_sha256")
    if blessed != model_sha256:
        return [f"The blessing is for another model, of sha256 {blessed}. This model's is {model_sha256}."]
    return []


def held_back(verdict: Mapping[str, Any], champion: str, now: str) -> list[str]:
    """Why the model may not go on; a force overrules it."""
    reasons = rejected(verdict)
    judged_against = verdict.get("champion")
    if judged_against != now or champion != now:
        reasons.append(
            f"The champion changed: the model was judged against {_spoken(judged_against or champion)}, and the "
            f"destination now has {_spoken(now)}. Run again to be judged against that."
        )
    return reasons


def rejected(verdict: Mapping[str, Any]) -> list[str]:
    """What the gate has against the model."""
    if verdict.get("blessed") is True:
        return []
    return list(verdict.get("reasons") or ["The model was not blessed."])


def only_synthetic(origin: Mapping[str, Any], served_now: Mapping[str, Any]) -> list[str]:
    """Real rows were learned from before: whoever forgot to name them does not want the sample to take their place."""
    before = served_now.get("parameters", {}).get("data", "")
    if origin["parameters"].get("data") != "sample" or before in ("", "sample"):
        return []
    return [
        f"The model learned from the synthetic sample, and the one that is served from {before!r}. Name the data with "
        "--data, or replace it with --force REASON."
    ]


def _rolled_back(destination: str, task: str, newest: served.Version | None) -> list[str]:
    """A person went back to an older version: retraining does not undo that by itself."""
    if newest is None or not served.is_held(destination, task, newest):
        return []
    if newest.damage:
        return [
            f"{newest.damage} So version {newest.number} may be a rollback, which no model replaces by itself. "
            f"To let models that clear the gate be pushed: sluice release {task}."
        ]
    return [
        f"Version {newest.number} is a rollback to version {newest.copied_from}, which no model replaces by itself. "
        f"To let models that clear the gate be pushed again: sluice release {task}."
    ]


def _await_rivals(destination: str, task: str) -> None:
    """An upload to an object store takes a while; what it brings is the champion then."""
    end = time.monotonic() + RIVAL_SECONDS
    while (numbers := served.unfinished(destination, task)) and time.monotonic() < end:
        say(f"waiting for the upload of version {numbers[-1]} by another run")
        time.sleep(RIVAL_SECONDS / 100)


def _rivals(destination: str, task: str) -> list[str]:
    return [
        f"Version {number} is being uploaded by another run, or was left half-uploaded within the hour, and may become "
        "the champion. Run again later."
        for number in served.unfinished(destination, task)
    ]


def _read(document_path: str | Path) -> dict[str, Any]:
    try:
        document = atomic_files.read_json(document_path)
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _spoken(champion: str) -> str:
    return f"version {champion.split(':')[0]}" if champion else "no version"


def _declined(verdict: Mapping[str, Any], reasons: list[str]) -> tuple[Pushed, Outcome]:
    say(f"declined: {' '.join(reasons)}")
    return Pushed(0, "", reasons), report_outcome.not_pushed(verdict, reasons)
