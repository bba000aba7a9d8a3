"""Whole runs: two that race for one baseline, and one that is made again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT

pytestmark = pytest.mark.slow


def start(home: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SLUICE_HOME": str(home)}
    command = [sys.executable, "-m", "pipelines", *words, "--json"]
    return subprocess.Popen(
        command, cwd=home, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where two runs with other seeds were started at the same moment, without anything served."""
    home = tmp_path_factory.mktemp("race")
    racers = [start(home, "run", "auto_mpg", "--seed", str(seed), "--set", "train.epochs=100") for seed in (1, 2)]
    ends = [(racer.communicate(timeout=400), racer.returncode) for racer in racers]
    assert sorted(status for _, status in ends) == [0, 3], ends
    (lost,) = [json.loads(out) for (out, _), status in ends if status == 3]
    (home / "lost.json").write_text(json.dumps(lost))
    return home


@pytest.mark.thorough
def test_of_two_runs_that_race_for_one_baseline_one_is_declined(home: Path) -> None:
    lost = json.loads((home / "lost.json").read_text())
    assert (lost["blessed"], lost["pushed"]) == (True, "")
    assert "judged against no version, and the destination now has version 1" in lost["reasons"][0]
    assert sorted(path.name for path in (home / "serving" / "auto_mpg").iterdir()) == ["1"]


@pytest.mark.thorough
def test_a_pushed_version_is_made_again_to_the_last_digit(home: Path) -> None:
    out, said = start(home, "reproduce", "serving/auto_mpg/1").communicate(timeout=400)
    found = json.loads(out)
    assert found["same"], said
    compared = {each["what"]: each for each in found["numbers"]}
    assert {"mae", "data fingerprint", "train rows", "predictions' sha256"} <= set(compared)
    again = home / "runs" / found["run"]
    assert (again / "serving" / "auto_mpg" / "1" / "saved_model.pb").exists()
    assert sorted(path.name for path in (home / "serving" / "auto_mpg").iterdir()) == ["1"]
    steps = json.loads((again / "run.json").read_text())["steps"]
    assert {step["status"] for step in steps} == {"ran"}


@pytest.mark.thorough
def test_what_comes_out_otherwise_is_told(home: Path) -> None:
    """As if the run had been made with another seed than its record says."""
    record = home / "runs" / "auto_mpg-1" / "run.json"
    facts = json.loads(record.read_text())
    facts["parameters"]["seed"] = 99
    record.write_text(json.dumps(facts))
    process = start(home, "reproduce", "auto_mpg-1")
    found = json.loads(process.communicate(timeout=400)[0])
    assert process.returncode == 1
    differing = {each["what"] for each in found["numbers"] if not each["same"]}
    assert {"mae", "predictions' sha256"} <= differing
    assert differing.isdisjoint({"data fingerprint", "train rows"})
