"""What a fit that was killed needs to resume after its last finished epoch."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import keras
import numpy as np

from components.progress import say
from components.storage.atomic_files import write_json

KEPT = "state.npz"
HISTORY = "history.json"


class Resume(keras.callbacks.Callback):
    """Keeps everything a killed fit needs to go on after its last finished epoch, as if it had never stopped."""

    def __init__(self, directory: Path, early: keras.callbacks.EarlyStopping | None, *, keeps: bool = True) -> None:
        super().__init__()
        self.directory, self.early, self.keeps = directory, early, keeps
        self.history: dict[str, list[float]] = {}
        self.epoch = 0
        self.stopped = False
        self._watching: dict[str, Any] = {}

    @property
    def best_epoch(self) -> int:
        """The epoch, counted from 1, whose weights the model ends with."""
        return int(self.early.best_epoch) + 1 if self.early else self.epoch

    def restore(self, model: keras.Model) -> int:
        """Put the last finished epoch's state into the built and compiled model; gives the epochs done."""
        kept = read(self.directory / KEPT)
        if kept is None:
            return 0
        meta, variables, best = kept
        for variable, value in zip(_variables(model), variables, strict=True):
            variable.assign(value)
        self.history, self.epoch, self.stopped = meta["history"], meta["epoch"], meta["stopped"]
        self._watching = {**meta["watching"], "best_weights": best or None}
        self.on_train_begin()
        if best and (self.stopped or self.epoch >= meta["epochs"]):
            model.set_weights(best)
        say(f"resuming after epoch {self.epoch}")
        return self.epoch

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keras' EarlyStopping, which comes before this one, has just begun to count afresh."""
        if self.early is not None:
            for name, value in self._watching.items():
                setattr(self.early, name, value)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        self.epoch, self.stopped = epoch + 1, bool(self.model.stop_training)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(float(value))
        if self.keeps:  # of several workers, one
            self._save()

    def _save(self) -> None:
        best = (self.early.best_weights or []) if self.early else []
        watching: dict[str, Any] = {}
        if self.early is not None:
            watching = {"best": float(self.early.best), "wait": self.early.wait, "best_epoch": self.early.best_epoch}
        meta = {
            "epoch": self.epoch,
            "epochs": self.params["epochs"],
            "stopped": self.stopped,
            "history": self.history,
            "variables": len(_variables(self.model)),
            "best_weights": len(best),
            "watching": watching,
        }
        arrays = {f"v{i}": variable.numpy() for i, variable in enumerate(_variables(self.model))}
        arrays |= {f"b{i}": np.asarray(weights) for i, weights in enumerate(best)}
        self.directory.mkdir(parents=True, exist_ok=True)
        temporary = self.directory / "next.npz"
        with temporary.open("wb") as file:
            np.savez(file, meta=json.dumps(meta), **arrays)
        temporary.replace(self.directory / KEPT)
        # For whoever looks on, as a search does, which may end a fit that leads nowhere.
        write_json(self.directory.parent / HISTORY, self.history, lasting=False)


def read(path: Path) -> tuple[dict[str, Any], list[np.ndarray], list[np.ndarray]] | None:
    """The facts, the model's and optimizer's variables, and the best weights; None where there are none to go on from.

    No epoch waits until the disk has it, so after a power failure the file may be torn: the fit begins afresh then.
    """
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as saved:
            meta = json.loads(str(saved["meta"]))
            variables = [saved[f"v{i}"] for i in range(meta["variables"])]
            best = [saved[f"b{i}"] for i in range(meta["best_weights"])]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, EOFError, BadZipFile, zlib.error):
        say(f"{path} is damaged; training begins afresh")
        return None
    return meta, variables, best


def _variables(model: keras.Model) -> list[Any]:
    """Everything that training changes: weights, states of random layers, the optimizer's slots; not the metrics."""
    metrics = {id(variable) for variable in model.metrics_variables}
    return [v for v in model.variables if id(v) not in metrics] + list(model.optimizer.variables)
