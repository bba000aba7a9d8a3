"""How the steps run on a cluster: from [tool.sluice.kubeflow] of a TOML file, a profile in it, and flags."""

from __future__ import annotations

import posixpath
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from components import beam_runners
from pipelines.kubeflow import check_urls, resource_quantities
from pipelines.kubeflow import kubernetes_names as spell
from pipelines.kubeflow.error_messages import COOKIES, TOKENS
from pipelines.kubeflow.kubernetes_names import Spelling
from tasks import InputError, nearest

FILES = ("sluice.toml", "pyproject.toml")
TABLE = ("tool", "sluice", "kubeflow")
GPU = "nvidia.com/gpu"
EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
PULLS = ("Always", "IfNotPresent", "Never")
STEPS = ("all", "few")
SIZE = re.compile(r"[0-9]+(E|Ei|P|Pi|T|Ti|G|Gi|M|Mi|K|Ki)?")
VERSION = re.compile(r"(\d+)\.(\d+)(\.\d+)?")
URL = re.compile(r"[a-z][a-z0-9+.-]*://[^\s/]\S*")
CPU = re.compile(r"([0-9]*[.])?[0-9]+m?")
ROOM = {"cpu": CPU, "cpu_limit": CPU, "memory": SIZE, "memory_limit": SIZE}
# The steps are found by it, and one that is set replaces the image's.
TAKEN = ("PATH",)
SHM = "/dev/shm"


@dataclass(frozen=True, kw_only=True)
class Profile:
    """All that may differ between clusters. Without any, what pipeline.yaml at the root has."""

    host: str = ""
    backend: str = ""
    namespace: str = ""
    destination: str = ""
    pipeline_root: str = ""
    flink: str = ""
    steps: str = "all"
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
        _demand(self.steps in STEPS, "steps must be all or few", self.steps)
        for words in (*self.tolerations, *self.gpu_tolerations):
            toleration(words)
        _check_names(self)
        _check_mounts(self)
        check_urls.check_keys(self.pipeline_root, "pipeline_root")
        root = "pipeline_root must be a URL such as s3://bucket/artifacts"
        _demand(not self.pipeline_root or URL.fullmatch(self.pipeline_root), root, self.pipeline_root)
        _check_flink(self)
        for step, room in self.resources.items():
            for key, value in room.items():
                known = key in ROOM and isinstance(value, str) and ROOM[key].fullmatch(value)
                _demand(known, f"resources.{step} takes {', '.join(ROOM)}, such as '2' and '8Gi'", f"{key} = {value!r}")
            resource_quantities.check(step, room)


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
    spell.LABEL_KEY.check("The key of a toleration", key)
    spell.LABEL_VALUE.check("The value of a toleration", value)
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
    tables, path = _tables(directory or Path.cwd(), wanted=bool(name))
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


def _tables(directory: Path, *, wanted: bool) -> tuple[Mapping[str, Any], Path | None]:
    missed = ""
    for path in (directory / name for name in FILES):
        if not path.exists():
            continue
        if not path.is_file():
            raise InputError(f"Expected {path} to be a file in TOML. Received: a directory, or something else.")
        try:
            whole = tomllib.loads(path.read_text())
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InputError(f"{path} is not TOML that can be read: {error}.") from error
        if found := _inner(whole, path):
            return found, path
        if path.name == FILES[0]:
            missed = f"{path} has no table [{'.'.join(TABLE)}]. Received: {', '.join(whole) or 'nothing'}."
            wanted |= TABLE[-1] in whole
    if missed and wanted:
        raise InputError(missed)
    return {}, None


def _inner(whole: Mapping[str, Any], path: Path) -> Mapping[str, Any]:
    """Our own table of a file."""
    found: Any = whole
    for depth, key in enumerate(TABLE, 1):
        found = found.get(key, {})
        if not isinstance(found, Mapping):
            table = ".".join(TABLE[:depth])
            raise InputError(f"In {path}, {table} must be a table, such as [{'.'.join(TABLE)}]. Received: {found!r}.")
    return found


def _check_types(profile: Profile) -> None:
    defaults = {each.name: each.default_factory() if callable(each.default_factory) else each.default
                for each in fields(Profile)}  # fmt: skip
    for name, value in asdict(profile).items():
        expected = type(defaults[name])
        _demand(type(value) is expected, f"{name} must be a {expected.__name__}", value)
        inner = value if isinstance(value, list) else value.values() if isinstance(value, dict) else ()
        kind = dict if name in {"secrets", "resources"} else str
        _demand(all(type(each) is kind for each in inner), f"{name} must hold only {kind.__name__} values", value)


def _check_names(profile: Profile) -> None:
    for what, spelling, words in _names(profile):
        for word in words:
            spelling.check(f"{what} of a Kubeflow profile", word)
    for name in profile.env:
        here = "the value would be readable by everyone who sees the run; use secrets"
        _demand(name not in TOKENS + COOKIES, f"env must not hold a token: {here}", name)
    for name in (*profile.env, *(variable for keys in profile.secrets.values() for variable in keys.values())):
        _demand(name not in TAKEN, "a variable must not replace one that the image needs", name)


def _names(profile: Profile) -> Iterator[tuple[str, Spelling, Iterable[object]]]:
    yield "The namespace", spell.NAMESPACE, filter(None, [profile.namespace])
    yield "The service_account", spell.NAME, filter(None, [profile.service_account])
    yield "The image", spell.IMAGE, filter(None, [profile.image, profile.gpu_image])
    yield "The gpu_type", spell.RESOURCE, [profile.gpu_type]
    yield "One of the pull_secrets", spell.NAME, profile.pull_secrets
    yield "A name in secrets", spell.NAME, profile.secrets
    for keys in profile.secrets.values():
        yield "A key in secrets", spell.SECRET_KEY, keys
        yield "A variable in secrets", spell.VARIABLE, keys.values()
    yield "A name in env", spell.VARIABLE, profile.env
    for name in ("labels", "node_selector", "gpu_node_selector"):
        yield f"A key in {name}", spell.LABEL_KEY, getattr(profile, name)
        yield f"A value in {name}", spell.LABEL_VALUE, getattr(profile, name).values()


def _check_mounts(profile: Profile) -> None:
    """Every place is mounted once, and none hides the image itself."""
    used = {SHM} if profile.shm else set()
    for words in profile.volumes:
        claim, path = volume(words)
        spell.NAME.check("The claim of a volume", claim)
        place = posixpath.normpath(path)
        _demand(place.strip("/") and ":" not in place, "a volume is mounted below /, at a path without ':'", words)
        _demand(place not in used, f"only one volume may be mounted at {place}", words)
        used.add(place)


def _check_flink(profile: Profile) -> None:
    if not profile.flink:
        return
    try:
        beam_runners.flink(profile.flink)
    except ValueError as error:
        raise InputError(f"In a Kubeflow profile, flink is not as it should be: {error}.") from error
    both = "flink must name two addresses, JOB_SERVER,WORKERS: a step's pod cannot be the worker of a Flink"
    _demand("," in profile.flink, both, profile.flink)
    root = "flink needs a pipeline_root on s3:// or gs://, where its workers find what the steps exchange"
    _demand(profile.pipeline_root.startswith(("s3://", "gs://")), root, profile.pipeline_root)


def _demand(fine: Any, rule: str, received: Any) -> None:
    if not fine:
        raise InputError(f"In a Kubeflow profile, {rule}. Received: {received!r}.")
