"""Sweeps: every combination once, checked before anything runs, the best first."""

from __future__ import annotations

import json

import pytest
import warm_command
from warm_command import sluice

import tasks
from components.storage.atomic_files import write_json
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


def trained(folder, number, **watched):
    """A run that has come as far as its training."""
    write_json(folder / str(number) / "training.json", {"watched_metrics": watched})
    return Result({"artifacts": {"train/model": str(folder / str(number))}}, 0)


def asked(model, **overrides):
    return {"model": model, "overrides": overrides}


def test_the_best_comes_first_by_the_rows_that_training_watches(tmp_path):
    task, other = tasks.get("auto_mpg"), tasks.get("imdb_padded")
    results = [trained(tmp_path, at, loss=1.0, mae=mae) for at, mae in enumerate([3.0, 1.0, 2.0])]
    ranking = sweep.by_watched_rows(task, [asked("mlp")] * 3, results)
    assert (ranking.metric, ranking.order, ranking.on_test) == ("mae", [1, 2, 0], False)
    results = [trained(tmp_path, at, loss=1.0, accuracy=share) for at, share in enumerate([0.7, 0.9])]
    assert sweep.by_watched_rows(other, [asked("average")] * 2, results).order == [1, 0]
    failed = Result({}, 1, "The step train failed")
    assert sweep.by_watched_rows(task, [asked("mlp")] * 2, [failed, trained(tmp_path, 0, mae=3.0)]).order == [1, 0]


def test_of_several_outputs_the_one_that_is_judged_counts(tmp_path):
    task = tasks.get("california_housing")  # judged by mse, which nothing watches: it is the loss
    results = [trained(tmp_path, 0, loss=0.5, mae=1.0), trained(tmp_path, 1, loss=0.9, prediction_loss=0.4, mae=1.0)]
    ranking = sweep.by_watched_rows(task, [asked("wide_deep"), asked("wide_deep_aux")], results)
    assert (ranking.metric, ranking.values) == ("loss", [0.5, 0.4])


def test_different_losses_are_not_compared(tmp_path):
    task = tasks.get("california_housing")
    results = [trained(tmp_path, 0, loss=0.1, mae=2.0), trained(tmp_path, 1, loss=0.9, mae=1.0)]
    ranking = sweep.by_watched_rows(task, [asked("mlp", **{"train.loss": "huber"}), asked("mlp")], results)
    assert (ranking.metric, ranking.order) == ("mae", [1, 0])


def test_without_watched_rows_there_is_no_such_order(tmp_path):
    task = tasks.get("auto_mpg")
    assert (
        sweep.by_watched_rows(task, [asked("mlp")] * 2, [trained(tmp_path, 0, mae=1.0), trained(tmp_path, 1)]) is None
    )
    measured = [Result({"metrics": {"mae": mae} if mae else {}}, 0) for mae in (3.0, None, 1.0)]
    assert sweep.by_test_rows(task, measured).order == [2, 0, 1]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Shared, with what is loaded and what is kept."""
    place = tmp_path_factory.mktemp("sweeps")
    yield place
    warm_command.stop(place / "runs")


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
    done = sluice("sweep", "auto_mpg", "--grid", grid, cwd=tmp_path)
    assert done.returncode == 2
    assert words in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_sweep_shares_the_steps_before_training_and_pushes_nothing(place):
    done = sluice("sweep", "auto_mpg", "--grid", "train.epochs=1,2", "--jobs", "2", "--json", cwd=place)
    assert done.returncode == 0, done.stderr
    runs = json.loads(done.stdout)
    assert [run["value"] for run in runs] == sorted(run["value"] for run in runs)
    assert {(run["ranked_by"], run["ranked_on"]) for run in runs} == {("mae", "watched")}
    assert {run["train.epochs"] for run in runs} == {"1", "2"}
    # The test rows judge the best, and nothing else.
    assert [bool(run["metrics"]) for run in runs] == [True, False]
    assert [len(run["steps"]) for run in runs] == [8, 5]
    assert not (place / "serving" / "auto_mpg").exists()
    every = [json.loads(path.read_text()) for path in (place / "runs").glob("*/run.json")]
    ran = [step["name"] for run in every for step in run["steps"] if step["status"] == "ran"]
    assert ran.count("ingest") == ran.count("transform") == ran.count("evaluate") == 1
    assert ran.count("train") == 2


@pytest.mark.thorough
@pytest.mark.slow
def test_a_sweep_without_watched_rows_says_what_it_is_worth(place):
    grid = ("--grid", "train.epochs=1,2", "--set", "train.fit_on=train+eval", "--set", "train.patience=none")
    done = sluice("sweep", "auto_mpg", *grid, cwd=place)
    assert done.returncode == 0, done.stderr
    assert "no rows are held out for training to watch" in done.stderr
    assert "Chosen by the test rows, which judge it too, so its score flatters it: " in done.stdout
