"""`sluice versions`, `show`, `rollback` and `release`, on a destination of literal versions."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

from components.serving import versions
from components.storage import atomic_files
from pipelines.commands import doctor

BAR = {
    "metric": "mae", "where": "", "bar": 2.5, "higher_is_better": False, "value": 1.25, "interval": [1.0, 1.5],
    "champion": 1.5, "passed": True,
}  # fmt: skip


def sluice(home: Path, *words: str, status: int = 0) -> str:
    """What it says on stdout, or when it fails on stderr."""
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *words],
        cwd=home, capture_output=True, text=True, timeout=60, check=False,
        env={**os.environ, "PYTHONPATH": str(ROOT), "SLUICE_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    return done.stderr if status else done.stdout


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Two versions of auto_mpg, the second pushed by force."""
    for number, force in enumerate(("", "the old one is on fire"), 1):
        model = tmp_path / f"model{number}"
        model.mkdir()
        (model / "saved_model.pb").write_text(f"model {number}")
        about = {
            "task": "auto_mpg", "model": "mlp", "model_sha256": atomic_files.tree_hash(model),
            "run": f"auto_mpg-{number}",
            "git": "0123abc", "champion": "1:beef" if number == 2 else "", "metrics": {"mae": 1.25},
            "fingerprint": "f00dcafe99", "rows": {"train": 250, "test": 80}, "rejected": 2, "force": force,
            "parameters": {"task": "auto_mpg", "data": "sample", "seed": "7", "train.epochs": "3"},
            "versions": {"keras": "3.15.1"}, "loaders": ["python", "session"],
            "pushed_at": f"2026-01-0{number}T03:04:05+00:00", "reasons": [],
        }  # fmt: skip
        rehearsal = {"passed": True, "latency": {"1": {"p50_ms": 0.25, "p99_ms": 0.5}}}
        papers = {"provenance.json": about, "blessing.json": {"bars": [BAR]}, "rehearsal.json": rehearsal}
        versions.add(tmp_path / "serving", "auto_mpg", model, papers)
    return tmp_path


def test_a_released_rollback_to_a_version_of_others_holds_nothing_back(home: Path) -> None:
    (home / "serving" / "auto_mpg" / "1" / "assets.extra" / "provenance.json").unlink()
    sluice(home, "rollback", "auto_mpg", "1")
    assert "holds retraining back" in sluice(home, "versions", "auto_mpg")
    sluice(home, "release", "auto_mpg")
    assert "holds retraining back" not in sluice(home, "versions", "auto_mpg")


def test_versions_are_listed_with_what_one_needs_to_choose(home: Path) -> None:
    sluice(home, "rollback", "auto_mpg", "1")
    head, first, second, third = sluice(home, "versions", "auto_mpg").splitlines()
    assert head.split() == ["VERSION", "PUSHED", "RUN", "MODEL", "DATA", "METRICS"]
    assert first.split()[:8] == ["1", "2026-01-01", "03:04", "auto_mpg-1", "mlp", "sample", "f00dcafe", "mae"]
    assert second.endswith("withdrawn by 3, forced: the old one is on fire")
    assert third.endswith("serving, copy of 1, holds retraining back")


def test_versions_for_scripts(home: Path) -> None:
    first, second = json.loads(sluice(home, "versions", "auto_mpg", "--json"))
    assert (first["version"], first["serving"], second["version"], second["serving"]) == (1, False, 2, True)
    assert second["force"] == "the old one is on fire"
    assert second["metrics"] == {"mae": 1.25}
    assert second["provenance"]["run"] == second["run"] == "auto_mpg-2"


def test_a_rollback_is_released(home: Path) -> None:
    assert "sluice release auto_mpg" in sluice(home, "rollback", "auto_mpg", "1")
    assert "version 3" in sluice(home, "release", "auto_mpg")
    assert "nothing to release" in sluice(home, "release", "auto_mpg", status=2)
    assert "holds" not in sluice(home, "versions", "auto_mpg")


