"""The runs that were, as frames and objects."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import tasks
from components.storage.local_paths import default_place, local_path
from pipelines.commands import compared_runs, history
from pipelines.local import run_record
from pipelines.native_output import only_our_words
from sluice.finished_run import Run

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("task", "status", "model", "data", "started", "blessed", "version")


def runs(task: str = "", *, runs: str | Path | None = None) -> pd.DataFrame:
    """A row for each run, the oldest first, with its metrics."""
    import pandas as pd

    found = run_record.every(_place(runs), task)
    rows = [{**{name: facts.get(name) for name in COLUMNS}, **facts.get("metrics", {})} for facts in found]
    return pd.DataFrame(rows, index=pd.Index([facts["run"] for facts in found], name="run"))


def get_run(name: str, *, runs: str | Path | None = None) -> Run:
    """A run by its name, or by its directory."""
    place = _place(runs)
    facts = history.find(place, name)
    return Run(place / facts["run"] if (place / facts["run"]).is_dir() else Path(name))


def compare(*names: str | Run, runs: str | Path | None = None) -> pd.DataFrame:
    """A column for each run; a row for each setting, metric and what else tells runs apart."""
    import pandas as pd

    found = [name.facts if isinstance(name, Run) else history.find(_place(runs), name) for name in names]
    tasks.use_folder("")
    with only_our_words():  # a task's file imports TensorFlow
        rows = compared_runs.compared(found)
    return pd.DataFrame.from_dict(rows, orient="index", columns=[facts["run"] for facts in found])


def _place(runs: str | Path | None) -> Path:
    return local_path(str(default_place("runs") if runs is None else runs)).absolute()
