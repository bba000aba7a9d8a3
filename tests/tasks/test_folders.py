"""Tasks that lie in a project of one's own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

import tasks
from components import code
from pipelines.__main__ import main
from tasks import InputError

BOATS = (ROOT / "tasks" / "auto_mpg.py").read_text().replace("auto_mpg --data", "zz_boats --data")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one task in ./tasks; one stands in it."""
    (tmp_path / "tasks").mkdir()
    (tmp_path / "tasks" / "zz_boats.py").write_text(BOATS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_TASKS", "")
    return tmp_path


def test_the_folder_where_one_stands_is_found(project: Path) -> None:
    assert "zz_boats" not in tasks.names()
    tasks.use_folder("")
    assert "zz_boats" in tasks.names()
    assert tasks.get("zz_boats").label.name == "mpg"


def test_a_folder_of_other_things_that_is_called_tasks_is_left_alone(project: Path) -> None:
    (project / "tasks" / "zz_boats.py").write_text("def send_mail(): ...\n")
    tasks.use_folder("")
    assert "zz_boats" not in tasks.names()


def test_the_key_of_a_step_knows_the_file_wherever_it_lies(project: Path) -> None:
    tasks.use_folder(str(project / "tasks"))
    before = code.sources("components.train.step", "tasks.zz_boats")
    assert {"tasks/zz_boats.py", "tasks/_files.py", "transforms/scaling.py"} <= set(before)
    (project / "tasks").rename(project / "elsewhere")
    tasks.use_folder("elsewhere")
    assert code.sources("components.train.step", "tasks.zz_boats") == before
    (project / "elsewhere" / "zz_boats.py").write_text(BOATS + "print()\n")
    assert code.altered(before) == ["tasks/zz_boats.py"]


def test_what_tasks_share_may_lie_beside_them(project: Path) -> None:
    (project / "tasks" / "_harbour.py").write_text("DEPTH = 3\n")
    (project / "tasks" / "zz_boats.py").write_text(BOATS + "\nfrom tasks import _harbour\n\nassert _harbour.DEPTH\n")
    tasks.use_folder("")
    assert "tasks/_harbour.py" in code.sources("tasks.zz_boats")


def test_a_folder_that_is_none_is_told(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["tasks", "--tasks", "nowhere"]) == 2
    assert (
        "--tasks nowhere is no folder. Expected one that holds tasks' files, such as ./tasks."
        in capsys.readouterr().err
    )


@pytest.mark.parametrize("name", ["auto_mpg", "_files"])
def test_two_files_of_one_name_are_told(project: Path, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tasks" / f"{name}.py").write_text(BOATS)
    assert main(["run", "auto_mpg", "--dry-run"]) == 2
    said = capsys.readouterr().err
    assert f"Two files are called tasks/{name}.py" in said
    assert str(project / "tasks" / f"{name}.py") in said


def test_a_task_that_is_not_there_is_told_with_the_folder(project: Path) -> None:
    tasks.use_folder("")
    with pytest.raises(InputError, match=rf"There is no task 'zz_boat' in Sluice or in {project}/tasks\. Did you mean"):
        tasks.get("zz_boat")


def test_a_mistake_in_it_is_told_with_its_line(project: Path) -> None:
    (project / "tasks" / "zz_faulty.py").write_text(BOATS.replace('Bar("mae"', 'Bar("auc"'))
    tasks.use_folder("")
    with pytest.raises(InputError, match=r"tasks/zz_faulty\.py, line \d+: A regression task has the metrics"):
        tasks.get("zz_faulty")


@pytest.mark.thorough
@pytest.mark.slow
def test_it_runs_from_its_project_in_the_warm_process_too(project: Path) -> None:
    words = [sys.executable, "-m", "pipelines", "run", "zz_boats", "--set", "train.epochs=1", "--force", "a test"]
    done = subprocess.run(words, cwd=project, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (project / "serving" / "zz_boats" / "1" / "saved_model.pb").exists()
