"""How the steps run on a cluster: from [tool.sluice.kubeflow] of a TOML file, a profile in it, and flags."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from tasks import InputError, nearest

FILES = ("sluice.toml", "pyproject.toml")
TABLE = ("tool", "sluice", "kubeflow")
GPU = "nvidia.com/gpu"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
PULLS = ("Always", "IfNotPresent", "Never")
SIZE = re.compile(r"[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?")
VERSION = re.compile(r"(\d+)\.(\d+)(\.\d+)?")
CPU = re.compile(r"([0-9]*[.])?[0-9]+m?")
ROOM = {"cpu": CPU, "cpu_limit": CPU, "memory": SIZE, "memory_limit": SIZE}


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All that may differ between clusters. Without any, what pipeline.yaml at the root has."""

    host: str = ""
    backend: str = ""
    namespace: str = ""
    destination: str = ""
    pipeline_root: str = ""
    service_account: str = ""
    image: str = ""
    gpu_image: str = ""
    run_as_user: int = 0
    run_as_group: int = 0
    pull_policy: str = ""
    pull_secrets: list[str] = field(default_factory=list)
    gpus: int = 0
    gpu_type: str = GPU
    shm: str = ""
    node_selector: dict[str, str] = field(default_factory=dict)
    gpu_node_selector: dict[str, str] = field(default_factory=dict)
    tolerations: list[str] = field(default_factory=list)
    gpu_tolerations: list[str] = field(default_factory=list)
    volumes: list[str] = field(default_factory=list)
    secrets: dict[str, dict[str, str]] = field(default_factory=dict)
    env: dict[str, str] = field(default_factory=dict)
    labels: dict[str, str] = field(default_factory=dict)
    resources: dict[str, dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        _check_types(self)
        _demand(self.gpus >= 0, "gpus must be 0 or more", self.gpus)
        _demand(not self.shm or SIZE.fullmatch(self.shm), "shm must be a size such as 8Gi", self.shm)
        words = "backend must be a version of Kubeflow Pipelines, such as 2.14"
        _demand(not self.backend or VERSION.fullmatch(self.backend), words, self.backend)
        allowed = "pull_policy must be Always, IfNotPresent or Never"
        _demand(not self.pull_policy or self.pull_policy in PULLS, allowed, self.pull_policy)
        for words in (*self.tolerations, *self.gpu_tolerations):
            toleration(words)
        for words in self.volumes:
            volume(words)
        for step, room in self.resources.items():
            for key, value in room.items():
                known = key in ROOM and isinstance(value, str) and ROOM[key].fullmatch(value)
                _demand(known, f"resources.{step} takes {', '.join(ROOM)}, such as '2' and '8Gi'", f"{key} = {value!r}")


def shows_names(backend: str) -> bool:
    """Whether a step may have a display name: up to 2.5, the version before 2.14, its outputs were then not found."""
    found = VERSION.fullmatch(backend)
    return found is not None and (int(found[1]), int(found[2])) >= (2, 14)


def toleration(words: str) -> dict[str, str]:
    """KEY, KEY=VALUE, KEY:EFFECT or KEY=VALUE:EFFECT."""
    taint, _, effect = words.partition(":")
    key, equals, value = taint.partition("=")
    if not key or (effect and effect not in EFFECTS):
        raise InputError(
            f"A toleration is KEY, KEY=VALUE or KEY=VALUE:EFFECT, with the effect {', '.join(EFFECTS)}. "
            f"Received: {words!r}."
        )
    found = {"key": key, "operator": "Equal", "value": value} if equals else {"key": key, "operator": "Exists"}
    return {**found, **({"effect": effect} if effect else {})}


def volume(words: str) -> tuple[str, str]:
    """The name of a persistent volume claim, and where it is mounted."""
    claim, _, path = words.partition(":")
    if not claim or not path.startswith("/"):
        raise InputError(f"A volume is CLAIM:/PATH, such as models:/serving. Received: {words!r}.")
    return claim, path


def load(name: str = "", directory: Path | None = None, **flags: Any) -> Profile:
    """The base table, the named profile over it, and over both what was typed; mappings are merged, the rest replaced.

    Flags that were not given are None or empty.
    """
    tables, path = _tables(directory or Path.cwd())
    known = [each.name for each in fields(Profile)]
    profiles = {key: value for key, value in tables.items() if isinstance(value, Mapping) and key not in known}
    base = {key: value for key, value in tables.items() if key not in profiles}
    if name and name not in profiles:
        hint = nearest(name, list(profiles)) if profiles else f" There is none in {path or ' or '.join(FILES)}."
        raise InputError(f"There is no profile {name!r}.{hint}")
    merged: dict[str, Any] = {}
    for layer in (
        base,
        profiles.get(name, {}),
        {key: value for key, value in flags.items() if value not in (None, "")},
    ):
        for key, value in layer.items():
            if key not in known:
                raise InputError(f"{path} has no place for {key!r} in a Kubeflow profile.{nearest(key, known)}")
            before = merged.get(key)
            merged[key] = {**before, **value} if isinstance(before, dict) and isinstance(value, dict) else value
    return Profile(**{key: value for key, value in merged.items() if value is not None})


def _tables(directory: Path) -> tuple[Mapping[str, Any], Path | None]:
    for path in (directory / name for name in FILES):
        if not path.is_file():
            continue
        try:
            found: Any = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not TOML that can be read: {error}.") from error
        for key in TABLE:
            found = found.get(key, {})
        if found:
            return found, path
    return {}, None


def _check_types(profile: Profile) -> None:
    defaults = {each.name: each.default_factory() if callable(each.default_factory) else each.default
                for each in fields(Profile)}  # fmt: skip
    for name, value in asdict(profile).items():
        expected = type(defaults[name])
        _demand(type(value) is expected, f"{name} must be a {expected.__name__}", value)
        inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        kind = dict if name in {"secrets", "resources"} else str
        _demand(all(type(each) is kind for each in inner), f"{name} must hold only {kind.__name__} values", value)


def _demand(fine: Any, rule: str, received: Any) -> None:
    if not fine:
        raise InputError(f"In a Kubeflow profile, {rule}. Received: {received!r}.")
