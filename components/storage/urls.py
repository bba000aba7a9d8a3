"""Paths and URLs: where the workers of a distributed runner can read and write what the steps exchange."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from components import beam_runners
from components.storage.retries import PatientFileSystem

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


def system_of(place: str, **how: Any) -> tuple[Any, str]:
    """The file system of a URL, and the path inside it."""
    system, inside = fsspec.core.url_to_fs(place, **how)
    return (PatientFileSystem(system) if is_url(place) else system), inside


@contextmanager
def opened(place: str) -> Iterator[BinaryIO]:
    """A file or URL to read."""
    system, inside = system_of(place)  # an archive is closed when nobody holds its system any more
    with system.open(inside, "rb") as file:
        yield file


def clear(place: str) -> None:
    """Remove what an earlier attempt left there."""
    system, inside = system_of(place)
    if system.exists(inside):
        with suppress(FileNotFoundError):  # gone, though the answer to that was lost
            system.rm(inside, recursive=True)


def listed(place: str, pattern: str) -> list[str]:
    """The files below a place that match, as URLs, sorted."""
    system, inside = system_of(place)
    return sorted(system.unstrip_protocol(path) for path in system.glob(f"{inside}/{pattern}"))


def write(place: str, content: bytes) -> None:
    system, inside = system_of(place)
    system.makedirs(inside.rpartition("/")[0], exist_ok=True)
    system.pipe_file(inside, content)


def upload(path: Path, url: str) -> None:
    system, inside = system_of(url)
    system.makedirs(inside.rpartition("/")[0], exist_ok=True)
    system.put_file(str(path), inside)


def download(url: str, path: Path) -> None:
    system, inside = system_of(url)
    system.get_file(inside, str(path))
