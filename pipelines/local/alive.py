"""Whether the process that works in a directory still lives, and what is left of those that were killed."""

from __future__ import annotations

import atexit
import fcntl
import os
import secrets
import shutil
import tempfile
import time
from contextlib import suppress
from pathlib import Path

MARK, SCRATCH = ".alive", ".scratch"
# Of a process's own directory below the system's temporary one.
PREFIX = "sluice-of-"
# A directory without a mark is as old as this before it counts as nobody's: its process may be about to mark it.
UNMARKED_SECONDS = 600


def mark(folder: Path) -> int:
    """A file that is locked from the moment it can be seen until this process ends in whatever way."""
    hidden = folder / f"{MARK}.{secrets.token_hex(4)}"
    descriptor = os.open(hidden, os.O_RDWR | os.O_CREAT, 0o666)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    hidden.rename(folder / MARK)
    return descriptor


def is_alive(folder: Path) -> bool:
    try:
        descriptor = os.open(folder / MARK, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return True
    else:
        return False
    finally:
        os.close(descriptor)


def tidy_run(folder: Path) -> None:
    """Remove what only the living process of a run has use for, if there is none; links are not followed."""
    if folder.is_symlink() or not ((folder / MARK).exists() or (folder / SCRATCH).exists()) or is_alive(folder):
        return
    if not (folder / SCRATCH).is_symlink():
        shutil.rmtree(folder / SCRATCH, ignore_errors=True)
    for half_written in folder.glob(".*.tmp"):
        half_written.unlink(missing_ok=True)
    (folder / MARK).unlink(missing_ok=True)


def use_own_temporary_directory() -> None:
    """Temporary files of this process, and of what it starts, lie where others see whether they are still needed.

    Python's own modules take care of theirs only as long as nobody kills the process.
    """
    tidy_temporary()
    folder = Path(tempfile.mkdtemp(prefix=PREFIX))
    mark(folder)
    tempfile.tempdir = str(folder)
    atexit.register(shutil.rmtree, folder, ignore_errors=True)


def tidy_temporary() -> None:
    """Remove this user's directories of processes that are gone."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError):  # another may tidy at this moment
            about = folder.lstat()
            unmarked = not (folder / MARK).exists() and time.time() - about.st_mtime < UNMARKED_SECONDS
            ours = about.st_uid == os.getuid() and folder.is_dir() and not folder.is_symlink()
            if ours and not unmarked and not is_alive(folder):
                shutil.rmtree(folder)
