"""The compiled pipeline, read into the few plain values that the local runner walks."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from components import code
from components.storage.atomic_files import write_json
from pipelines.kfp_import import import_without_client

RUN_NAME = "{{$.pipeline_job_name}}"


@dataclass(frozen=True)
class Constant:
    """An input that is written in the graph itself."""

    value: Any


@dataclass(frozen=True)
class Parameter:
    """An input that is a parameter of the pipeline."""

    name: str


@dataclass(frozen=True)
class Output:
    """An input that another step puts out: a parameter or an artifact."""

    step: str
    name: str


Source = Constant | Parameter | Output


@dataclass(frozen=True, kw_only=True)
class Step:
    """One task of the graph, with the function that the graph carries for it."""

    name: str
    function: str
    source: str
    cached: bool
    parameters: Mapping[str, Source]
    artifacts: Mapping[str, Output]
    output_parameters: tuple[str, ...]
    output_artifacts: Mapping[str, str]
    after: frozenset[str]


@dataclass(frozen=True)
class Graph:
    """Steps in an order in which they can run, and the pipeline's parameters."""

    name: str
    steps: tuple[Step, ...]
    defaults: Mapping[str, Any]
    types: Mapping[str, str]

    def arguments(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """What was given, completed by the defaults."""
        if unknown := sorted(given.keys() - self.types.keys()):
            raise ValueError(
                f"The pipeline has the parameters {', '.join(self.types)}. Received: {', '.join(unknown)}."
            )
        if missing := sorted(self.types.keys() - given.keys() - self.defaults.keys()):
            raise ValueError(f"The pipeline needs a value for: {', '.join(missing)}. Received: none.")
        return {**self.defaults, **given}

    def downstream(self, name: str) -> list[Step]:
        """The step and all that need it, directly or not."""
        reached = {name}
        found = []
        for step in self.steps:
            if step.name in reached or step.after & reached:
                reached.add(step.name)
                found.append(step)
        return found


def training(runs: Path | None = None) -> Graph:
    """The pipeline. With the runs' directory given it is compiled only if it has changed since that was last done."""
    return read(_kept(runs / ".cache") if runs else _compiled())


def _kept(cache: Path) -> dict[str, Any]:
    with code.kept_imports(cache / "imports"):
        made_of = code.code_hash("pipelines.training", within=code.OURS)
    known: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        known = json.loads((cache / "pipeline").read_bytes())
    if known.get("made_of") != made_of:
        known = {"made_of": made_of, "pipeline": _compiled()}
        with suppress(OSError):  # where nothing can be written, the run says so
            write_json(cache / "pipeline", known, lasting=False)
    return known["pipeline"]


def _compiled() -> dict[str, Any]:
    import_without_client()  # it takes longer than all the rest of a command that finds nothing to do
    from pipelines.training import training as pipeline

    return spec(pipeline)


def spec(pipeline: Any) -> dict[str, Any]:
    """The intermediate representation that KFP made of a pipeline function, as plain values."""
    from google.protobuf import json_format

    return dict(json_format.MessageToDict(pipeline.pipeline_spec))


def read(pipeline: Mapping[str, Any]) -> Graph:
    """The graph in KFP's intermediate representation; flat, of Python components, as ours is."""
    declared = pipeline["root"].get("inputDefinitions", {}).get("parameters", {})
    types = {name: about["parameterType"] for name, about in declared.items()}
    defaults = {
        name: _typed(about.get("defaultValue"), types[name])
        for name, about in declared.items()
        if about.get("isOptional") or "defaultValue" in about
    }
    tasks = pipeline["root"]["dag"]["tasks"]
    steps = {name: _step(name, task, pipeline) for name, task in tasks.items()}
    return Graph(pipeline["pipelineInfo"]["name"], tuple(_ordered(steps)), defaults, types)


def _step(name: str, task: Mapping[str, Any], pipeline: Mapping[str, Any]) -> Step:
    component = pipeline["components"][task["componentRef"]["name"]]
    executor = pipeline["deploymentSpec"]["executors"].get(component.get("executorLabel"), {})
    plain = "container" in executor and "--function_to_execute" in executor["container"].get("args", [])
    if not plain or "iterator" in task or "triggerPolicy" in task or "arrayIterator" in task:
        raise ValueError(
            f"The local runner walks a flat graph of Python components. Received: the step {name!r}, which is "
            "a loop, a condition, an importer or a container of its own."
        )
    container, inputs = executor["container"], task.get("inputs", {})
    declared, out = component.get("inputDefinitions", {}), component.get("outputDefinitions", {})
    types = {key: about["parameterType"] for key, about in declared.get("parameters", {}).items()}
    given = {key: _source(value, types[key]) for key, value in inputs.get("parameters", {}).items()}
    omitted = {
        key: Constant(_typed(about["defaultValue"], types[key]))
        for key, about in declared.get("parameters", {}).items()
        if key not in given and "defaultValue" in about
    }
    artifacts = {key: _source(value, "") for key, value in inputs.get("artifacts", {}).items()}
    return Step(
        name=name,
        function=container["args"][container["args"].index("--function_to_execute") + 1],
        source=container["command"][-1],
        cached=bool(task.get("cachingOptions", {}).get("enableCache")),
        parameters={**given, **omitted},
        artifacts={key: source for key, source in artifacts.items() if isinstance(source, Output)},
        output_parameters=tuple(out.get("parameters", {})),
        output_artifacts={key: about["artifactType"]["schemaTitle"] for key, about in out.get("artifacts", {}).items()},
        after=frozenset(task.get("dependentTasks", ())),
    )


def _source(value: Mapping[str, Any], kind: str) -> Source:
    match value:
        case {"runtimeValue": {"constant": constant}}:
            return Constant(_typed(constant, kind))
        case {"componentInputParameter": name}:
            return Parameter(name)
        case {"taskOutputParameter": {"producerTask": step, "outputParameterKey": name}}:
            return Output(step, name)
        case {"taskOutputArtifact": {"producerTask": step, "outputArtifactKey": name}}:
            return Output(step, name)
    raise ValueError(f"The local runner knows constants, parameters and outputs as inputs. Received: {value!r}.")


def _typed(value: Any, kind: str) -> Any:
    """Protocol buffers know one kind of number; the graph says which are whole."""
    return int(value) if kind == "NUMBER_INTEGER" and value is not None else value


def _ordered(steps: Mapping[str, Step]) -> Iterator[Step]:
    """Each step after those it needs; otherwise by name, so that the order is always the same."""
    done: set[str] = set()
    while len(done) < len(steps):
        ready = next(name for name in sorted(steps) if name not in done and steps[name].after <= done)
        done.add(ready)
        yield steps[ready]
