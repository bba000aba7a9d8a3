"""Push: the gate. Only a blessed model, and the very one that was blessed, goes to the destination."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

from components import destination as served
from components import files
from components.progress import say
from components.provenance import provenance


class Pushed(NamedTuple):
    """Version 0 and an empty path with reasons: declined."""

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
    parameters: Mapping[str, str],
    statistics: str,
    model: str,
    blessing: str,
) -> Pushed:
    """Push the model if its blessing is for it, and for the champion that is served now."""
    source = Path(model) / "serving"
    verdict = _read(blessing)
    reasons = not_this_model(verdict, task, files.tree_hash(source))
    if reasons:
        return _declined(reasons)
    data = files.read_json(statistics)
    origin = provenance(verdict, data, run=run, inputs=inputs, champion=champion, force=force, parameters=parameters)
    papers = {"provenance.json": origin, "statistics.json": data, "blessing.json": verdict}
    while True:
        # The number is chosen before the champion is looked at, so a rival who pushes in between has taken it.
        number = served.free_number(destination, task)
        newest = served.newest(destination, task)
        if newest and is_serving(newest, verdict["model_sha256"], inputs):
            say(f"version {newest.number} is this model already")
            return Pushed(newest.number, str(newest.path), [])
        reasons = held_back(verdict, champion, newest.champion if newest else "")
        if reasons and not force:
            return _declined(reasons)
        with suppress(served.TakenError):
            sha256 = verdict["model_sha256"]
            version = served.add(destination, task, source, papers, number=number, model_sha256=sha256)
            say(f"pushed version {version.number} to {version.path}")
            return Pushed(version.number, str(version.path), [])


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


def is_serving(newest: served.Version, model_sha256: str, inputs: str) -> bool:
    """The same model, or one made of the same data by the same code and settings."""
    return newest.model_sha256 == model_sha256 or (bool(inputs) and newest.provenance.get("inputs") == inputs)


def held_back(verdict: Mapping[str, Any], champion: str, now: str) -> list[str]:
    """Why the model may not go on; a force overrules it."""
    reasons = []
    if verdict.get("blessed") is not True:
        reasons = list(verdict.get("reasons") or ["The model was not blessed."])
    judged_against = verdict.get("champion")
    if judged_against != now or champion != now:
        reasons.append(
            f"The champion changed: the model was judged against {_spoken(judged_against or champion)}, and the "
            f"destination now has {_spoken(now)}. Run again to be judged against that."
        )
    return reasons


def _read(blessing: str) -> dict[str, Any]:
    try:
        document = files.read_json(blessing)
    except (OSError, ValueError):
        return {}
    return document if isinstance(document, dict) else {}


def _spoken(champion: str) -> str:
    return f"version {champion.split(':')[0]}" if champion else "no version"


def _declined(reasons: list[str]) -> Pushed:
    say(f"declined: {' '.join(reasons)}")
    return Pushed(0, "", reasons)
