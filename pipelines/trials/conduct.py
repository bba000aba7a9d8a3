"""The trials of a search, from the first to the last: asked for, run side by side, pruned, and told to the study."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipelines.commands import run_summary
from pipelines.local.progress_display import Display
from pipelines.local.run import Result
from pipelines.local.side_by_side import TICK, Curves, Said, Wanted, Workers
from pipelines.trials import one_run, study
from pipelines.trials.one_run import Combination
from pipelines.trials.watched_metric import Watched
from tasks import InputError

if TYPE_CHECKING:
    import optuna

TRAINING = "train"
# So many failures one after the other are no bad luck.
FAILURES = 5


@dataclass
class Going:
    """A trial that goes on."""

    trial: optuna.Trial
    combination: Combination
    output: str
    last: int = 0  # the epoch after which nothing is left to be saved
    epochs: int = 0
    pruned: bool = False
    words: str = ""


class Conductor:
    """One search while it goes on. `ask` chooses settings, `filled` makes the pipeline's parameters of them."""

    def __init__(
        self,
        known: optuna.Study,
        workers: Workers,
        metric: Watched,
        count: int,
        *,
        ask: Callable[[optuna.Trial], Combination],
        filled: Callable[[Combination], dict[str, Any]],
        output: Callable[[str], str],
        epochs: Callable[[Mapping[str, Any]], int],
        display: Display,
        concluded: Callable[[], object] = lambda: None,
    ) -> None:
        self.study, self.workers, self.metric, self.count, self.display = known, workers, metric, count, display
        self.ask, self.filled, self.output, self.epochs, self.concluded = ask, filled, output, epochs, concluded
        self.going: dict[int, Going] = {}
        self.ended, self.best = len(study.ended(known)), study.best(known)
        self.failures: list[str] = []

    def run(self) -> None:
        """Until so many trials have ended, with those of earlier times, or nothing but failures come."""
        while self.ended < self.count and not self.hopeless:
            while self.workers.idle and self.ended + len(self.going) < self.count and not self.hopeless:
                self._begin()
            for number, news in self.workers.news(TICK):
                self._heed(number, news)
            self.display.tick(self._words())

    @property
    def hopeless(self) -> bool:
        return len(self.failures) >= FAILURES

    def _begin(self) -> None:
        trial = self.study.ask()
        combination = self.ask(trial)
        try:
            arguments = self.filled(combination)
        except InputError as error:  # settings that do not go together
            self._fail(Going(trial, combination, ""), str(error))
            return
        self.going[trial.number] = Going(
            trial, combination, self.output(arguments["model"]), last=self.epochs(arguments)
        )
        noted = {"search": self.study.study_name, "trial": trial.number}
        self.workers.begin(trial.number, Wanted(arguments=arguments, until=TRAINING, noted=noted))

    def _heed(self, number: int, news: Said | Curves | Result) -> None:
        going = self.going[number]
        match news:
            case Said(step, words):
                going.words = f"{step} {words}".strip()
            case Result():
                del self.going[number]
                self._conclude(going, news)
            case _ if not going.pruned and self._report(going, news, until_pruned=True):
                going.pruned = True
                self.workers.prune(number)

    def _report(self, going: Going, curves: Curves, *, until_pruned: bool) -> bool:
        """The epochs since the last time; True at one where the pruner has seen enough."""
        seen = {name.removeprefix("val_"): values for name, values in curves.items() if name.startswith("val_")}
        for value in seen.get(self.metric.within(seen, going.output), ())[going.epochs :]:
            going.epochs += 1
            going.trial.report(math.nan if value is None else value, step=going.epochs)
            if until_pruned and going.epochs < going.last and going.trial.should_prune():
                return True
        return False

    def _conclude(self, going: Going, result: Result) -> None:
        going.trial.set_user_attr(study.RUN, result.facts["run"])
        going.trial.set_user_attr(study.SECONDS, round(one_run.seconds(result), 1))
        if result.trouble:
            self._fail(going, result.trouble)
            return
        if result.facts["status"] == "pruned":
            self.study.tell(going.trial, state=_state("PRUNED"))
            self._told(going, f"pruned after epoch {going.epochs}", result)
            return
        self._report(going, one_run.curves(result), until_pruned=False)
        numbers = one_run.watched_numbers(result)
        value = numbers.get(self.metric.within(numbers, going.output))
        if value is None or not math.isfinite(value):
            self._fail(going, f"It ended with a {self.metric.name} that is no finite number.")
            return
        self.study.tell(going.trial, value)
        self._told(going, f"val_{self.metric.name} {run_summary.number(value)}", result)

    def _fail(self, going: Going, why: str) -> None:
        self.failures.append(why)
        going.trial.set_user_attr(study.WHY, why)
        self.study.tell(going.trial, state=_state("FAIL"))
        self._say(going, f"failed: {why}")

    def _told(self, going: Going, came_to: str, result: Result) -> None:
        self.failures.clear()
        self._say(going, f"{came_to}  ({result.facts['run']}, {one_run.seconds(result):.0f} s)")

    def _say(self, going: Going, what: str) -> None:
        self.ended, self.best = self.ended + 1, study.best(self.study)
        self.display.say(f"{self.ended}/{self.count}  {one_run.in_words(going.combination)}  {what}")
        self.concluded()

    def _words(self) -> str:
        so_far = f", best {run_summary.number(self.best.value)}" if self.best else ""
        now = "; ".join(going.words for going in self.going.values() if going.words)
        return f"{self.ended} of {self.count} trials{so_far}  {now}"


def judged(workers: Workers, arguments: dict[str, Any], name: str, display: Display) -> Result:
    """The run of the best one, which goes on where its trial ended."""
    workers.begin(0, Wanted(arguments=arguments, noted={"search": name}))
    words = ""
    while True:
        for _, news in workers.news(TICK):
            if isinstance(news, Result):
                display.clear()
                return news
            words = f"{news.step} {news.words}" if isinstance(news, Said) else words
        display.tick(f"judging the best  {words}")


def _state(name: str) -> optuna.trial.TrialState:
    from optuna.trial import TrialState

    return TrialState[name]
