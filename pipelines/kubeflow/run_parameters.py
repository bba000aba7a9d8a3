"""What was typed for a cluster: the pipeline's parameters, the profile, and the compiled pipeline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

import tasks
from components import beam_runners, settings
from components.resolve import step as resolve
from components.storage.local_paths import source_kind
from pipelines import check_arguments, compiled_graph
from pipelines.kubeflow import backend_limits, check_urls, profile, step_resources
from pipelines.kubeflow.profile import VERSION, Profile, volume
from tasks import InputError

LONGEST = 100


def profile_of(given: argparse.Namespace) -> Profile:
    """The profile with the flags over it."""
    flags = {name: getattr(given, name, None) for name in (
        "host", "backend", "namespace", "destination", "service_account", "image", "gpu_image", "gpus", "gpu_type",
        "shm", "pipeline_root", "steps",
    )}  # fmt: skip
    flags |= {
        "tolerations": given.toleration,
        "gpu_tolerations": given.gpu_toleration,
        "volumes": given.volume,
        "node_selector": dict(_pair(word, "--node-selector") for word in given.node_selector),
        "gpu_node_selector": dict(_pair(word, "--gpu-node-selector") for word in given.gpu_node_selector),
        "env": dict(_pair(word, "--env") for word in given.env),
        "secrets": _secrets(given.secret),
    }
    return profile.load(given.profile, **{name: value for name, value in flags.items() if value not in ([], {})})


def parameters(given: argparse.Namespace, chosen: Profile) -> dict[str, Any]:
    """The pipeline's parameters, with all checked that can be checked from here."""
    task = tasks.get(given.task)
    check_arguments.check(given)
    overrides = dict(_pair(word, "--set") for word in given.overrides)
    settings.check_overrides(task, resolve.model_name(task, given.task, given.model), overrides)
    resolve.check_seed(given.seed)
    if not chosen.destination:
        raise InputError("Expected --destination, or destination in the profile: a bucket's URL or a mounted path.")
    asked = {
        "task": given.task,
        "model": given.model,
        "data": _data(given.data),
        "data_dir": _on_cluster(given.data_dir, "--data-dir") if given.data_dir else "",
        "destination": _destination(chosen),
        "seed": given.seed,
        "overrides": overrides,
        "beam_args": _beam(given.beam, chosen),
        "force": given.force or "",
        "publish": not given.no_push,
        "keep": given.keep,
        "warm_start": given.warm_start,
        # Beside the tasks' folders, where no server looks for versions.
        "analysis": f"{chosen.destination.rstrip('/')}/.analysis",
        "state": f"{chosen.destination.rstrip('/')}/.fits",
    }
    return compiled_graph.training().arguments(asked)


def _beam(typed: list[str], chosen: Profile) -> list[str]:
    """Options that name a runner go over the profile's Flink."""
    return typed if beam_runners.named(typed) or not chosen.flink else [*beam_runners.flink(chosen.flink), *typed]


def model(asked: dict[str, Any]) -> str:
    """The model that was asked for, or the task's first."""
    return resolve.model_name(tasks.get(asked["task"]), asked["task"], asked["model"])


def name_of(asked: dict[str, Any]) -> str:
    """What a run is, for the lists of Kubeflow's pages: unique to the second."""
    data = asked["data"].rstrip("/").rpartition("/")[2]
    words = [asked["task"], model(asked), "on", data]
    return f"{' '.join(words)[:LONGEST]} {datetime.now(UTC):%Y-%m-%d %H:%M:%S}"


def for_backend(chosen: Profile, version: str) -> Profile:
    """The profile for a backend of this version; one that does not tell it is taken for an old one."""
    known = version.removeprefix("v")
    return replace(chosen, backend=chosen.backend or (known if VERSION.fullmatch(known) else "2.0"))


@contextmanager
def package(chosen: Profile, asked: dict[str, Any], *, cached: bool = True, **how: bool) -> Iterator[str]:
    """The compiled pipeline as a file, as KFP's client takes it; how else it may be, `place.placed` says."""
    how |= {"cached": cached, "sparing": cached and asked["publish"], "sent": True}
    labels = {"sluice/task": asked["task"], "sluice/model": model(asked)}
    with TemporaryDirectory(prefix="sluice-") as folder:
        path = Path(folder) / "pipeline.yaml"
        path.write_text(text := step_resources.compiled(chosen, labels=labels, **how))
        for finding in backend_limits.findings(text, chosen.backend):
            if finding.refused:
                raise InputError(f"The backend would refuse this pipeline: {finding.words}")
            print(f"note: {finding.words}", file=sys.stderr)
        yield str(path)


def _destination(chosen: Profile) -> str:
    """A URL, or a path on a volume: elsewhere it would be gone with the pod."""
    words = _on_cluster(chosen.destination, "--destination")
    mounts = [volume(each)[1] for each in chosen.volumes]
    if "://" not in words and not any(PurePosixPath(words).is_relative_to(mount) for mount in mounts):
        raise InputError(
            f"What is pushed to {words!r} would be gone with the pod. Expected a URL, or a path on a volume: "
            f"--volume CLAIM:{words}. Received volumes at: {', '.join(mounts) or 'none'}."
        )
    return words


def _data(words: str) -> str:
    if source_kind(words) != "user":
        return words
    check_urls.check_placeholders(words, "--data")
    return _on_cluster(words, "--data")


def _on_cluster(words: str, what: str) -> str:
    check_urls.check_keys(words, what)
    check_urls.check_schemes(words, what)
    if "://" in words or words.startswith("/"):
        return words
    raise InputError(
        f"{what} must be a URL such as s3://bucket/cars or an absolute path that is mounted there: the cluster does "
        f"not see this machine's files. Received: {words!r}."
    )


def _pair(word: str, flag: str) -> tuple[str, str]:
    key, equals, value = word.partition("=")
    if not key or not equals:
        raise InputError(f"{flag} takes KEY=VALUE. Received: {word!r}.")
    return key, value


def _secrets(words: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for word in words:
        name, colon, pair = word.partition(":")
        key, equals, variable = pair.partition("=")
        if not (name and colon and key and equals and variable):
            raise InputError(f"--secret takes NAME:KEY=VARIABLE, never the secret itself. Received: {word!r}.")
        found.setdefault(name, {})[key] = variable
    return found
