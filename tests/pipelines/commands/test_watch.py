"""What `sluice watch` tells, and what it takes for a change."""

from __future__ import annotations

import argparse
import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT

import tasks
from pipelines.commands.watch import changed, wait_for_change, watched

FIRST: dict[str, Any] = {
    "run": "auto_mpg-1", "task": "auto_mpg", "metrics": {"mae": 1.5, "r2": 0.9}, "blessed": True, "reasons": [],
    "pushed": "", "error": "",
}  # fmt: skip


def test_the_first_result_is_told_whole_and_later_only_what_is_other() -> None:
    assert changed({}, FIRST) == "auto_mpg-1: mae 1.5   r2 0.9   clears the gate"
    later = {**FIRST, "run": "auto_mpg-2", "metrics": {"mae": 1.25, "r2": 0.9}}
    assert changed(FIRST, later) == "auto_mpg-2: mae 1.5 → 1.25   clears the gate"
    assert changed(later, {**later, "run": "auto_mpg-3"}) == "auto_mpg-3: the same metrics   clears the gate"


def test_a_rejection_and_a_failure_say_why() -> None:
    rejected = {**FIRST, "blessed": False, "reasons": ["mae 1.5 is above the bar 1"]}
    assert changed(FIRST, rejected).endswith("the same metrics   is rejected: mae 1.5 is above the bar 1")
    failed = {**FIRST, "metrics": {}, "error": "The step train failed: no."}
    assert changed(FIRST, failed) == "auto_mpg-1: The step train failed: no."


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "zz_watched.py").write_text((ROOT / "tasks" / "auto_mpg.py").read_text())
    (tmp_path / "cars.csv").write_text("mpg\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_TASKS", "")
    tasks.use_folder("")
    return tmp_path


def test_the_tasks_file_the_transforms_and_the_data_are_watched(project: Path) -> None:
    names = watched("zz_watched", str(project / "*.csv"))
    assert {str(project / "tasks" / "zz_watched.py"), str(project / "cars.csv")} <= set(names)
    assert str(ROOT / "transforms" / "scaling.py") in names


def test_a_file_that_an_editor_is_replacing_is_waited_for(project: Path) -> None:
    given = argparse.Namespace(task="zz_watched", data=str(project / "*.csv"))
    task = project / "tasks" / "zz_watched.py"
    seen, content = watched(given.task, given.data), task.read_text()

    def saved() -> None:
        task.unlink()
        time.sleep(1)
        (project / "new").write_text(f"{content}\n# another line\n")
        os.replace(project / "new", task)  # noqa: PTH105

    editor = threading.Thread(target=saved)
    editor.start()
    wait_for_change(given, seen)
    assert task.read_text().endswith("# another line\n")
    editor.join()
