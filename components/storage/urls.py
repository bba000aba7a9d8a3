"""Paths and URLs: where the workers of a distributed runner can read and write what the steps exchange."""

from __future__ import annotations

from typing import Any

import fsspec

from components import beam_runners

# Beam's runners that work within this machine; all others have workers that see none of its files.
IN_PROCESS = ("fnapirunner", "directrunner", "bundlebaseddirectrunner", "interactiverunner", "switchingdirectrunner")


def is_url(place: str) -> bool:
    return "://" in place and not place.startswith("file://")


def is_distributed(beam_args: list[str]) -> bool:
    """Whether a runner is named that is not this process."""
    runner = beam_runners.named(beam_args)
    return bool(runner) and runner not in IN_PROCESS


def reachable(path: str, uri: str, beam_args: list[str]) -> str:
    """An artifact's URL where others than this process must get at it, else its path here.

    Kubeflow keeps what a step wrote to the URL: it uploads the path afterwards only if there is something at it.
    """
    return uri if is_url(uri) and is_distributed(beam_args) else path


def system_of(place: str) -> tuple[Any, str]:
    """The file system of a URL, and the path inside it."""
    return fsspec.core.url_to_fs(place)


def clear(place: str) -> None:
    """Remove what an earlier attempt left there."""
    system, inside = system_of(place)
    if system.exists(inside):
        system.rm(inside, recursive=True)


def listed(place: str, pattern: str) -> list[str]:
    """The files below a place that match, as URLs, sorted."""
    system, inside = system_of(place)
    return sorted(system.unstrip_protocol(path) for path in system.glob(f"{inside}/{pattern}"))


def write(place: str, content: bytes) -> None:
    system, inside = system_of(place)
    system.makedirs(inside.rpartition("/")[0], exist_ok=True)
    system.pipe_file(inside, content)
