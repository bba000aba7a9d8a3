"""A search's file, after kills and beside others."""

from __future__ import annotations

import sys

import optuna
import pytest
from optuna.trial import TrialState

from pipelines.trials import study
from pipelines.trials.space import Axis
from tasks import InputError

RATE = Axis(key="train.learning_rate", kind="float", low=1e-4, high=0.1, log=True)
UNITS = Axis(key="model.units", kind="int", low=1, high=64)
SIZE = Axis(key="model.size", kind="choice", choices=("small", "large"))


def tried(known, value=None, state=None):
    trial = known.ask()
    chosen = [study.suggested(trial, axis) for axis in (RATE, UNITS, SIZE)]
    known.tell(trial, float(chosen[0]) if value is None and state is None else value, state=state)
    return chosen


def test_settings_are_chosen_within_the_space(tmp_path):
    known = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    for _ in range(12):
        rate, units, size = tried(known)
        assert 1e-4 <= float(rate) <= 0.1
        assert 1 <= int(units) <= 64
        assert size in SIZE.choices
    assert study.best(known).value == min(trial.value for trial in study.ended(known))


def test_what_a_kill_cut_off_is_tried_again_with_the_same_settings(tmp_path):
    known = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    tried(known)
    cut_off = known.ask()
    chosen = study.suggested(cut_off, RATE)
    again = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    assert len(study.ended(again)) == 1
    assert study.suggested(again.ask(), RATE) == chosen
    # Cut off once more, it is still one trial.
    third = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    trial = third.ask()
    assert study.suggested(trial, RATE) == chosen
    third.tell(trial, 1.0)
    assert [trial.value for trial in study.ended(third)][1:] == [1.0]


def test_after_a_kill_other_settings_are_drawn_than_before(tmp_path):
    first = tried(study.opened(tmp_path, higher=False, seed=0, epochs=10))
    assert tried(study.opened(tmp_path, higher=False, seed=0, epochs=10)) != first


def test_half_a_line_and_a_lock_that_were_left_do_no_harm(tmp_path):
    tried(study.opened(tmp_path, higher=False, seed=0, epochs=10))
    with (tmp_path / study.FILE).open("ab") as journal:
        journal.write(b'{"op_code":4,"wor')
    (tmp_path / f"{study.FILE}.lock").symlink_to(tmp_path / study.FILE)
    again = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    tried(again)
    assert len(study.ended(study.opened(tmp_path, higher=False, seed=0, epochs=10))) == 2


def test_one_process_at_a_time(tmp_path):
    with (
        study.alone(tmp_path),
        pytest.raises(InputError, match="Another process is at this very search now"),
        study.alone(tmp_path),
    ):
        pass
    with study.alone(tmp_path):
        pass


def test_the_best_come_first_and_the_pruned_and_failed_last(tmp_path):
    known = study.opened(tmp_path, higher=True, seed=0, epochs=10)
    for value, state in [(0.1, None), (None, TrialState.FAIL), (None, TrialState.PRUNED), (0.9, None)]:
        tried(known, value, state)
    assert [trial.number for trial in study.ranked(known)] == [3, 0, 2, 1]
    assert study.best(known).number == 3


def test_importance_is_told_of_enough_trials_and_finds_what_matters(tmp_path):
    known = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    for _ in range(study.UNMEASURED):
        tried(known)
    assert study.importances(known) == {}
    for _ in range(25):
        tried(known)
    shares = study.importances(known)
    assert sum(shares.values()) == pytest.approx(1)
    assert shares[RATE.key] > 0.5


def test_a_trial_worse_than_half_of_the_others_is_pruned_after_a_fifth_of_the_epochs(tmp_path):
    known = study.opened(tmp_path, higher=False, seed=0, epochs=10)
    for loss in range(study.UNMEASURED):
        trial = known.ask()
        for epoch in range(1, 11):
            trial.report(loss, step=epoch)
        known.tell(trial, loss)
    bad = known.ask()
    seen = []
    for epoch in range(1, 11):
        bad.report(3.5, step=epoch)
        seen.append(bad.should_prune())
    assert seen == [False] * 2 + [True] * 8


def test_without_optuna_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(InputError, match=r"needs Optuna, which is not installed.*-m pip install 'optuna==5\.\*'"):
        study.demand_library()


def test_optuna_itself_reads_the_file(tmp_path):
    tried(study.opened(tmp_path, higher=False, seed=0, epochs=10))
    backend = optuna.storages.journal.JournalFileBackend(str(tmp_path / study.FILE))
    (summary,) = optuna.get_all_study_summaries(optuna.storages.JournalStorage(backend))
    assert (summary.study_name, summary.n_trials) == (tmp_path.name, 1)
