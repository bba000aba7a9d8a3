"""What a killed process leaves behind is told from what a living one needs, and removed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from repository import ROOT

from pipelines.local import alive, run_record

AT_WORK = """
import multiprocessing.util, tempfile
from pathlib import Path
from pipelines.local import alive, run_record
alive.use_own_temporary_directory()
record = run_record.Record.new(Path("runs"), "boats", {})
record.scratch.mkdir()
(record.scratch / "half").write_text("x")
(record.path / ".run.json.12.tmp").write_text("x")
print(multiprocessing.util.get_temp_dir(), flush=True)
input()
"""


@contextmanager
def at_work(home: Path) -> Iterator[subprocess.Popen[str]]:
    """A process in the middle of a run."""
    (home / "tmp").mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-c", AT_WORK], cwd=home, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(home / "tmp")},
    )  # fmt: skip
    assert process.stdout is not None
    assert "sluice-of-" in process.stdout.readline()
    yield process
    if process.poll() is None:
        process.communicate("\n")


def left(home: Path) -> list[str]:
    hidden = [str(path.relative_to(home)) for path in (home / "runs").glob("*/.*")]
    return sorted([*hidden, *(f"tmp/{path.name[:5]}" for path in (home / "tmp").iterdir())])


def tidy(home: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    monkeypatch.setattr(tempfile, "tempdir", str(home / "tmp"))
    run_record.tidy(home / "runs")
    alive.tidy_temporary()
    return left(home)


def test_what_the_killed_leave_goes_and_what_the_living_need_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with at_work(tmp_path) as killed, at_work(tmp_path) as living:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        names = (".alive", ".run.json.12.tmp", ".scratch")
        of_both = [f"runs/boats-{number}/{name}" for number in (1, 2) for name in names]
        assert left(tmp_path) == [*of_both, "tmp/sluic", "tmp/sluic"]
        assert tidy(tmp_path, monkeypatch) == [*of_both[3:], "tmp/sluic"]
        assert [facts["status"] for facts in run_record.every(tmp_path / "runs")] == ["interrupted", "running"]
        living.communicate("\n")
    assert [path.name for path in (tmp_path / "tmp").iterdir()] == []


def test_what_is_not_ours_is_not_touched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "runs" / "boats-1").mkdir(parents=True)
    for place in ("precious", "tmp", "tmp/pymp-1", "tmp/sluice-of-new"):
        (tmp_path / place).mkdir()
    (tmp_path / "precious" / ".alive").write_text("")
    (tmp_path / "tmp" / "sluice-of-link").symlink_to(tmp_path / "precious")
    (tmp_path / "runs" / "boats-1" / ".scratch").symlink_to(tmp_path / "precious")
    (tmp_path / "runs" / "boats-2").symlink_to(tmp_path / "precious")
    tidy(tmp_path, monkeypatch)
    assert (tmp_path / "precious" / ".alive").exists()
    assert sorted(path.name for path in (tmp_path / "tmp").iterdir()) == ["pymp-1", "sluice-of-link", "sluice-of-new"]
