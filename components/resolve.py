"""Resolve: check what the user typed, look at the data and the destination, and say what the run depends on."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import NamedTuple

import tasks
from components import destination as served
from components import settings
from components.code import code_hash
from components.sources import snapshot, source_parts
from tasks import InputError, Task

STEPS = ("ingest", "validate", "transform", "train", "evaluate", "rehearse", "push")


class Resolved(NamedTuple):
    model: str
    snapshot: str
    champion: str
    inputs: str
    preprocess_settings: dict[str, str]
    train_settings: dict[str, str]
    parameters: dict[str, str]


def run(
    *, task: str, model: str, data: str, data_dir: str, destination: str, seed: int, overrides: dict[str, str]
) -> Resolved:
    definition = tasks.get(task)
    chosen = model_name(definition, task, model)
    if not 0 <= seed < 2**32:
        raise InputError(f"The seed must be an integer from 0 to {2**32 - 1}. Received: {seed}.")
    preprocess, train = settings.check_overrides(definition, chosen, overrides)
    check_destination(destination, task)
    state = snapshot(source_parts(definition, data, data_dir))
    code = code_hash(*(f"components.{step}" for step in STEPS), f"tasks.{task}")
    inputs = inputs_hash(task, chosen, state, seed, overrides, code)
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
    return Resolved(chosen, state, champion(destination, task, inputs), inputs, preprocess, train, parameters)


def model_name(definition: Task, task: str, model: str) -> str:
    """The model asked for, or the task's first."""
    if model and model not in definition.models:
        raise InputError(f"The task {task!r} has no model {model!r}.{tasks.nearest(model, list(definition.models))}")
    return model or definition.default_model


def inputs_hash(task: str, model: str, state: str, seed: int, overrides: dict[str, str], code: str) -> str:
    """Equal for two runs that could only come to the same model."""
    everything = [task, model, state, seed, sorted(overrides.items()), code]
    return hashlib.sha256(json.dumps(everything).encode()).hexdigest()


def champion(destination: str, task: str, inputs: str) -> str:
    """What the challenger is judged against: the newest version, or "".

    Where the newest version came of the very same inputs, it is what that one was judged against: then every step has
    the same parameters as it had, nothing runs again, and the pusher sees that the model is being served already.
    """
    versions = served.versions(destination, task)
    if not versions:
        return ""
    newest = versions[-1]
    if newest.provenance.get("inputs") == inputs:
        before = str(newest.provenance.get("champion", ""))
        if not before or before.partition(":")[0] in {str(version.number) for version in versions}:
            return before
    return newest.champion


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
