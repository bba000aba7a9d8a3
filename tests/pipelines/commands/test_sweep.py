"""Sweeps: every combination once, checked before anything runs, the best first."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

import tasks
from pipelines.commands import sweep
from pipelines.local.run import Result
from tasks import InputError


def test_the_last_grid_changes_fastest():
    assert sweep.expand(["model=a,b", "train.epochs=1, 2"]) == [
        {"model": "a", "train.epochs": "1"},
        {"model": "a", "train.epochs": "2"},
        {"model": "b", "train.epochs": "1"},
        {"model": "b", "train.epochs": "2"},
    ]


@pytest.mark.parametrize("grids", [["model"], ["=1"], ["model="], ["a=1", "a=2"]])
def test_a_grid_that_cannot_be_read_is_a_sentence(grids):
    with pytest.raises(InputError, match="grid"):
        sweep.expand(grids)


def _result(**metrics):
    return Result({"metrics": metrics}, 0)


def test_the_best_comes_first_by_the_first_metric_of_the_gate():
    less_is_better, more_is_better = tasks.get("auto_mpg"), tasks.get("fashion_mnist")
    assert sweep.best_first(less_is_better, [_result(mae=3.0), _result(), _result(mae=1.0)]) == [2, 0, 1]
    assert sweep.best_first(more_is_better, [_result(accuracy=0.7), _result(accuracy=0.9)]) == [1, 0]


def _sluice(*words, cwd):
    return subprocess.run([sys.executable, "-m", "pipelines", *words], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        ("model=mpl", "Did you mean 'mlp'"),
        ("train.epoch=1", "Did you mean 'train.epochs'"),
        ("train.epochs=many", "train.epochs"),
        ("seed=x", "whole number"),
    ],
)
def test_wrong_grids_are_told_before_anything_runs(grid, words, tmp_path):
    done = _sluice("sweep", "auto_mpg", "--grid", grid, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
@pytest.mark.parametrize("jobs", ["1", "2"])
def test_a_sweep_shares_the_steps_before_training_and_pushes_nothing(jobs, tmp_path):
    done = _sluice("sweep", "auto_mpg", "--grid", "train.epochs=1,2", "--jobs", jobs, "--json", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    assert [run["metrics"]["mae"] for run in runs] == sorted(run["metrics"]["mae"] for run in runs)
    assert {run["train.epochs"] for run in runs} == {"1", "2"}
    ran = [step["name"] for run in runs for step in run["steps"] if step["status"] == "ran"]
    assert ran.count("ingest") == ran.count("transform") == 1
    assert ran.count("train") == 2
    assert not (tmp_path / "serving" / "auto_mpg").exists()
