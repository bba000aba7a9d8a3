"""What goes into steps and what came out of them, as KFP's executor is told it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines.compiled_graph import RUN_NAME, Constant, Output, Parameter, Source, Step
from pipelines.local.cache import Artifact

EXECUTOR_OUTPUT = "executor_output.json"


@dataclass(frozen=True)
class Outputs:
    """What a step put out, wherever it lies."""

    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Artifact]


@dataclass
class Values:
    """The inputs of steps, found in the graph, the pipeline's arguments and earlier steps' outputs."""

    run: str
    runs: Path
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

    def executor_input(self, step: Step, directory: Path) -> dict[str, Any]:
        """KFP's ExecutorInput, as the cluster's launcher writes it."""
        given = {
            name: _artifacts(name, self.runs / artifact.path, artifact.metadata)
            for name, artifact in self.artifacts(step).items()
        }
        made = {name: _artifacts(name, directory / name, {}, schema) for name, schema in step.output_artifacts.items()}
        return {
            "inputs": {"parameterValues": self.parameters(step), "artifacts": given},
            "outputs": {
                "parameters": {name: {"outputFile": str(directory / name)} for name in step.output_parameters},
                "artifacts": made,
                "outputFile": str(directory / EXECUTOR_OUTPUT),
            },
        }


def _artifacts(name: str, path: Path, metadata: Mapping[str, Any], schema: str = "") -> dict[str, Any]:
    kind = {"type": {"schemaTitle": schema}} if schema else {}
    return {"artifacts": [{"name": name, "uri": str(path), "metadata": dict(metadata), **kind}]}
