"""Walking the graph: every step once, from the cache where its key is known, else in a worker."""

from __future__ import annotations

import json
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from components import beam_runners, code
from components.storage.local_paths import source_kind
from pipelines import lazy_imports
from pipelines.compiled_graph import Graph, Step
from pipelines.local import step_process
from pipelines.local.cache import Cache, Entry
from pipelines.local.cache_keys import Ingredients, changes, ingredients, modules
from pipelines.local.early_check import EarlyCheck
from pipelines.local.kept_process import PRELOAD, found
from pipelines.local.progress_display import Display
from pipelines.local.run_record import Record
from pipelines.local.step_values import EXECUTOR_OUTPUT, Outputs, Values
from pipelines.local.warm_server import WarmServer, kept_at

TICK = 0.1
# The step that is looked ahead to, and the one that says how it will be done.
TRAINING, LOOKED_UP = "train", "resolve"


class StepFailedError(Exception):
    """A step ended without its outputs."""

    def __init__(self, step: str, failure: step_process.Failure, log: Path) -> None:
        super().__init__(f"The step {step} failed: {failure.message}")
        self.step, self.failure, self.log = step, failure, log


class Walk:
    """One run of a graph."""

    def __init__(
        self,
        graph: Graph,
        arguments: Mapping[str, Any],
        record: Record,
        *,
        use_cache: bool = True,
        display: Display | None = None,
        preload: tuple[str, ...] = PRELOAD,
        server: WarmServer | None = None,
        ask: Callable[[], object] = lambda: None,
    ) -> None:
        self.graph, self.record, self.ask = graph, record, ask
        self.runs = record.path.parent
        self.cache = Cache(self.runs)
        self.values = Values(record.name, self.runs, graph.arguments(arguments))
        self.nonce = "" if use_cache else secrets.token_hex(8)
        self.display = display or Display()
        # Another runner of Beam's may want of it what the warm process has left out.
        self.elsewhere = bool(beam_runners.named(arguments.get("beam_args", ())))
        modules = tuple(name for name in preload if not (self.elsewhere and "beam" in name))
        self.shared = server is not None and not self.elsewhere
        self.server = server if server and self.shared else WarmServer(record.log("warm"), modules, kept_at(self.runs))
        self.early: EarlyCheck | None = None
        self.steps: tuple[Step, ...] = ()
        # Those that have begun before it was their turn, as all that they need was there.
        self.beside: dict[str, step_process.Going] = {}
        self.locks = ExitStack()

    def run(self, until: str = "") -> dict[str, Outputs]:
        """All steps' outputs, or those up to one. Whatever happens, no process of ours is left afterwards."""
        try:
            if self._sure_to_train():
                self.server.start()  # what it imports takes longer than the steps before
            with code.kept_imports(self.cache.index / "imports"):  # read here, a step's process need not read it again
                task = f"tasks.{self.values.arguments.get('task', '')}"
                code.sources(*{module for step in self.graph.steps for module in modules(step)}, task)
            names = [step.name for step in self.graph.steps]
            self.steps = self.graph.steps[: names.index(until) + 1 if until else None]
            for step in self.steps:
                if step.cached and self.serving and self.cache.check(self.made_of(step).key)[0] is None:
                    break  # what is kept here is gone, and what it came to is served
                begun = self.beside.pop(step.name, None)
                self.values.outputs[step.name] = self._finish(begun) if begun else self._result(step)
            return self.values.outputs
        finally:
            self.display.clear()
            if self.early:
                self.early.stop()
            for going in self.beside.values():
                going.worker.stop()
            self.locks.close()
            if not self.shared:
                self.server.stop()

    @property
    def serving(self) -> int:
        """The version that a step has found to serve what this run would come to; 0 if it must be gone through with."""
        found = [output.parameters.get("serving", 0) for output in self.values.outputs.values()]
        wanted = bool(self.nonce) or not self.values.arguments.get("publish", True)
        return 0 if wanted else max(found, default=0)

    def uncached(self, step: Step) -> Outputs:
        (self.record.path / step.name).mkdir()
        return self._finish(self._begin(step, None, why="runs every time"))

    def _result(self, step: Step) -> Outputs:
        if not step.cached:
            return self.uncached(step)
        began = time.monotonic()
        made_of = self.made_of(step)
        entry, damage = self._lookup(made_of.key)
        if entry is None:
            with self.cache.locked(made_of.key, lambda: self._wait(step)) as lock:
                # Whoever had the lock before may have done the work.
                entry = None if damage else self._lookup(made_of.key)[0]
                if entry is None:
                    return self._finish(self._begin_anew(step, made_of, lock, damage))
        self.cache.remember(made_of)
        self._done(step, "cached", step_process.elapsed(began), key=entry.key, made_by=entry.run)
        return Outputs(entry.parameters, entry.artifacts)

    def made_of(self, step: Step) -> Ingredients:
        contents = {name: artifact.content for name, artifact in self.values.artifacts(step).items()}
        return ingredients(step, self.values.parameters(step), contents, self.nonce)

    def _lookup(self, key: str) -> tuple[Entry | None, str]:
        """The entry if it is whole; else what is wrong with it, which is told."""
        entry, damage = self.cache.check(key)
        if damage:
            self.display.say(f"A kept result cannot be used: {damage}. The step runs again.")
            self.cache.forget(key)
        return entry, damage

    def _begin_anew(self, step: Step, made_of: Ingredients, lock: int, damage: str = "") -> step_process.Going:
        if any(self._heavy(later) for later in self.graph.downstream(step.name)):
            self.server.start()
        why = damage or "; ".join(changes(self.cache.earlier(made_of.task, step.name), made_of)[:3])
        resumed = self.cache.begin(made_of.key, self.record.path / step.name)
        words = "going on where an interrupted run stopped" if resumed else ""
        return self._begin(step, lock, made_of=made_of, why=why, words=words)

    def _begin(self, step: Step, lock: int | None, **facts: Any) -> step_process.Going:
        """Start the step's worker."""
        began = time.monotonic()
        directory, log = self.record.path / step.name, self.record.log(step.name)
        forked = self._heavy(step) or (bool(self._needs(step)) and bool(found(self.runs, self.server.preload)))
        task = self.values.arguments.get("task")
        reached = [*modules(step), *([f"tasks.{task}"] if task else [])]
        if self._wants_clean(step):
            self.server.start_clean()
        job = step_process.Job(
            function=step.function,
            source=step.source,
            executor_input=self.values.executor_input(step, directory),
            log=log,
            scratch=self.record.scratch,
            modules=tuple(name for name in reached if code.exists(name)),
            sources=code.sources(*reached),
            needs=() if forked else self._needs(step),
            clean_process=self.server.clean,
        )
        worker = step_process.Worker(job, lock, self.server if forked else None)
        try:
            worker.start()
        except BaseException:
            worker.stop()
            raise
        return step_process.Going(step, log, worker, began, **facts)

    def _finish(self, going: step_process.Going) -> Outputs:
        """Wait for the step's end, and keep what it has put out."""
        step = going.step
        self.display.begin(step.name, going.log)
        try:
            self._look_ahead(step)
            self._begin_beside(step)
            while not going.over(TICK):
                self.ask()
                self._stop_if_in_vain(going.began)
                for other in self.beside.values():
                    other.over(0)
                self.display.tick("loading TensorFlow" if going.worker.starting else going.words)
        finally:
            going.worker.stop()
        if isinstance(going.outcome, step_process.Failure):
            self.display.end(step.name, "failed", going.seconds)
            self.record.step(step.name, status="failed", seconds=going.seconds, why=going.outcome.message)
            raise StepFailedError(step.name, going.outcome, going.log)
        outputs = self._outputs(step, self.record.path / step.name)
        key = self._keep(going, going.made_of, outputs) if going.made_of else {}
        self._done(step, "ran", going.seconds, **key, why=going.why)
        return outputs

    def _keep(self, going: step_process.Going, made_of: Ingredients, outputs: Outputs) -> dict[str, str]:
        self.cache.store(
            Entry(
                key=made_of.key,
                step=going.step.name,
                run=self.record.name,
                seconds=going.seconds,
                parameters=outputs.parameters,
                artifacts=outputs.artifacts,
            )
        )
        self.cache.remember(made_of)
        return {"key": made_of.key}

    def _begin_beside(self, at_work: Step) -> None:
        """Steps that need nothing of the one at work begin too, where their outcome is not known yet."""
        done = set(self.values.outputs)
        for step in self.steps:
            if step.cached and step.name not in {at_work.name, *done, *self.beside} and step.after <= done:
                made_of = self.made_of(step)
                with suppress(BlockingIOError):  # another run is doing it
                    lock = self.locks.enter_context(self.cache.locked(made_of.key, _not_free))
                    if self.cache.check(made_of.key)[0] is None:
                        self.beside[step.name] = self._begin_anew(step, made_of, lock)

    def _look_ahead(self, step: Step) -> None:
        """While the steps before training run, whether it can succeed."""
        if step.name == TRAINING and self.early:
            self.early.stop()
        ahead = step.cached and TRAINING in {later.name for later in self.graph.downstream(step.name)} - {step.name}
        if ahead and self.early is None and LOOKED_UP in self.values.outputs:
            known, task = self.values.outputs[LOOKED_UP].parameters, self.values.arguments.get("task")
            self.early = EarlyCheck(self.server, self.record, str(task), dict(known))

    def _stop_if_in_vain(self, began: float) -> None:
        if self.early and (failure := self.early.found()):
            seconds = step_process.elapsed(began)
            self.display.end(TRAINING, "failed", seconds)
            self.record.step(TRAINING, status="failed", seconds=seconds, why=failure.message)
            raise StepFailedError(TRAINING, failure, self.early.log)

    def _outputs(self, step: Step, directory: Path) -> Outputs:
        path = directory / EXECUTOR_OUTPUT
        written = json.loads(path.read_text())
        path.unlink()
        said = written.get("artifacts", {})
        metadata = {name: said.get(name, {"artifacts": [{}]})["artifacts"][0] for name in step.output_artifacts}
        artifacts = {
            name: self.cache.artifact(directory / name, about.get("metadata", {})) for name, about in metadata.items()
        }
        return Outputs(written.get("parameterValues", {}), artifacts)

    def _done(self, step: Step, status: str, seconds: float, **facts: Any) -> None:
        self.display.end(step.name, status, seconds)
        self.record.step(step.name, status=status, seconds=seconds, **facts)

    def _wait(self, step: Step) -> None:
        if self.display.step != step.name:
            self.display.begin(step.name, self.record.log(step.name))
            self.display.say(f"{step.name}: another run is doing this just now; waiting for its result")
        self.ask()
        self.display.tick("waiting for another run")
        time.sleep(TICK)

    def _needs(self, step: Step) -> tuple[str, ...]:
        """A Beam step is sure to use what it imports, and in threads: so no placeholders there.

        Only TFDS is for its own sources alone.
        """
        found = code.externals(*modules(step))
        if "apache_beam" not in found:
            return ()
        if source_kind(str(self.values.arguments.get("data", ""))) != "tfds":
            found -= {"tensorflow_datasets"}
        return (*sorted(lazy_imports.HEAVY & found), *(() if self.elsewhere else ["apache_beam"]))

    def _sure_to_train(self) -> bool:
        """Whether that is known before anything is."""
        steps, task = {step.name for step in self.graph.steps}, str(self.values.arguments.get("task", ""))
        return TRAINING in steps and bool(self.nonce or not self.cache.earlier(task, TRAINING))

    @staticmethod
    def _wants_clean(step: Step) -> bool:
        return "components/rehearse/clean_process.py" in code.sources(*modules(step))

    @staticmethod
    def _heavy(step: Step) -> bool:
        return code.heavy(*modules(step))


def _not_free() -> None:
    raise BlockingIOError


def publish(source: Path, target: Path) -> None:
    """The file under a second name, or a copy of it where that cannot be."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
