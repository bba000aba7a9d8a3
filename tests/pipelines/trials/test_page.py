"""A search's page: whole at any moment, and nothing that got into a trial can run in it."""

from __future__ import annotations

import pytest
from optuna.trial import TrialState

from pipelines.trials import page, study
from pipelines.trials.space import Axis
from pipelines.trials.watched_metric import Watched

RATE = Axis(key="train.learning_rate", kind="float", low=1e-4, high=0.1, log=True)
SIZE = Axis(key="model.size", kind="choice", choices=("<b>small</b>", "large"))


@pytest.fixture
def story(tmp_path):
    return page.Story(
        place=tmp_path, task="auto_mpg", metric=Watched("mae"), count=20, axes=(RATE, SIZE), command="sluice search"
    )


def tried(known, values, state=None, **facts):
    trial = known.ask()
    for axis in (RATE, SIZE):
        study.suggested(trial, axis)
    for epoch, value in enumerate(values, 1):
        trial.report(value, step=epoch)
    for name, value in facts.items():
        trial.set_user_attr(name, value)
    known.tell(trial, None if state else values[-1], state=state)


def test_a_page_before_any_trial_has_ended(story):
    text = page.write(study.opened(story.place, higher=False, seed=0, epochs=3), story).read_text()
    assert "0 of 20 trials: none has ended yet." in text
    assert "Importance" not in text


def test_trials_curves_importance_and_verdict(story):
    known = study.opened(story.place, higher=False, seed=0, epochs=3)
    for number in range(6):
        tried(known, [3.0, 2.0 + number], run=f"auto_mpg-{number + 1}", seconds=4.0)
    tried(known, [9.0], TrialState.PRUNED, run="auto_mpg-7")
    tried(known, [], TrialState.FAIL, why="<script>no memory</script>")
    judged = {
        "run": "auto_mpg-9",
        "status": "rejected",
        "reasons": ["mae 2 is above the bar"],
        "metrics": {"mae": 2.125},
    }
    told = page.Story(**{**vars(story), "judged": judged})
    text = page.write(known, told).read_text()
    assert "8 of 20 trials: 6 ended, 1 pruned, 1 failed." in text
    assert text.index("auto_mpg-1<") < text.index("auto_mpg-7<")  # the best come first
    assert text.count('class="line faint') == 6  # one curve is drawn over five others and a pruned one's
    assert text.count("faint dashed") == 1
    assert 'class="gauge"' in text
    assert "mae by train.learning_rate" in text
    for said in ("0.001", "does not clear the gate", "mae 2 is above the bar", "2.125", "../../auto_mpg-9/report.html"):
        assert said in text
    assert "<script" not in text
    assert "<b>" not in text


def test_a_fit_that_ended_in_no_number_leaves_a_gap(story):
    known = study.opened(story.place, higher=False, seed=0, epochs=3)
    tried(known, [3.0, float("nan"), 2.0])
    text = page.write(known, story).read_text()
    assert "nan" not in text
    assert "M" in text
