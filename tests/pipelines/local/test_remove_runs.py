"""Older runs go, and with them what nobody can use any more; nothing goes that a run that stays needs."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT, SUPPORT

from pipelines.command_line import parser
from pipelines.commands import clean, history
from pipelines.local import cache, remove_runs, run_record, step_process
from tasks import InputError


def facts(run: str, *made_by: str) -> dict[str, object]:
    return {"run": run, "task": run.rpartition("-")[0], "steps": [{"made_by": name} for name in made_by]}


FOUND = [facts("a-1"), facts("b-1"), facts("a-2", "a-1"), facts("a-3", "a-2"), facts("a-4"), facts("a-5", "a-4")]


@pytest.mark.parametrize(
    ("task", "keep", "go", "needed"),
    [
        ("", 1, ["a-1", "a-2", "a-3"], {"a-4": "a-5"}),
        ("", 2, ["a-1", "a-2", "a-3"], {}),
        ("", 3, [], {"a-2": "a-3", "a-1": "a-2"}),
        ("b", 1, [], {}),
        ("", 9, [], {}),
    ],
)
def test_the_newest_stay_and_those_they_have_results_from(
    task: str, keep: int, go: list[str], needed: dict[str, str]
) -> None:
    plan = remove_runs.plan(FOUND, task, keep)
    assert (list(plan.go), plan.needed) == (go, needed)


def small(runs: Path, *words: str) -> None:
    """A run of a small pipeline; its results are kept."""
    command = [sys.executable, str(SUPPORT / "small_pipeline.py"), str(runs), "rounds=1", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SMALL_MARK": "", "SMALL_TROUBLE": ""}
    subprocess.run(command, env=environment, check=True, capture_output=True)


def sluice_clean(runs: Path, *words: str) -> int:
    return clean.main(parser().parse_args(["clean", "--runs", str(runs), *words]))


def statuses(runs: Path) -> list[str]:
    return [step["status"] for step in run_record.every(runs)[-1]["steps"]]


@pytest.mark.slow
def test_a_clean_directory_answers_as_before(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for number in ("4", "8", "12", "12"):
        small(tmp_path, f"number={number}")
    assert sluice_clean(tmp_path, "--keep", "1", "--dry-run") == 0
    said = "small-1: would be removed\nsmall-2: would be removed\nsmall-3: stays, for small-4 has results from it\n"
    assert capsys.readouterr().out == said
    assert len(run_record.every(tmp_path)) == 4
    assert sluice_clean(tmp_path, "--keep", "1", "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["removed"], told["needed"]) == (["small-1", "small-2"], {"small-3": "small-4"})
    assert told["freed_bytes"] > 0
    assert sorted(path.name for path in tmp_path.glob("small-*")) == ["small-3", "small-4"]
    left = {json.loads(path.read_text())["run"] for path in (tmp_path / ".cache").glob("*.json")}
    assert left == {"small-3"}
    small(tmp_path, "number=12")
    assert statuses(tmp_path) == ["ran", "cached", "cached", "ran"]
    small(tmp_path, "number=4")
    assert statuses(tmp_path) == ["ran", "ran", "ran", "ran"]
    assert (tmp_path / "small-6").is_dir()


def test_nothing_is_removed_while_a_run_goes_on(tmp_path: Path) -> None:
    with remove_runs.in_use(tmp_path):
        with remove_runs.in_use(tmp_path):
            pass  # runs do not hinder each other
        with pytest.raises(InputError, match="A run is going on"):
            sluice_clean(tmp_path, "--keep", "1")


def test_the_runs_that_go_on_are_named(tmp_path: Path) -> None:
    records = [run_record.Record.new(tmp_path, "boats", {}) for _ in range(2)]
    with remove_runs.in_use(tmp_path):
        with pytest.raises(InputError, match=r"^boats-1 and boats-2 are going on\. Clean when they have ended\.$"):
            sluice_clean(tmp_path, "--keep", "1")
        records[0].close("done")
        with pytest.raises(InputError, match=r"^boats-2 is going on\. Clean when it has ended\.$"):
            sluice_clean(tmp_path, "--keep", "1")
    records[1].close("done")


def test_a_run_shows_no_files_that_are_gone(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    artifacts = {"train/model": str(tmp_path / "model"), "ingest/examples": str(tmp_path / "gone")}
    shown = history.there({"run": "a-1", "artifacts": artifacts, "report": str(tmp_path / "report.html")})
    assert shown == {"run": "a-1", "artifacts": {"train/model": str(tmp_path / "model")}, "report": ""}
    assert history.there({"run": "a-1"}) == {"run": "a-1"}


def test_the_place_that_is_full_is_named(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "No space left on device", "/elsewhere/tmp/half")
    assert step_process.full_place(error, tmp_path) == Path("/elsewhere/tmp")
    assert step_process.full_place(OSError(errno.ENOSPC, "No space left on device"), tmp_path) == tmp_path


def test_what_a_killed_cleaning_left_goes_with_the_next(tmp_path: Path) -> None:
    left = tmp_path / ".cache" / "removed-0123" / "train"
    left.mkdir(parents=True)
    (tmp_path / ".cache" / "key.lock").touch()
    (tmp_path / ".cache" / "key.partial").write_text('{"path": "auto_mpg-1/train"}')
    assert sluice_clean(tmp_path, "--keep", "1") == 0
    assert [*(tmp_path / ".cache").iterdir()] == []


@pytest.mark.parametrize("age", [0, 10])
def test_analyses_that_no_run_that_stays_can_have_used_go(tmp_path: Path, age: int) -> None:
    record = run_record.Record.new(tmp_path, "auto_mpg", {})
    record.close("done")
    place = tmp_path / ".cache" / "analysis" / "auto_mpg-0123"
    place.mkdir(parents=True)
    os.utime(place, (0, place.stat().st_mtime - age))
    sluice_clean(tmp_path, "--keep", "1")
    assert place.exists() == (age == 0)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--keep", "0"], "--keep takes a number of runs, 1 or more"),
        (["auto_mgp", "--keep", "1"], "Did you mean 'auto_mpg'?"),
        (["--keep", "1", "--runs", "/nowhere"], "There is no directory /nowhere"),
    ],
)
def test_held_wrong(tmp_path: Path, words: list[str], said: str) -> None:
    with pytest.raises(InputError) as error:
        sluice_clean(tmp_path, *words)
    assert said in str(error.value)


def record(runs: Path, directory: str, **changed: object) -> None:
    facts = {"run": directory, "task": directory.rpartition("-")[0], "status": "done", "steps": []}
    written = {**facts, "started": "2026-01-01T00:00:00+00:00", **changed}
    (runs / directory).mkdir(parents=True)
    (runs / directory / "run.json").write_text(json.dumps(written))


@pytest.mark.parametrize("absolute", [False, True])
def test_a_runs_name_is_its_directorys_whatever_its_record_says(tmp_path: Path, absolute: bool) -> None:
    runs, precious = tmp_path / "runs", tmp_path / "precious"
    precious.mkdir()
    record(runs, "auto_mpg-1", run=str(precious) if absolute else "../precious", task="../precious")
    record(runs, "auto_mpg-2", started="2026-01-02T00:00:00+00:00")
    assert sluice_clean(runs, "--keep", "1") == 0
    assert precious.is_dir()
    assert [path.name for path in runs.glob("auto_mpg-*")] == ["auto_mpg-2"]


def test_links_are_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    runs, elsewhere = tmp_path / "runs", tmp_path / "elsewhere"
    record(elsewhere, "auto_mpg-7")
    (elsewhere / "analysis" / "old-1").mkdir(parents=True)
    record(runs, "auto_mpg-9", started="2026-01-02T00:00:00+00:00")
    (runs / "auto_mpg-1").symlink_to(elsewhere / "auto_mpg-7")
    (runs / ".cache").mkdir()
    (runs / ".cache" / "removed-1").symlink_to(elsewhere / "auto_mpg-7")
    (runs / ".cache" / "analysis").symlink_to(elsewhere / "analysis")
    assert sluice_clean(runs, "--keep", "1") == 0
    assert "auto_mpg-1: stays, for it is a link\n" in capsys.readouterr().out
    assert (elsewhere / "auto_mpg-7" / "run.json").is_file()
    assert (elsewhere / "analysis" / "old-1").is_dir()
    (runs / ".cache" / "removed-1").unlink()
    shutil.rmtree(runs / ".cache")
    (runs / ".cache").symlink_to(elsewhere)
    with pytest.raises(InputError, match=r"\.cache is a link, and links are not followed"):
        sluice_clean(runs, "--keep", "1")


@pytest.mark.parametrize("odd", ["5", "null", "[]", '{"run": 5}', '{"path": null}', '{"run": "..", "path": "../x"}'])
def test_entries_that_nobody_can_use_go(tmp_path: Path, odd: str) -> None:
    record(tmp_path, "auto_mpg-1", started=5)
    (tmp_path / "auto_mpg-2").mkdir()
    (tmp_path / "auto_mpg-2" / "run.json").write_text(odd)
    (tmp_path / ".cache" / "analysis" / "auto_mpg-0123").mkdir(parents=True)
    for name in ("key.json", "key.partial"):
        (tmp_path / ".cache" / name).write_text(odd)
    assert sluice_clean(tmp_path, "--keep", "2") == 0
    assert not [*(tmp_path / ".cache").glob("key.*")]


def test_no_entry_takes_what_lies_outside(tmp_path: Path) -> None:
    runs, precious = tmp_path / "runs", tmp_path / "precious"
    precious.mkdir()
    (runs / "auto_mpg-1").mkdir(parents=True)
    (runs / ".cache").mkdir()
    (runs / "auto_mpg-2").symlink_to(tmp_path)
    kept, metadata = cache.Cache(runs), {"path": "../precious", "content": "", "metadata": {}, "files": []}
    for path in ("../precious", str(precious), "auto_mpg-2/precious", "auto_mpg-1/../../precious", "precious", 5, None):
        (runs / ".cache" / "key.partial").write_text(json.dumps({"path": path}))
        target = runs / "auto_mpg-1" / f"train-{path}".replace("/", "_")
        assert not kept.begin("key", target)
        entry = {"key": "key", "step": "train", "run": "auto_mpg-1", "seconds": 1, "parameters": {}}
        (runs / ".cache" / "key.json").write_text(json.dumps({**entry, "artifacts": {"a": {**metadata, "path": path}}}))
        assert kept.find("key") is None
        assert precious.is_dir()