def test_a_version_s_directory_tells_everything(home: Path) -> None:
    told = sluice(home, "show", "serving/auto_mpg/2")
    for words in (
        "run           auto_mpg-2", "git           0123abc", "seed          7", "train.epochs  3",
        "champion      version 1", "forced        the old one is on fire", "250 train, 80 test; 2 set aside",
        "fingerprint f00dcafe99",
        "mae  ≤ 2.5  1.25  1 to 1.5  champion 1.5  pass", "check passed; 1 rows in 0.25 ms", "keras 3.15.1",
    ):  # fmt: skip
        assert words in told
    facts = json.loads(sluice(home, "show", str(home / "serving/auto_mpg/2"), "--json"))
    assert facts["version"] == 2
    assert facts["blessing"]["bars"][0]["interval"] == [1.0, 1.5]
    assert "There is no version 9 of auto_mpg" in sluice(home, "show", "serving/auto_mpg/9", status=2)


def test_what_cannot_be_reproduced_is_said(home: Path) -> None:
    assert "There is no run" in sluice(home, "reproduce", "auto_mpg-1", status=2)
    record = home / "runs" / "auto_mpg-1"
    record.mkdir(parents=True)
    atomic_files.write_json(record / "run.json", {"run": "auto_mpg-1", "status": "failed", "parameters": {}})
    assert "Expected a run that came to its end" in sluice(home, "reproduce", "auto_mpg-1", status=2)
    (home / "serving/auto_mpg/1/assets.extra/provenance.json").unlink()
    assert "has no provenance" in sluice(home, "reproduce", "serving/auto_mpg/1", status=2)


def test_versions_that_no_server_can_answer_from_are_marked(home: Path) -> None:
    """What was pushed before the session loader was asked has no word of it beside it."""
    for number in (1, 2):
        path = home / "serving" / "auto_mpg" / str(number) / "assets.extra" / "provenance.json"
        about = atomic_files.read_json(path)
        del about["loaders"]
        atomic_files.write_json(path, about)
    _, first, second, advice = sluice(home, "versions", "auto_mpg").splitlines()
    assert first.endswith("no server can answer from it")
    assert second.endswith("serving, no server can answer from it, forced: the old one is on fire")
    assert advice.endswith("To replace version 2: sluice run auto_mpg, with the data and settings it was made with.")
    assert [each["unservable"] for each in json.loads(sluice(home, "versions", "auto_mpg", "--json"))] == [True, True]

    model = home / "model3"
    model.mkdir()
    (model / "saved_model.pb").write_text("model 3")
    versions.add(home / "serving", "auto_mpg", model, {"provenance.json": {"loaders": ["python", "session"]}})
    said = sluice(home, "versions", "auto_mpg")
    assert said.count("no server can answer from it") == 2
    assert said.endswith("Version 3, which is served, is none of them.\n")


def test_the_doctor_finds_a_served_version_that_no_server_can_answer_from(tmp_path: Path) -> None:
    def found() -> list[str]:
        return [f"{each.state}: {each.found}" for each in doctor._serving(tmp_path) if each.what == "versions"]

    model = tmp_path / "model"
    model.mkdir()
    (model / "saved_model.pb").write_text("model")
    versions.add(tmp_path, "auto_mpg", model, {"provenance.json": {"task": "auto_mpg"}})
    assert found() == ["bad: no server can answer from version 1 of auto_mpg"]
    versions.add(tmp_path, "auto_mpg", model, {"provenance.json": {"loaders": ["python", "session"]}})
    assert found() == []


def test_a_rollback_is_done_though_an_mlflow_server_is_down(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    said = sluice(home, "rollback", "auto_mpg", "1")
    assert "version 3, a copy of version 1, is served" in said
    assert "MLflow was not told: http://127.0.0.1:1 does not answer: Connection refused." in said
