"""The one place that touches the file system of a destination: a directory here, or an object store by its URL.

Both know the names in a task's folder, read files, and take a staged version in, all or nothing. A directory does so by
renaming. An object store cannot: a number is claimed, files are uploaded, and `saved_model.pb` comes last.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from components.storage.directory import Directory


class Store(Protocol):
    """Where the versions of one task lie; names are relative to that, with slashes."""

    def entries(self) -> list[str]:
        """The names in the folder, none when it does not exist yet; and those that are spoken for."""

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""

    def read(self, name: str) -> bytes:
        """A file's content, or FileNotFoundError."""

    def write(self, name: str, content: bytes) -> None:
        """A small file, whole or not at all."""

    def where(self, name: str) -> Path | str:
        """How people and other programs find it."""

    def stage(self) -> AbstractContextManager[Path]:
        """A new directory to make a version in, removed again on failure."""

    def publish(self, staged: Path, name: str) -> bool:
        """Make the staged directory visible; False when the name is taken."""

    def unfinished(self) -> list[str]:
        """The names that somebody is filling at this moment."""

    def remove(self, name: str) -> None:
        """Take a version away."""

    def sweep(self) -> None:
        """Remove what pushers that were killed more than an hour ago left behind."""

    def fetched(self, name: str) -> AbstractContextManager[Path]:
        """A version as a local directory, for as long as that takes."""


def opened(destination: Path | str, task: str) -> Store:
    """The store of the task's versions."""
    scheme, separator, rest = str(destination).partition("://")
    if not separator:
        return Directory(Path(destination) / task)
    if scheme in {"file", "local"}:
        return Directory(Path(rest) / task)
    from components.storage.bucket import Bucket  # fsspec takes a third of a second

    return Bucket(str(destination), task)
