"""A search as Optuna keeps it, in a file: so it goes on after a kill, and Optuna's own tools can open it."""

from __future__ import annotations

import fcntl
import math
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.trials.space import Axis
from tasks import InputError

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial, Trial

FILE = "study.log"
# What is kept of a trial: the run that it is, its seconds, why it failed, and which one it is for that was killed.
RUN, SECONDS, WHY, INSTEAD_OF = "run", "seconds", "why", "instead_of"
# So many trials end before one is measured by them.
UNMEASURED = 5


def demand_library() -> None:
    try:
        import optuna
    except ModuleNotFoundError as error:
        if error.name != "optuna":
            raise
        raise InputError(
            "A search needs Optuna, which is not installed. To install it: "
            f"{sys.executable} -m pip install 'optuna==5.*'"
        ) from error
    optuna.logging.set_verbosity(optuna.logging.WARNING)


@contextmanager
def alone(place: Path) -> Iterator[None]:
    """Nobody else goes on with this search meanwhile. Its directory is there from then on."""
    place.mkdir(parents=True, exist_ok=True)
    with (place / "lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise InputError(
                "Another process is at this very search now. Wait until it has ended, or begin another with --seed."
            ) from None
        yield


def opened(place: Path, *, higher: bool, seed: int, epochs: int) -> optuna.Study:
    """The study in this directory, which begins here if there is none; what was going on when it was killed waits."""
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend
    from optuna.trial import TrialState

    _mend(place / FILE)
    study = optuna.create_study(
        study_name=place.name,
        # Its SQLite takes ten times as long, and every epoch is kept.
        storage=JournalStorage(JournalFileBackend(str(place / FILE))),
        load_if_exists=True,
        direction="maximize" if higher else "minimize",
    )
    instead = _replaced(study)
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if trial.number not in instead:
            study.enqueue_trial(trial.params, user_attrs={INSTEAD_OF: trial.number})
        study.tell(trial.number, state=TrialState.FAIL)
    # A seed alone would draw the same settings again after a kill.
    study.sampler = optuna.samplers.TPESampler(seed=seed + len(study.trials))
    study.pruner = optuna.pruners.MedianPruner(n_startup_trials=UNMEASURED, n_warmup_steps=1 + epochs // 5)
    return study


def _mend(journal: Path) -> None:
    """Whoever wrote here last may have been killed with half a line written, or with Optuna's lock in its hands."""
    journal.with_name(f"{journal.name}.lock").unlink(missing_ok=True)
    if journal.exists():
        whole = journal.read_bytes().rpartition(b"\n")[0]
        os.truncate(journal, len(whole) + 1 if whole else 0)


def suggested(trial: Trial, axis: Axis) -> str:
    """A value for one setting, as `--set` takes it."""
    if axis.kind == "choice":
        return axis.text(trial.suggest_categorical(axis.key, axis.choices))
    if axis.kind == "int":
        return axis.text(trial.suggest_int(axis.key, int(axis.low), int(axis.high), log=axis.log))
    return axis.text(trial.suggest_float(axis.key, axis.low, axis.high, log=axis.log))


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """All trials that came to an end of their own, in the order they began."""
    replaced = _replaced(study)
    return [
        trial
        for trial in study.get_trials(deepcopy=False)
        if trial.state.is_finished() and trial.number not in replaced
    ]


def _replaced(study: optuna.Study) -> set[int | None]:
    """The numbers of trials that were killed and begun again under another one."""
    return {trial.user_attrs.get(INSTEAD_OF) for trial in study.get_trials(deepcopy=False)}


def ranked(study: optuna.Study) -> list[FrozenTrial]:
    """All that ended, the best first; those that were pruned or failed come last."""
    higher = study.direction.name == "MAXIMIZE"

    def rank(trial: FrozenTrial) -> tuple[int, float]:
        value = trial.value if trial.value is not None else math.inf
        return ("COMPLETE", "PRUNED", "FAIL").index(trial.state.name), -value if higher else value

    return sorted(ended(study), key=rank)


def best(study: optuna.Study) -> FrozenTrial | None:
    return next((trial for trial in ranked(study) if trial.state.name == "COMPLETE"), None)


def importances(study: optuna.Study) -> dict[str, float]:
    """How much of the differences between the better trials and all of them each setting stands for; adds up to 1.

    Nothing as long as too few trials have ended for that to mean something.
    """
    import optuna
    from optuna.trial import TrialState

    complete = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    if len(complete) <= UNMEASURED:
        return {}
    return dict(optuna.importance.get_param_importances(study))
