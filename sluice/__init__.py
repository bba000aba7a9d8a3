"""Sluice from Python and from notebooks: the command line's runs, models and sentences as objects.

    run = sluice.run("auto_mpg", set={"train.epochs": 3})      a run, with its progress; pushes only with push=True
    run.metrics, run.history, run.predictions, run.report, run.model, run.served
    sluice.load("auto_mpg").predict(frame)                     the newest pushed version
    sluice.runs(), sluice.get_run("auto_mpg-3"), sluice.compare("auto_mpg-3", "auto_mpg-4")

A run goes on in a process of its own, as `sluice run` does: the same cache, gate and record. Nothing here imports
TensorFlow before a model is asked for.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sluice.finished_run import Run
    from sluice.past_runs import compare, get_run, runs
    from sluice.served_model import ServedModel, load
    from sluice.start_run import RunFailedError, run
    from tasks import InputError

__all__ = ["InputError", "Run", "RunFailedError", "ServedModel", "compare", "get_run", "load", "run", "runs"]

_HOMES = {
    "tasks": ("InputError",),
    "sluice.finished_run": ("Run",),
    "sluice.past_runs": ("compare", "get_run", "runs"),
    "sluice.served_model": ("ServedModel", "load"),
    "sluice.start_run": ("RunFailedError", "run"),
}


def __getattr__(name: str) -> Any:
    """Each name comes with its module when it is first asked for, so that `import sluice` costs nothing."""
    for module, names in _HOMES.items():
        if name in names:
            globals()[name] = getattr(importlib.import_module(module), name)
            return globals()[name]
    raise AttributeError(f"module 'sluice' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
