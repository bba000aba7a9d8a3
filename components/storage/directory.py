"""A folder of a local or mounted file system as a destination: a version is taken in by one renaming."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from components.storage import atomic_files
from components.storage.version_names import PRUNED, STAGED, STALE_SECONDS
from tasks import InputError

FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


class Directory:
    """The folder of one task's versions. See `components.storage.store.Store`."""

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
        path = self.root / name
        if path.exists() and not path.is_file():  # a pipe would keep us waiting
            raise OSError(errno.EINVAL, "It is no plain file", str(path))
        return path.read_bytes()

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
