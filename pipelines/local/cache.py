"""An index from a step's key to what it put out, in the directory of the run that made it."""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from components.storage.atomic_files import read_json, write_json
from pipelines.local import content_hash
from pipelines.local.cache_keys import Ingredients
from pipelines.local.run_record import within


@dataclass(frozen=True, kw_only=True)
class Artifact:
    """Where an artifact lies below the runs directory, and what it is."""

    path: str
    content: str
    metadata: Mapping[str, Any]
    files: content_hash.Listing = field(repr=False)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """All that a step put out."""

    key: str
    step: str
    run: str
    seconds: float
    parameters: Mapping[str, Any]
    artifacts: Mapping[str, Artifact]


class Cache:
    def __init__(self, runs: Path) -> None:
        self.runs, self.index = runs, runs / ".cache"

    def find(self, key: str) -> Entry | None:
        try:
            found = read_json(self.index / f"{key}.json")
            artifacts = {name: Artifact(**value) for name, value in found.pop("artifacts").items()}
            for artifact in artifacts.values():
                within(self.runs, artifact.path)
            return Entry(**found, artifacts=artifacts)
        except (FileNotFoundError, ValueError, TypeError, KeyError, AttributeError):
            return None  # absent, or not ours to understand: the step runs

    def check(self, key: str) -> tuple[Entry | None, str]:
        """The key's entry if it is whole; if it is not, what is wrong with it."""
        entry = self.find(key)
        damage = self._damage(entry) if entry else ""
        return (None, damage) if damage else (entry, "")

    def _damage(self, entry: Entry) -> str:
        for artifact in entry.artifacts.values():
            path = self.runs / artifact.path
            if artifact.files == (now := content_hash.listing(path)):
                continue
            if not now:
                return f"{path} is missing"
            if content_hash.content(path, artifact.metadata) != artifact.content:
                return f"{path} was altered"
        return ""

    def artifact(self, path: Path, metadata: Mapping[str, Any]) -> Artifact:
        return Artifact(
            path=path.relative_to(self.runs).as_posix(),
            files=content_hash.listing(path),
            content=content_hash.content(path, metadata),
            metadata=metadata,
        )

    def store(self, entry: Entry) -> None:
        write_json(self.index / f"{entry.key}.json", asdict(entry))
        self._partial(entry.key).unlink(missing_ok=True)

    def forget(self, key: str) -> None:
        (self.index / f"{key}.json").unlink(missing_ok=True)

    def begin(self, key: str, directory: Path) -> bool:
        """Make the directory in which the outputs come to be; True if it is an earlier attempt's, taken over."""
        record = self._partial(key)
        taken = False
        with suppress(OSError, ValueError, KeyError, TypeError):  # then there is nothing to take over
            within(self.runs, read_json(record)["path"]).rename(directory)
            taken = True
        directory.mkdir(exist_ok=True)
        write_json(record, {"path": directory.relative_to(self.runs).as_posix(), "pid": os.getpid()})
        return taken

    @contextmanager
    def locked(self, key: str, waiting: Callable[[], None]) -> Iterator[int]:
        """The right to compute the key; while another has it, `waiting` is called now and then.

        It holds until this process and the worker that the descriptor is handed to have both closed it.
        """
        self.index.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(self.index / f"{key}.lock", os.O_RDWR | os.O_CREAT, 0o666)
        try:
            while not _try_lock(descriptor):
                waiting()
            yield descriptor
        finally:
            os.close(descriptor)

    def remember(self, made_of: Ingredients) -> None:
        """Keep what the step was made of this time, to say next time what has changed."""
        path = self._latest(made_of.task, made_of.step)
        if self.earlier(made_of.task, made_of.step).get("key") != made_of.key:
            write_json(path, {**asdict(made_of), "key": made_of.key})

    def earlier(self, task: str, step: str) -> dict[str, Any]:
        try:
            return dict(read_json(self._latest(task, step)))
        except (FileNotFoundError, ValueError, TypeError):
            return {}

    def _latest(self, task: str, step: str) -> Path:
        return self.index / "latest" / f"{task or '_'}.{step}.json"

    def _partial(self, key: str) -> Path:
        return self.index / f"{key}.partial"


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in {errno.EWOULDBLOCK, errno.EACCES}:
            return False
        raise
    return True
