"""`sluice search` from the command line."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest


def _sluice(*words, cwd):
    return subprocess.run([sys.executable, "-m", "pipelines", *words], cwd=cwd, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--space", "train.learning_rate=0.1..0.01"], "ends below its beginning"),
        (
            ["--space", "model.units=16|32"],
            "no more than the 20 trials. To try each of them once: sluice sweep auto_mpg",
        ),
        (["--space", "train.learning_rate=0.1..0.2", "--data", "none.csv"], "none.csv"),
        (["--space", "train.learning_rate=0.1..0.2", "--jobs", "0"], "--trials and --jobs are at least 1"),
    ],
)
def test_what_cannot_be_searched_is_told_before_anything_runs(words, said, tmp_path):
    done = _sluice("search", "auto_mpg", *words, cwd=tmp_path)
    assert (done.returncode, "Traceback" in done.stderr) == (2, False)
    assert said in done.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.thorough
@pytest.mark.slow
def test_a_search_of_a_task_is_judged_once_and_pushes_nothing(tmp_path):
    words = ("--space", "train.learning_rate=log:1e-3..1e-1", "--set", "train.epochs=2", "--json")
    done = _sluice("search", "auto_mpg", "--trials", "2", *words, cwd=tmp_path)
    assert done.returncode in {0, 3}, done.stderr
    told = json.loads(done.stdout)
    values = [trial["value"] for trial in told["trials"]]
    assert values == sorted(values)
    assert (len(values), told["ranked_by"], told["ranked_on"]) == (2, "mae", "watched")
    assert told["best"]["metrics"]["mae"] > 0
    assert not (tmp_path / "serving" / "auto_mpg").exists()
    runs = [json.loads(path.read_text()) for path in (tmp_path / "runs").glob("*/run.json")]
    ran = [step["name"] for run in runs for step in run["steps"] if step["status"] == "ran"]
    # Shared before training; the test rows judge the best, and nothing else.
    assert [ran.count(name) for name in ("ingest", "transform", "train", "evaluate")] == [1, 1, 2, 1]
    assert {run["search"] for run in runs} == {told["search"]}
    assert "2 of 2 trials" in (tmp_path / "runs" / "searches" / told["search"] / "index.html").read_text()
    again = _sluice("search", "auto_mpg", "--trials", "2", *words, cwd=tmp_path)
    assert "Going on after 2 trials" in again.stderr
    assert json.loads(again.stdout)["trials"] == told["trials"]
