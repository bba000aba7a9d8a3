"""What a step's output depends on, as one key, and in words what changed since the last time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from components import code
from pipelines.compiled_graph import Step

FORMAT = 1
# `code` is for Kubeflow's cache alone: here the sources themselves are in the key, and can be named. `analysis` is a
# place where work is kept, which changes no result.
NOT_IN_KEY = frozenset({"code", "analysis", "state"})


@dataclass(frozen=True, kw_only=True)
class Ingredients:
    """Same ingredients, same output: code, the step's own body, parameters, and the content of input artifacts."""

    step: str
    task: str
    body: str
    sources: Mapping[str, str]
    libraries: Mapping[str, str]
    parameters: Mapping[str, Any]
    artifacts: Mapping[str, str]
    nonce: str = ""

    @property
    def key(self) -> str:
        everything = {**asdict(self), "format": FORMAT}
        return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:40]


def ingredients(step: Step, parameters: Mapping[str, Any], artifacts: Mapping[str, str], nonce: str) -> Ingredients:
    task = str(parameters.get("task", ""))
    return Ingredients(
        step=step.name,
        task=task,
        body=hashlib.sha256(f"{step.function}\n{step.source}".encode()).hexdigest(),
        sources=code.sources(*modules(step), f"tasks.{task}"),
        libraries=code.libraries(),
        parameters={name: value for name, value in parameters.items() if name not in NOT_IN_KEY},
        artifacts=artifacts,
        nonce=nonce,
    )


def modules(step: Step) -> list[str]:
    """What the step's body imports, ours and others'."""
    return sorted(code.imported(step.source))


def changes(before: Mapping[str, Any], now: Ingredients) -> list[str]:
    """What is different from an earlier time's ingredients, a few words for each thing."""
    if not before:
        return ["never done before"]
    found: list[str] = []
    if now.nonce:
        found.append("the cache was not to be used")
    if sources := _differing(before.get("sources", {}), now.sources):
        found.append(f"code changed: {', '.join(sources)}")
    if before.get("body") != now.body:
        found.append("code changed: the step's body in components/ops.py")
    libraries = before.get("libraries", {})
    found += [f"{n} {libraries.get(n)} → {now.libraries.get(n)}" for n in _differing(libraries, now.libraries)]
    found += _settings(before.get("parameters", {}), now.parameters)
    found += [f"input {name} changed" for name in _differing(before.get("artifacts", {}), now.artifacts)]
    return found


def _settings(before: Mapping[str, Any], now: Mapping[str, Any]) -> Iterator[str]:
    for name in _differing(before, now):
        old, new = before.get(name), now.get(name)
        if isinstance(old, dict) and isinstance(new, dict):
            for key in _differing(old, new):
                yield f"setting {key} {_short(old.get(key, 'default'))} → {_short(new.get(key, 'default'))}"
        else:
            yield f"{name} {_short(old)} → {_short(new)}"


def _differing(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    return [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return (text if len(text) <= 24 else f"{text[:16]}…") or '""'
