"""Trials side by side as real runs, of fits that need no TensorFlow: pruned, killed, gone on with, failed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import small_search
from repository import ROOT

from pipelines.local import alive, run_record
from pipelines.local.run import Result, run
from pipelines.trials import study
from pipelines.trials.conduct import Conductor
from pipelines.trials.watched_metric import Watched
from tasks import InputError

TRIALS = 10


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A search that was killed when two of its trials had ended, and then went on: its runs, and its study."""
    runs = tmp_path_factory.mktemp("search")
    command = [sys.executable, small_search.__file__, str(runs), str(TRIALS), "2"]
    with subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}
    ) as search:
        while f"2/{TRIALS}" not in search.stderr.readline():
            assert search.poll() is None
        time.sleep(0.4)  # others have begun
        search.kill()
    ended = [facts["run"] for facts in run_record.every(runs) if facts["status"] in {"done", "pruned"}]
    end = time.monotonic() + 20
    while any(alive.is_alive(path) for path in runs.glob("fits-*")):  # what it had started ends with it
        assert time.monotonic() < end
        time.sleep(0.05)
    known, _ = small_search.conduct(runs, TRIALS, jobs=2)
    return runs, known, ended


@pytest.mark.slow
def test_after_a_kill_a_search_goes_on_to_the_number_of_trials_asked_for(killed):
    _, known, ended = killed
    trials = study.ended(known)
    assert len(trials) == TRIALS
    assert {trial.state.name for trial in trials} == {"COMPLETE", "PRUNED"}
    assert {trial.user_attrs[study.RUN] for trial in trials} > set(ended)
    again = [trial for trial in trials if study.INSTEAD_OF in trial.user_attrs]
    assert again
    for trial in again:
        cut_off = next(other for other in known.trials if other.number == trial.user_attrs[study.INSTEAD_OF])
        assert cut_off.params == trial.params


@pytest.mark.slow
def test_every_trial_is_a_run_and_a_pruned_one_is_no_failure(killed):
    runs, known, _ = killed
    facts = {each["run"]: each for each in run_record.every(runs)}
    pruned = [trial for trial in study.ended(known) if trial.state.name == "PRUNED"]
    assert pruned
    for trial in study.ended(known):
        run_of = facts[trial.user_attrs[study.RUN]]
        assert run_of["status"] == {"COMPLETE": "done", "PRUNED": "pruned"}[trial.state.name]
        assert (run_of["search"], run_of["trial"]) == ("fits-1", trial.number)
    for trial in pruned:
        assert 2 <= len(trial.intermediate_values) < small_search.EPOCHS
        assert trial.params[small_search.RATE.key] > study.best(known).params[small_search.RATE.key]


@pytest.mark.slow
def test_each_epoch_is_told_once_and_the_value_is_the_last(killed):
    _, known, _ = killed
    best = study.best(known)
    rate = float(small_search.RATE.text(best.params[small_search.RATE.key]))
    assert best.intermediate_values == {e: pytest.approx(rate / e) for e in range(1, small_search.EPOCHS + 1)}
    assert best.value == pytest.approx(rate / small_search.EPOCHS)


@pytest.mark.slow
def test_nothing_of_a_pruned_run_is_taken_for_a_whole_one(killed):
    runs, known, _ = killed
    pruned = next(trial for trial in study.ended(known) if trial.state.name == "PRUNED")
    rate = float(small_search.RATE.text(pruned.params[small_search.RATE.key]))
    result = run(small_search.graph(), {"model": "good", "rate": rate}, runs)
    assert [step["status"] for step in result.facts["steps"]] == ["ran"]
    model = Path(result.facts["artifacts"]["train/model"])
    assert len(json.loads((model / "history.json").read_text())["val_loss"]) == small_search.EPOCHS


@pytest.mark.slow
def test_a_failed_trial_says_why_and_many_in_a_row_end_the_search(tmp_path, capsys):
    known, conductor = small_search.conduct(tmp_path, TRIALS, model="bad")
    assert conductor.hopeless
    assert [trial.state.name for trial in study.ended(known)] == ["FAIL"] * 5
    assert "The step train failed: The loss is no number." in study.ended(known)[0].user_attrs[study.WHY]
    assert "failed: The step train failed: The loss is no number." in capsys.readouterr().err


class Told:
    """Workers of which the run's end is told when it has told of these epochs, each for itself."""

    def __init__(self, losses):
        self.idle, self.pruned, self.end = 1, [], Result({"run": "fits-1", "steps": [], "status": "done"}, 0)
        self.waiting = [{"val_loss": losses[:epoch]} for epoch in range(1, len(losses) + 1)]

    def begin(self, number, _):
        self.number = number

    def prune(self, number):
        self.pruned.append(len(self.waiting))
        self.end = Result({**self.end.facts, "status": "pruned"}, 0)

    def news(self, _):
        yield self.number, self.waiting.pop(0) if self.waiting else self.end


@pytest.mark.parametrize(("epochs", "pruned"), [(6, []), (7, [0])])
def test_a_trial_at_its_last_epoch_is_not_pruned(tmp_path, epochs, pruned):
    """Up to its sixth epoch it is as good as the others; in theirs they were better."""
    known = study.opened(tmp_path, higher=False, seed=0, epochs=epochs)
    for _ in range(study.UNMEASURED):
        other = known.ask()
        for epoch, loss in enumerate([9, 9, 9, 9, 9, 1], 1):
            other.report(loss, step=epoch)
        known.tell(other, 1)
    workers = Told([5.0] * 6)
    Conductor(
        known, workers, Watched("loss"), study.UNMEASURED + 1, ask=lambda _: {}, filled=lambda _: {"model": "good"},
        output=lambda _: "prediction", epochs=lambda _: epochs, display=small_search.Display(quiet=True),
    ).run()  # fmt: skip
    assert workers.pruned == pruned


def test_settings_that_do_not_go_together_are_failed_trials_without_a_run(tmp_path):
    def filled(chosen):
        raise InputError("patience needs rows to watch")

    known, _ = small_search.conduct(tmp_path, TRIALS, filled=filled)
    assert {trial.user_attrs[study.WHY] for trial in study.ended(known)} == {"patience needs rows to watch"}
    assert [path.name for path in tmp_path.iterdir()] == ["searches"]


@pytest.mark.slow
def test_a_worker_that_is_killed_is_a_failed_trial_and_another_takes_its_place(tmp_path):
    begun = []

    def concluded():
        begun.append(run_record.every(tmp_path)[-1]["run"])

    class Killer(small_search.Display):
        def tick(self, words=""):
            running = [facts for facts in run_record.every(tmp_path) if facts["status"] == "running"]
            if not begun and running and "epoch" in words:
                worker = int(Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()[-1])
                os.kill(worker, signal.SIGKILL)
                begun.append("killed")

    known, _ = small_search.conduct(tmp_path, 2, display=Killer(quiet=True), concluded=concluded)
    assert [trial.state.name for trial in study.ended(known)] == ["FAIL", "COMPLETE"]
    assert "The run's process ended before the run did." in study.ended(known)[0].user_attrs[study.WHY]
