"""What the open-source Kubeflow Pipelines backend is known to refuse or to ignore in a compiled pipeline."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines.kubeflow.profile import shows_names

SCHEMA = "2.1.0"
NAME = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
# Argo keeps a workflow in one Kubernetes object, which etcd limits to 1.5 MiB, with its state beside it.
LARGEST = 1_000_000
MACRO = re.compile(r"\[\[(ScheduledTime|CurrentTime|Index|RunUUID)[^\]]*\]\]")
# libyaml's, where PyYAML was built with it: a tenth of the time.
FAST = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
UNFILLED = ("{{$.pipeline_root}}",)


@dataclass(frozen=True)
class Finding:
    """Refused: the backend does not run it. Otherwise it runs, but not as one might expect."""

    refused: bool
    words: str


def findings(text: str, backend: str = "") -> list[Finding]:
    """The trouble to come with this pipeline.yaml, on a backend of this version or on any."""
    documents = [document for document in yaml.load_all(text, FAST) if document]
    spec = next((document for document in documents if "pipelineInfo" in document), None)
    if spec is None:
        return [Finding(True, "It has no pipeline: expected a document with pipelineInfo.")]
    platform: dict[str, Any] = next((document for document in documents if "platforms" in document), {})
    places = platform.get("platforms", {}).get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
    found = [
        *_whole(spec, text),
        *_names(spec, backend),
        *(finding for step in _steps(spec) for finding in _step(step, places)),
    ]
    return sorted(dict.fromkeys(found), key=lambda finding: not finding.refused)


@dataclass(frozen=True)
class _Step:
    name: str
    task: Mapping[str, Any]
    component: Mapping[str, Any]
    label: str
    executor: Mapping[str, Any]


def _steps(spec: Mapping[str, Any]) -> Iterator[_Step]:
    executors = spec.get("deploymentSpec", {}).get("executors", {})
    components = spec.get("components", {})
    for dag in (spec.get("root", {}), *components.values()):
        for name, task in dag.get("dag", {}).get("tasks", {}).items():
            component = components.get(task.get("componentRef", {}).get("name"), {})
            label = component.get("executorLabel", "")
            yield _Step(name, task, component, label, executors.get(label, {}))


def _whole(spec: Mapping[str, Any], text: str) -> Iterator[Finding]:
    if (version := spec.get("schemaVersion")) != SCHEMA:
        yield Finding(True, f"The backend reads the schema {SCHEMA}. Received: {version}.")
    if not NAME.fullmatch(name := spec["pipelineInfo"].get("name", "")):
        yield Finding(True, f"A pipeline's name is of lower-case letters, digits, - and dots. Received: {name!r}.")
    if len(text) > LARGEST:
        yield Finding(
            True, f"It has {len(text):,} characters; above {LARGEST:,} Kubernetes does not keep the workflow."
        )


def _names(spec: Mapping[str, Any], backend: str) -> Iterator[Finding]:
    named = [step for step in _steps(spec) if step.label and step.task.get("taskInfo", {}).get("name") != step.name]
    if named and not shows_names(backend):
        yield Finding(
            False,
            "Its steps have display names, and a backend up to 2.5 loses what such steps put out. For one of those "
            "give --backend 2.5.",
        )


def _step(step: _Step, places: Mapping[str, Any]) -> Iterator[Finding]:
    yield from _unsupported(step)
    yield from _values(step)
    if "container" in step.executor:
        yield from _container(step, places.get(step.label, {}))


def _unsupported(step: _Step) -> Iterator[Finding]:
    if "resolver" in step.executor:
        yield Finding(True, f"{step.name} is a resolver, which the backend does not implement.")
    if "customJob" in step.executor:
        yield Finding(True, f"{step.name} is a custom job, which exists on Google Cloud only.")
    if "importer" in step.executor and step.task.get("triggerPolicy", {}).get("condition"):
        yield Finding(True, f"{step.name} is an importer under a condition, which the backend refuses.")
    if "artifactIterator" in step.task:
        yield Finding(True, f"{step.name} loops over artifacts, which the backend does not implement.")


def _values(step: _Step) -> Iterator[Finding]:
    given = step.task.get("inputs", {}).get("parameters", {})
    for name, source in given.items():
        constant = source.get("runtimeValue", {}).get("constant")
        if isinstance(constant, str) and (MACRO.search(constant) or any(word in constant for word in UNFILLED)):
            yield Finding(False, f"{step.name}'s {name} is {constant!r}, which the backend leaves as it stands.")
    hashed = any(name == "code" or name.endswith("_code") for name in given)
    if step.task.get("cachingOptions", {}).get("enableCache") and not hashed and "container" in step.executor:
        yield Finding(False, f"{step.name} is cached without a hash of its code: a moved image tag would go unnoticed.")


def _container(step: _Step, place: Mapping[str, Any]) -> Iterator[Finding]:
    container = step.executor["container"]
    if "/" not in (image := container.get("image", "")):
        yield Finding(False, f"The image {image} names no registry: nodes must have it already, or give --image.")
    if "lifecycle" in container:
        yield Finding(False, f"{step.name} has a lifecycle hook, which the backend ignores.")
    resources = container.get("resources", {})
    accelerator = resources.get("accelerator")
    if accelerator is None:
        return
    if not accelerator.get("type") and not accelerator.get("resourceType"):
        yield Finding(False, f"{step.name} asks for accelerators of no type, which the backend ignores.")
    elif not place.get("tolerations"):
        kind = accelerator.get("resourceType") or accelerator["type"]
        yield Finding(
            False,
            f"{step.name} asks for {kind} without a toleration: where nodes with GPUs are tainted, it waits for ever. "
            f"Give --gpu-toleration {kind}:NoSchedule.",
        )
