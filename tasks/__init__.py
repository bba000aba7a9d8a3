"""What is learned: one file per task. `tasks.get("auto_mpg")` imports the module of that name."""

from __future__ import annotations

import difflib
import importlib
import pkgutil

from tasks import _folders
from tasks._features import Category, Date, Feature, Image, Number, Text, WhenMissing
from tasks._keras_names import LOSSES, OPTIMIZERS
from tasks._metrics import METRICS, Kind, Metric
from tasks._models import Model, Train
from tasks._splits import Split, Splits
from tasks._task import Bar, InputError, Part, Task, check_fit, keyword_defaults

__all__ = [
    "LOSSES", "METRICS", "OPTIMIZERS", "Bar", "Category", "Date", "Feature", "Image", "InputError", "Kind", "Metric",
    "Model", "Number", "Part", "Split", "Splits", "Task", "Text", "Train", "WhenMissing", "check_fit", "check_name",
    "get", "keyword_defaults", "names", "nearest", "own_folders", "use_folder",
]  # fmt: skip

__path__ = _folders.Folders(__path__)  # type: ignore[assignment]
own_folders, use_folder = _folders.further, _folders.use


def names() -> list[str]:
    return sorted({module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")})


def check_name(name: str) -> None:
    """InputError if there is no such task; its module is not imported."""
    if name not in names():
        own = f" in Sluice or in {' or '.join(_folders.further())}" if _folders.further() else ""
        raise InputError(f"There is no task {name!r}{own}.{nearest(name, names())}")
    _folders.check_alone(name)


def get(name: str) -> Task:
    check_name(name)
    try:
        module = importlib.import_module(f"tasks.{name}")
    except Exception as error:
        from tasks import _mistakes

        raise InputError(_mistakes.sentence(error) or f"tasks/{name}.py: {error}") from error
    task = getattr(module, "TASK", None)
    if not isinstance(task, Task):
        raise InputError(f"tasks/{name}.py must end in TASK = Task(...). Received: {task!r}.")
    return task


def nearest(word: str, known: list[str]) -> str:
    """The end of an error sentence that names what was probably meant."""
    close = difflib.get_close_matches(word, known, n=1, cutoff=0.5)
    return f" Did you mean {close[0]!r}?" if close else f" Expected one of: {', '.join(known)}."
