"""The one place that touches the file system of a destination; object stores would have their own of these."""

from __future__ import annotations

import errno
import os
import secrets
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components import files
from tasks import InputError

STAGED = ".incoming-"
STALE_SECONDS = 3600
FULL = {errno.ENOSPC, errno.EDQUOT}
REFUSED = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ELOOP, errno.ENAMETOOLONG}
TAKEN = {errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR}


def folder(destination: Path | str, task: str) -> Path:
    """Where the versions of the task lie."""
    if "://" in str(destination):
        raise InputError(
            f"The destination must be a directory, local or mounted. Received: {str(destination)!r}, a URL. "
            "Mount the bucket or volume and name the mounted directory."
        )
    return Path(destination) / task


def entries(directory: Path) -> list[str]:
    """The names in the directory; none when it does not exist yet."""
    with _clearly(directory):
        try:
            return [path.name for path in directory.iterdir()]
        except FileNotFoundError:
            return []


@contextmanager
def stage(directory: Path) -> Iterator[Path]:
    """A new directory beside the versions, under a name that is no version, removed again on failure."""
    # mkdir rather than mkdtemp: whoever serves the model may be another user and must be able to read it.
    staged = directory / f"{STAGED}{secrets.token_hex(6)}"
    with _clearly(directory):
        staged.mkdir(parents=True)
        try:
            yield staged
        except BaseException:
            shutil.rmtree(staged, ignore_errors=True)
            raise


def copy_tree(source: Path, target: Path) -> None:
    """Contents only: a copied time of change would make what is being staged look stale."""
    for parent, _, names in os.walk(source, followlinks=True):
        into = target / Path(parent).relative_to(source)
        into.mkdir(exist_ok=True)
        for name in names:
            shutil.copyfile(Path(parent, name), into / name)


def publish(staged: Path, target: Path) -> bool:
    """Make the staged directory visible, all at once; False when the name is taken."""
    files.sync_tree(staged)
    try:
        staged.rename(target)
    except OSError as error:
        if error.errno in TAKEN:
            return False
        raise
    files.sync_directory(target.parent)
    return True


def sweep(directory: Path) -> None:
    """Remove what pushers that were killed more than an hour ago left behind."""
    for name in entries(directory):
        if name.startswith(STAGED) and time.time() - _last_change(directory / name) > STALE_SECONDS:
            shutil.rmtree(directory / name, ignore_errors=True)


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
