"""What is wrong with a task's file, in a sentence that begins with the file and the line."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType

import tasks
from tasks import _folders

WHOLE = (ValueError, RuntimeError)


def sentence(error: BaseException) -> str:
    """The error's own words, or better ones, after the place in the task's file; "" if it is not of such a file."""
    place = _syntax(error) if isinstance(error, SyntaxError) else _place(error)
    return f"{place}: {_words(error)}" if place else ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, tasks.InputError) and frames and _in_tasks(frames[-1].filename):
        return ""  # a task's own sentence about what the user gave
    places = [(Path(frame.filename), frame.lineno) for frame in frames if _in_tasks(frame.filename)]
    # In what Sluice's own tasks share, the mistake never is.
    mine = [(path, line) for path, line in places if path.parent != _folders.OWN or path.name[0] != "_"]
    return f"tasks/{mine[-1][0].name}, line {mine[-1][1]}" if mine else ""


def _syntax(error: SyntaxError) -> str:
    name = error.filename or ""
    line = f", line {error.lineno}" if error.lineno else ""
    return f"tasks/{Path(name).name}{line}" if _in_tasks(name) else ""


def _in_tasks(filename: str) -> bool:
    return str(Path(filename).parent) in map(str, map(Path, tasks.__path__))


def _words(error: BaseException) -> str:
    text = str(error).strip()
    match error:
        case SyntaxError():
            return f"This is not Python: {error.msg}."
        case AttributeError(obj=ModuleType() as module, name=str() as name):
            known = [known for known in dir(sys.modules.get(module.__name__, module)) if not known.startswith("_")]
            return f"There is no {name!r} in {module.__name__}.{tasks.nearest(name, known)}"
    if type(error) in {tasks.InputError, *WHOLE}:
        return text
    return f"{type(error).__name__}: {text.splitlines()[0][:500] if text else ''}"
