"""Resolve: check what the user typed, look at the data and the destination, and say what the run depends on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import tasks
from components import settings
from components.code import code_hash
from components.progress import say
from components.reading.sources import snapshot, source_parts
from components.resolve import date_placeholders
from components.serving import versions as served
from components.storage.local_paths import source_kind
from tasks import InputError, Task

STEPS = ("ingest", "validate", "transform", "train", "evaluate", "rehearse", "push")


class Resolved(NamedTuple):
    model: str
    data: str
    snapshot: str
    champion: str
    serving: int
    start: str
    inputs: str
    preprocess_settings: dict[str, str]
    train_settings: dict[str, str]
    parameters: dict[str, str]
    ingest_code: str
    validate_code: str
    transform_code: str
    train_code: str
    evaluate_code: str
    rehearse_code: str


def run(
    *,
    task: str,
    model: str,
    data: str,
    data_dir: str,
    destination: str,
    seed: int,
    overrides: dict[str, str],
    scheduled: str = "",
    schedule: str = "",
    timezone: str = "",
    warm_start: bool = False,
) -> Resolved:
    definition = tasks.get(task)
    chosen = model_name(definition, task, model)
    check_seed(seed)
    settings.check_overrides(definition, chosen, overrides)
    overrides = {**definition.models[chosen].settle(overrides), **overrides}
    preprocess, train = settings.check_overrides(definition, chosen, overrides)
    check_destination(destination, task)
    if data_dir and source_kind(data) not in ("real", "tfds"):
        raise InputError(
            f"The directory {data_dir!r} is for the real data's files. Expected --data real or tfds:NAME with it. "
            f"Received: --data {data}."
        )
    data = date_placeholders.filled(data, scheduled=scheduled, schedule=schedule, timezone=timezone)
    state = snapshot(source_parts(definition, data, data_dir))
    code = code_hash(*(f"components.{step}.step" for step in STEPS), f"tasks.{task}")
    inputs = inputs_hash(task, chosen, state, seed, overrides, code, warm_start)
    parameters = {
        "task": task,
        "model": chosen,
        "data": data,
        "data_dir": data_dir,
        "snapshot": state,
        "seed": str(seed),
        "code": code,
        **overrides,
    }
    versions = served.versions(destination, task)
    for version in versions:
        if version.damage:
            say(f"{version.damage} The version counts as one that Sluice did not push.")
    against, serving = champion(versions, inputs), already_serving(versions, inputs)
    start = starting_point(versions, against) if warm_start else ""
    parameters |= {"warm_start": start} if start else {}
    if serving:
        say(f"nothing new: version {serving} serves this already")
    return Resolved(
        chosen, data, state, against, serving, start, inputs, preprocess, train, parameters, *step_codes(task)
    )


def step_codes(task: str) -> list[str]:
    """A hash of each cached step's code and libraries, which goes into Kubeflow's cache key with its parameters."""
    return [code_hash(f"components.{step}.step", f"tasks.{task}") for step in STEPS[:-1]]


def model_name(definition: Task, task: str, model: str) -> str:
    """The model asked for, or the task's first."""
    if model and model not in definition.models:
        raise InputError(f"The task {task!r} has no model {model!r}.{tasks.nearest(model, list(definition.models))}")
    return model or definition.default_model


def inputs_hash(
    task: str, model: str, state: str, seed: int, overrides: dict[str, str], code: str, warm_start: bool = False
) -> str:
    """Equal for two runs that could only come to the same model.

    A warm start counts, but not from where: else a model would be trained anew from itself, on the same data.
    """
    everything = [task, model, state, seed, sorted(overrides.items()), code, *(["warm"] if warm_start else [])]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def already_serving(versions: Sequence[served.Version], inputs: str) -> int:
    """The newest version's number if it came of the very same inputs, else 0."""
    return versions[-1].number if versions and versions[-1].provenance.get("inputs") == inputs else 0


def starting_point(versions: Sequence[served.Version], against: str) -> str:
    """Whose weights a warm start takes: the champion's, as its place and its hash."""
    number, _, sha256 = against.partition(":")
    return next((f"{version.path}#{sha256}" for version in versions if str(version.number) == number), "")


def champion(versions: Sequence[served.Version], inputs: str) -> str:
    """What the challenger is judged against: the newest version, or "".

    Where the newest version came of the very same inputs, it is what that one was judged against: then every step has
    the same parameters as it had, nothing runs again, and the pusher sees that the model is being served already.
    """
    if not versions:
        return ""
    newest = versions[-1]
    if already_serving(versions, inputs):
        before = str(newest.provenance.get("champion", ""))
        if not before or before.partition(":")[0] in {str(version.number) for version in versions}:
            return before
    return newest.champion


def check_seed(seed: int) -> None:
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed must be an integer from 0 to {2**32 - 1}. Received: {seed}.")


def check_destination(destination: str, task: str) -> None:
    """Say now, not after the training, when nothing could be pushed."""
    if not destination:
        raise InputError("The destination must be a directory. Received: ''.")
    scheme, separator, rest = destination.rpartition("://")
    if separator and scheme not in ("file", "local"):
        served.versions(destination, task)  # tells what is wrong with a bucket
        return
    place = Path(rest) / task
    existing = next(path for path in (place, *place.parents) if os.path.lexists(path))
    if not existing.is_dir():
        raise InputError(f"The destination {destination!r} cannot be created: {str(existing)!r} is not a directory.")
    if not os.access(existing, os.R_OK | os.W_OK | os.X_OK):
        raise InputError(
            f"The destination {destination!r} cannot be written: this user may not write {str(existing)!r}."
        )
