"""Where tasks' files lie: this package's own folder, and those of the project one works on."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from tasks._task import InputError

OWN = Path(__file__).parent
VARIABLE = "SLUICE_TASKS"
# A folder called tasks may well hold files of quite another kind.
MARK = b"\nTASK = "


class Folders:
    """The package's search path: looked up at each use, so that every process sees the folders of its environment."""

    def __init__(self, own: Iterable[str]) -> None:
        self.own = [*own]

    def __iter__(self) -> Iterator[str]:
        yield from self.own
        yield from (folder for folder in further() if folder not in self.own)


def further() -> list[str]:
    """The folders of one's own tasks, as the environment names them."""
    return [*_folders(os.environ.get(VARIABLE, ""), Path.cwd())]


@functools.lru_cache(maxsize=1)
def _folders(words: str, here: Path) -> tuple[str, ...]:
    return tuple(str(here / Path(word).expanduser()) for word in words.split(os.pathsep) if word)


def use(given: str, *, new: bool = False) -> None:
    """Look for tasks in this folder too, here and in all processes started from here; "" leaves it to the rest.

    Without one the environment's count, and else `./tasks` if a task's file is in it. A `new` one need not be there.
    """
    here = Path("tasks").absolute()
    if given:
        os.environ[VARIABLE] = str(Path(given).expanduser().absolute())
    elif not os.environ.get(VARIABLE) and _holds_tasks(here):
        os.environ[VARIABLE] = str(here)
    for folder in further():
        if not Path(folder).is_dir() and not new:
            what = f"--tasks {given}" if given else f"{VARIABLE}={os.environ[VARIABLE]}"
            raise InputError(f"{what} is no folder. Expected one that holds tasks' files, such as ./tasks.")


def check_alone(name: str) -> None:
    """InputError if two folders hold a task of this name, or if one's own `_shared.py` is called as one of Sluice's."""
    folders = [Path(folder) for folder in further()]
    shared = sorted({path.stem for folder in folders for path in folder.glob("_*.py")} - {"__init__"})
    for each in (name, *shared):
        found = [path for folder in (OWN, *folders) if (path := folder / f"{each}.py").is_file()]
        if len({path.resolve() for path in found}) > 1:
            raise InputError(
                f"Two files are called tasks/{each}.py, and only one of them can be meant: "
                f"{' and '.join(map(str, found))}. Rename one of them."
            )


def _holds_tasks(folder: Path) -> bool:
    """Whether some file here ends in TASK = ...; a checkout of Sluice itself is no project's folder."""
    sluice = (folder / "_task.py").exists()
    return not sluice and any(MARK in b"\n" + path.read_bytes() for path in folder.glob("[!_]*.py"))
