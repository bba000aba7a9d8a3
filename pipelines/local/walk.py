"""Walking the graph: every step once, from the cache where its key is known, else in a worker."""

from __future__ import annotations

import secrets
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components import code
from pipelines import _lazy
from pipelines.graph import RUN_NAME, Constant, Graph, Output, Parameter, Source, Step
from pipelines.local import worker
from pipelines.local.cache import Artifact, Cache, Entry, Lock
from pipelines.local.display import Display
from pipelines.local.keys import Ingredients, changes, ingredients, modules
from pipelines.local.records import Record
from pipelines.local.warm import PRELOAD, WarmServer

TICK = 0.1


class StepFailedError(Exception):
    """A step ended without its outputs."""

    def __init__(self, step: str, failure: worker.Failure, log: Path) -> None:
        super().__init__(f"The step {step} failed: {failure.message}")
        self.step, self.failure, self.log = step, failure, log


@dataclass(frozen=True)
class Outputs:
    """What a step put out, wherever it lies."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Artifact]


@dataclass
class Values:
    """The inputs of steps, found in the graph, the pipeline's arguments and earlier steps' outputs."""

    run: str
    arguments: Mapping[str, Any]
    outputs: dict[str, Outputs] = field(default_factory=dict)

    def parameters(self, step: Step) -> dict[str, Any]:
        return {name: self._value(source) for name, source in step.parameters.items()}

    def artifacts(self, step: Step) -> dict[str, Artifact]:
        return {name: self.outputs[source.step].artifacts[source.name] for name, source in step.artifacts.items()}

    def _value(self, source: Source) -> Any:
        match source:
            case Constant(value):
                return value.replace(RUN_NAME, self.run) if isinstance(value, str) else value
            case Parameter(name):
                return self.arguments[name]
            case Output(step, name):
                return self.outputs[step].parameters[name]


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
    ) -> None:
        self.graph, self.record = graph, record
        self.runs = record.path.parent
        self.cache = Cache(self.runs)
        self.values = Values(record.name, graph.arguments(arguments))
        self.nonce = "" if use_cache else secrets.token_hex(8)
        self.display = display or Display()
        self.server = WarmServer(record.log("warm"), preload)

    def run(self) -> dict[str, Outputs]:
        """All steps' outputs. Whatever happens, no process of ours is left afterwards."""
        try:
            for step in self.graph.steps:
                self.values.outputs[step.name] = self._cached(step) if step.cached else self.uncached(step)
            return self.values.outputs
        finally:
            self.display.clear()
            self.server.stop()

    def uncached(self, step: Step) -> Outputs:
        (self.record.path / step.name).mkdir()
        outputs, seconds = self._execute(step, None)
        self._done(step, "ran", seconds, why="runs every time")
        return outputs

    def _cached(self, step: Step) -> Outputs:
        began = time.monotonic()
        made_of = self.made_of(step)
        entry, damage = self._lookup(made_of.key)
        if entry is None:
            with self.cache.locked(made_of.key, lambda: self._wait(step)) as lock:
                # Whoever had the lock before may have done the work.
                entry = None if damage else self._lookup(made_of.key)[0]
                if entry is None:
                    return self._compute(step, made_of, lock, damage)
        self.cache.remember(made_of)
        self._done(step, "cached", worker.elapsed(began), key=entry.key, made_by=entry.run)
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

    def _compute(self, step: Step, made_of: Ingredients, lock: Lock, damage: str) -> Outputs:
        if any(self._heavy(later) for later in self.graph.downstream(step.name)):
            self.server.start()
        why = damage or "; ".join(changes(self.cache.earlier(made_of.task, step.name), made_of)[:3])
        resumed = self.cache.begin(made_of.key, self.record.path / step.name)
        outputs, seconds = self._execute(step, lock, "going on where an interrupted run stopped" if resumed else "")
        self.cache.store(
            Entry(
                key=made_of.key,
                step=step.name,
                run=self.record.name,
                seconds=seconds,
                parameters=outputs.parameters,
                artifacts=outputs.artifacts,
            )
        )
        self.cache.remember(made_of)
        self._done(step, "ran", seconds, key=made_of.key, why=why)
        return outputs

    def _execute(self, step: Step, lock: Lock | None, words: str = "") -> tuple[Outputs, float]:
        """Run the step in a worker, to its end."""
        began = time.monotonic()
        directory, log, heavy = self.record.path / step.name, self.record.log(step.name), self._heavy(step)
        self.display.begin(step.name, log)
        job = worker.Job(
            function=step.function,
            source=step.source,
            executor_input=self._executor_input(step, directory),
            log=log,
            scratch=self.record.scratch,
            needs=() if heavy else self._needs(step),
        )
        process = worker.Worker(job, lock, self.server if heavy else None)
        try:
            process.start()
            while (outcome := process.outcome(TICK)) is False:
                self.display.tick(words)
                words = ""
        finally:
            process.stop()
        seconds = worker.elapsed(began)
        if isinstance(outcome, worker.Failure):
            self.display.end(step.name, "failed", seconds)
            self.record.step(step.name, status="failed", seconds=seconds, why=outcome.message)
            raise StepFailedError(step.name, outcome, log)
        return self._outputs(step, directory), seconds

    def _executor_input(self, step: Step, directory: Path) -> dict[str, Any]:
        """KFP's ExecutorInput, as the cluster's launcher writes it."""
        given = {
            name: [_artifact(name, str(self.runs / artifact.path), artifact.metadata)]
            for name, artifact in self.values.artifacts(step).items()
        }
        out = {
            name: [{**_artifact(name, str(directory / name), {}), "type": {"schemaTitle": schema}}]
            for name, schema in step.output_artifacts.items()
        }
        return {
            "inputs": {
                "parameterValues": self.values.parameters(step),
                "artifacts": {name: {"artifacts": artifacts} for name, artifacts in given.items()},
            },
            "outputs": {
                "parameters": {name: {"outputFile": str(directory / name)} for name in step.output_parameters},
                "artifacts": {name: {"artifacts": artifacts} for name, artifacts in out.items()},
                "outputFile": str(directory / "executor_output.json"),
            },
        }

    def _outputs(self, step: Step, directory: Path) -> Outputs:
        written = worker.executor_output(directory / "executor_output.json")
        said = written.get("artifacts", {})
        metadata = {name: said.get(name, {"artifacts": [{}]})["artifacts"][0] for name in step.output_artifacts}
        artifacts = {
            name: self.cache.artifact(directory / name, about.get("metadata", {})) for name, about in metadata.items()
        }
        (directory / "executor_output.json").unlink()
        return Outputs(written.get("parameterValues", {}), artifacts)

    def _done(self, step: Step, status: str, seconds: float, **facts: Any) -> None:
        self.display.end(step.name, status, seconds)
        self.record.step(step.name, status=status, seconds=seconds, **facts)

    def _wait(self, step: Step) -> None:
        if self.display.step != step.name:
            self.display.begin(step.name, self.record.log(step.name))
            self.display.say(f"{step.name}: another run is doing this just now; waiting for its result")
        self.display.tick("waiting for another run")
        time.sleep(TICK)

    @staticmethod
    def _needs(step: Step) -> tuple[str, ...]:
        """A Beam step is sure to use what it imports, and in threads: so no placeholders there."""
        found = code.externals(*modules(step))
        return tuple(sorted(_lazy.HEAVY & found)) if "apache_beam" in found else ()

    @staticmethod
    def _heavy(step: Step) -> bool:
        return code.heavy(*modules(step))


def _artifact(name: str, path: str, metadata: Mapping[str, Any]) -> dict[str, Any]:
    return {"name": name, "uri": path, "metadata": dict(metadata)}


def publish(source: Path, target: Path) -> None:
    """The file under a second name, or a copy of it where that cannot be."""
    target.unlink(missing_ok=True)
    try:
        target.hardlink_to(source)
    except OSError:
        shutil.copyfile(source, target)
