"""Starting from the serving model's weights, as far as they fit."""

from __future__ import annotations

import hashlib
import warnings
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from components.progress import say
from components.serving import versions

WEIGHTS = "model.keras"


def begin(model: keras.Model, start: str, transform_graph: str) -> dict[str, Any]:
    """Put in the weights of the version named by `start`, and tell what came of it.

    Empty where no version was named. The optimizer begins afresh.
    """
    if not start:
        return {}
    path = start.rpartition("#")[0]
    version = versions.at(path)
    facts: dict[str, Any] = {
        "from": path,
        "taken": 0,
        "fresh": [variable.path for variable in model.weights],
        "why": "",
    }
    if version is None:
        facts["why"] = f"There is no version at {path} any more."
    else:
        with versions.fetched(version) as folder:
            facts |= _take(model, folder, transform_graph)
    say(told(facts, len(model.weights)))
    return facts


def told(facts: dict[str, Any], total: int) -> str:
    """One sentence for the log."""
    if facts["why"]:
        return f"not a warm start: {facts['why']}"
    fresh = f"; these do not fit and begin afresh: {', '.join(facts['fresh'])}" if facts["fresh"] else ""
    return f"warm start from {facts['from']}: {facts['taken']} of {total} weights{fresh}"


def _take(model: keras.Model, folder: Path, transform_graph: str) -> dict[str, Any]:
    kept = folder / versions.EXTRA / WEIGHTS
    if not kept.is_file():
        return {"why": "The serving version has no model.keras beside it."}
    if changed := _changed_vocabularies(folder / "assets", Path(transform_graph) / "transform_fn" / "assets"):
        return {"why": f"The vocabulary {', '.join(changed)} is another now, so the same row is another word's."}
    fresh = _load(model, kept)
    return {"taken": len(model.weights) - len(fresh), "fresh": fresh}


def _load(model: keras.Model, kept: Path) -> list[str]:
    """Take the layers whose shapes agree; gives the paths of the weights that were left as they were."""
    before = [np.asarray(variable.value) for variable in model.variables]
    floats = [v for v in model.weights if keras.backend.is_float_dtype(v.dtype)]
    for variable in floats:
        variable.assign(np.full(variable.shape, np.nan, np.float32))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras tells of layers that do not fit; so do we
            model.load_weights(kept, skip_mismatch=True)
        lacking = {id(v) for v in floats if np.isnan(np.asarray(v.value, np.float32)).any()}
    except (ValueError, KeyError, OSError, BadZipFile) as error:
        if getattr(error, "errno", None) is not None:  # the machine's error, which says nothing of the file
            raise
        lacking = {id(v) for v in floats}
    taken = {id(v) for v in floats} - lacking
    for variable, value in zip(model.variables, before, strict=True):
        if id(variable) not in taken:  # random states, too, are this run's own
            variable.assign(value)
    return [variable.path for variable in model.weights if id(variable) not in taken]


def _changed_vocabularies(served: Path, now: Path) -> list[str]:
    """Files that the graph looks words up in, and that the served model lacks or has with another content.

    What else the served model has is its layers' own, such as the vocabulary of a TF-Hub module.
    """
    before, after = _contents(served), _contents(now)
    return sorted(name for name in after if before.get(name) != after[name])


def _contents(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()] if folder.is_dir() else []
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}
