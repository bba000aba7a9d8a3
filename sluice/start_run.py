"""`sluice.run`: the command `sluice run` in a process of its own, with its progress shown here."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tasks
from components.storage.local_paths import default_place, local_path
from sluice import progress
from sluice.finished_run import Run
from tasks import InputError

if TYPE_CHECKING:
    import pandas as pd

DONE, WRONG_INPUT, REJECTED, INTERRUPTED = 0, 2, 3, 130


class RunFailedError(RuntimeError):
    """A step of the run failed; `run` is its name, and its logs are kept."""

    def __init__(self, sentence: str, run: str) -> None:
        super().__init__(sentence)
        self.run = run


def run(
    task: str,
    *,
    data: str | Path | pd.DataFrame = "sample",
    model: str = "",
    set: Mapping[str, Any] | None = None,  # noqa: A002 (as `--set` on the command line)
    seed: int = 0,
    push: bool = False,
    force: str = "",
    data_dir: str | Path = "",
    warm_start: bool = False,
    cache: bool = True,
    beam: Sequence[str] = (),
    runs: str | Path | None = None,
    serving: str | Path | None = None,
    quiet: bool = False,
) -> Run:
    """Run the pipeline of a task; a model that the gate rejects is no error: see `blessed` and `reasons`.

    `data` is "sample", "real", a file or glob, or the task's raw columns: a DataFrame of pandas, with the named levels
    of its index, or what speaks Arrow, such as a table of pyarrow or a frame of polars. With `push=True` a model that
    clears the gate is pushed, as by the command line.
    """
    place = _directory(runs)
    words = ["run", _name(task), "--data", _data(data, place), "--model", model, "--seed", str(seed)]
    words += [word for key, value in (set or {}).items() for word in ("--set", f"{key}={_text(value)}")]
    words += [word for option in beam for word in ("--beam", option)]
    words += ["--data-dir", str(data_dir)] if data_dir else []
    words += ["--force", force] if force else []
    flags = {"--no-push": not push, "--warm-start": warm_start, "--no-cache": not cache}
    words += [flag for flag, wanted in flags.items() if wanted]
    words += ["--serving", str(default_place("serving") if serving is None else serving)]
    status, said, complaint = _command([*words, "--runs", str(place)], progress.here(quiet=quiet))
    if status not in (DONE, REJECTED):
        raise _trouble(status, said, complaint)
    return Run(place / said["run"])


def _command(words: list[str], display: progress.Display) -> tuple[int, dict[str, Any], str]:
    """The exit status, what was printed as JSON, and the complaint. An interrupt ends the run, too."""
    # -P: a folder `pipelines` beside the notebook is not ours.
    command = [sys.executable, "-P", "-m", "pipelines", *words, "--json", "--progress", "json"]
    with (
        tempfile.TemporaryFile("w+", encoding="utf-8") as out,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.PIPE,
            start_new_session=True,
            encoding="utf-8",
            errors="replace",
        ) as child,
    ):
        assert child.stderr is not None
        try:
            complaint = _follow(child.stderr, display)
        except BaseException:
            child.send_signal(signal.SIGTERM)
            raise
        finally:
            child.wait()
            display.clear()
        out.seek(0)
        printed = out.read()
    return child.returncode, json.loads(printed) if printed.strip() else {}, complaint


def _follow(lines: Iterable[str], display: progress.Display) -> str:
    """Show every event; gives the other lines, which are a complaint."""
    rest = []
    for line in lines:
        if line.startswith("{"):
            progress.show(display, json.loads(line))
        else:
            rest.append(line)
    return "".join(rest).strip()


def _trouble(status: int, said: Mapping[str, Any], complaint: str) -> BaseException:
    if status in (INTERRUPTED, -signal.SIGTERM):
        return KeyboardInterrupt()
    sentence = said.get("error") or complaint.rpartition("sluice: ")[2] or complaint
    if status == WRONG_INPUT:
        return InputError(sentence)
    return RunFailedError(sentence or f"The run's process ended with status {status}.", said.get("run", ""))


def _name(task: Any) -> str:
    """Steps find a task by its file, in processes that know nothing of this one."""
    if isinstance(task, tasks.Task):
        raise InputError(
            "A run takes a task's name. Received: a Task that was defined here, which the steps, in processes of "
            "their own, cannot see. Write the cell to a file of the folder tasks: begin it with "
            "%%writefile tasks/my_task.py, "
            'let it end in TASK = Task(...), and run it by sluice.run("my_task").'
        )
    if not isinstance(task, str):
        raise InputError(f'A run takes a task\'s name, such as "auto_mpg". Received: {task!r}.')
    return task


def _directory(runs: str | Path | None) -> Path:
    words = str(default_place("runs") if runs is None else runs)
    if "://" in words:
        raise InputError(f"Runs are kept on this machine: expected a directory. Received: {words!r}.")
    return local_path(words).absolute()


def _data(data: Any, runs: Path) -> str:
    """Words as they are; a frame as a file named by its content, so that the same rows are found in the cache."""
    if isinstance(data, str | Path):
        return str(data)
    if not hasattr(data, "__arrow_c_stream__"):
        raise InputError(
            'The data are "sample", "real", a file or glob, a DataFrame or an Arrow table. '
            f"Received: {type(data).__name__}."
        )
    from sluice.kept_frames import keep

    return str(keep(data, runs))


def _text(value: Any) -> str:
    """A setting as `--set` reads it."""
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)
