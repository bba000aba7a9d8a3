"""The state of a fit kept outside its pod: on a cluster, too, a fit that was killed or evicted goes on.

On a volume the state lies there itself. Into a bucket it is copied by a thread while the fit goes on, so the last few
seconds of epochs may be lost. A state is found by all that the fit hangs on, and taken away when the fit is done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from components import code
from components.progress import say
from components.storage import urls
from components.storage.atomic_files import tree_hash
from components.train.checkpoint import KEPT

EVERY = 5.0


def key(task: str, *facts: Any, folders: tuple[str, ...]) -> str:
    """Other code, data, settings or seeds make another fit."""
    sources = code.code_hash("components.train.step", f"tasks.{task}")
    everything = [task, sources, *facts, *(tree_hash(folder) for folder in folders)]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:40]


@contextmanager
def kept(place: str, directory: Path, *, chief: bool) -> Iterator[None]:
    """While this lasts, what lies in the directory lies at the place too: a folder or URL; "" for nowhere."""
    if not place:
        yield
        return
    try:
        mirror = _Bucket(place, directory, chief=chief) if urls.is_url(place) else _Volume(place, directory)
    except Exception as error:  # drivers have exceptions of their own
        say(f"the state of the fit cannot be kept at {place}: {error}; if this pod is lost, the fit begins afresh")
        yield
        return
    done = False
    try:
        yield
        done = True
    finally:
        mirror.close(done=done and chief)


class _Volume:
    """The directory is a link to the folder."""

    def __init__(self, place: str, directory: Path) -> None:
        self.folder, self.directory = Path(place), directory
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / ".writable").touch()
        if directory.is_symlink():
            directory.unlink()
        shutil.rmtree(directory, ignore_errors=True)
        directory.symlink_to(self.folder, target_is_directory=True)

    def close(self, *, done: bool) -> None:
        """No link is left in what the step puts out."""
        self.directory.unlink()
        if done:
            shutil.rmtree(self.folder, ignore_errors=True)


class _Bucket:
    """The directory's one file is fetched, and put back whenever it is another."""

    def __init__(self, place: str, directory: Path, *, chief: bool) -> None:
        self.url, self.file = f"{place}/{KEPT}", directory / KEPT
        self.system, self.inside = urls.system_of(self.url)
        self._stop, self._seen = threading.Event(), 0
        directory.mkdir(parents=True, exist_ok=True)
        with suppress(FileNotFoundError):
            self.system.get_file(self.inside, str(self.file))
            self._seen = self.file.stat().st_mtime_ns
        self._thread = threading.Thread(target=self._watch, daemon=True)
        if chief:
            self._thread.start()

    def _watch(self) -> None:
        while not self._stop.wait(EVERY):
            try:
                self._put()
            except Exception as error:  # drivers have exceptions of their own; the fit itself is not concerned
                say(f"the state of the fit could not be copied to {self.url}: {error}")

    def _put(self) -> None:
        with suppress(FileNotFoundError):
            if (changed := self.file.stat().st_mtime_ns) != self._seen:
                self.system.makedirs(self.inside.rpartition("/")[0], exist_ok=True)
                self.system.put_file(str(self.file), self.inside)
                self._seen = changed

    def close(self, *, done: bool) -> None:
        self._stop.set()
        if self._thread.ident:
            self._thread.join()
        with suppress(FileNotFoundError):
            if done:
                self.system.rm_file(self.inside)
            elif self._thread.ident:
                self._put()
