"""The one place that touches the file system of a destination: a directory here, or an object store by its URL.

Both know the names in a task's folder, read files, and take a staged version in, all or nothing. A directory does so by
renaming. An object store cannot: a number is claimed, files are uploaded, and `saved_model.pb` comes last.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NoReturn, Protocol

from components.storage import atomic_files
from tasks import InputError

STAGED, PRUNED = ".incoming-", ".pruned-"
STALE_SECONDS = 3600
# TF Serving reads a version's name as a 64-bit integer.
NUMBER = re.compile(r"[0-9]{1,18}")
FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


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


class Directory:
    """A folder of a local or mounted file system."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def entries(self) -> list[str]:
        with _clearly(self.root):
            try:
                return [path.name for path in self.root.iterdir()]
            except FileNotFoundError:
                return []

    def exists(self, name: str) -> bool:
        return (self.root / name).is_file()

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()

    def write(self, name: str, content: bytes) -> None:
        with _clearly(self.root):
            atomic_files.write_bytes(self.root / name, content)

    def where(self, name: str) -> Path:
        return self.root / name

    @contextmanager
    def stage(self) -> Iterator[Path]:
        # mkdir rather than mkdtemp: whoever serves the model may be another user and must be able to read it.
        staged = self.root / f"{STAGED}{secrets.token_hex(6)}"
        with _clearly(self.root):
            staged.mkdir(parents=True)
            try:
                yield staged
            except BaseException:
                shutil.rmtree(staged, ignore_errors=True)
                raise

    def publish(self, staged: Path, name: str) -> bool:
        atomic_files.sync_tree(staged)
        try:
            staged.rename(self.root / name)
        except OSError as error:
            if error.errno in TAKEN:
                return False
            raise
        atomic_files.sync_directory(self.root)
        return True

    def unfinished(self) -> list[str]:
        return []  # a version appears by one renaming

    def remove(self, name: str) -> None:
        """Out of sight by one renaming, then away: nobody sees half of it."""
        aside = self.root / f"{PRUNED}{secrets.token_hex(6)}"
        with _clearly(self.root):
            try:
                (self.root / name).rename(aside)
            except FileNotFoundError:
                return  # a rival has removed it
        shutil.rmtree(aside, ignore_errors=True)

    def sweep(self) -> None:
        for name in self.entries():
            stale = name.startswith(STAGED) and time.time() - _last_change(self.root / name) > STALE_SECONDS
            if stale or name.startswith(PRUNED):
                shutil.rmtree(self.root / name, ignore_errors=True)

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        yield self.root / name


def copy_tree(source: Path, target: Path) -> None:
    """Contents only: a copied time of change would make what is being staged look stale."""
    for parent, _, names in os.walk(source, onerror=_unreadable, followlinks=True):
        into = target / Path(parent).relative_to(source)
        into.mkdir(exist_ok=True)
        for name in names:
            copy_file(Path(parent, name), into / name)


def copy_file(source: Path, target: Path) -> None:
    """Errors of the source are told as such; those that are left are the destination's."""
    try:
        source.open("rb").close()
    except OSError as error:
        _unreadable(error)
    shutil.copyfile(source, target)


def _unreadable(error: OSError) -> NoReturn:
    raise RuntimeError(
        f"What is to be pushed cannot be read: {error.strerror} ({error.filename!r}). Expected files that this user "
        "may read. Nothing was pushed."
    ) from error


def _last_change(directory: Path) -> float:
    changes = [0.0]
    for parent, _, names in os.walk(directory):
        for path in (Path(parent), *(Path(parent, name) for name in names)):
            try:
                changes.append(path.stat().st_mtime)
            except FileNotFoundError:
                continue  # its pusher is alive and has just published or removed it
    return max(changes)


@contextmanager
def _clearly(directory: Path) -> Iterator[None]:
    """Turn the system's error numbers into sentences."""
    try:
        yield
    except OSError as error:
        if error.errno in FULL:
            raise RuntimeError(
                f"The disk of the destination {str(directory)!r} is full. Nothing was pushed, and nothing half-written "
                "is left there; make room and run again."
            ) from error
        if error.errno in REFUSED:
            raise InputError(
                f"The destination {str(directory)!r} cannot be used: {error.strerror} ({error.filename!r}). Expected a "
                "directory that this user may read and write."
            ) from error
        raise
