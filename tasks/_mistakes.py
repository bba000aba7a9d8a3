"""What is wrong with a task's file, in a sentence that begins with the file and the line."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from types import ModuleType

import tasks

# Their frames are never where the mistake is.
OURS = frozenset({"__init__.py", "_features.py", "_folders.py", "_mistakes.py", "_task.py"})
WHOLE = (ValueError, RuntimeError)


def sentence(error: BaseException) -> str:
    """The error's own words, or better ones, after the place in the task's file; "" if it is not of such a file."""
    place = _syntax(error) if isinstance(error, SyntaxError) else _place(error)
    return f"{place}: {_words(error)}" if place else ""


def _place(error: BaseException) -> str:
    frames = traceback.extract_tb(error.__traceback__)
    if isinstance(error, tasks.InputError) and frames and _in_tasks(frames[-1].filename):
        return ""  # a task's own sentence about what the user gave
    mine = [frame for frame in frames if _in_tasks(frame.filename) and Path(frame.filename).name not in OURS]
    return f"tasks/{Path(mine[-1].filename).name}, line {mine[-1].lineno}" if mine else ""


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
