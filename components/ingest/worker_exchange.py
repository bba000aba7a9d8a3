"""Where the workers of ingest leave what they wrote: a folder that all see, or a URL when no folder is seen by all."""

from __future__ import annotations

import secrets
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from components.examples.tfrecord import SUFFIX
from components.ingest import merge_parts
from components.ingest.worker import SUMMARY, Summary
from components.storage import atomic_files, urls
from tasks._splits import SPLITS


class Exchange(Protocol):
    """What a worker does with it."""

    def attempt(self, number: int) -> Path:
        """A new directory to write a part in."""

    def done(self, attempt: Path, number: int) -> None:
        """The part is whole. A runner may try a part twice: both come to the same."""

    def failed(self, attempt: Path, number: int, failure: Mapping[str, Any]) -> None:
        """Keep what is to be told at the end, and nothing else."""

    def ids(self, number: int, split: str) -> np.ndarray:
        """The part's row ids of a split; none if it is not whole."""


class Folder:
    """A directory that every worker sees."""

    def __init__(self, path: str) -> None:
        self.path = Path(path)

    def attempt(self, number: int) -> Path:
        directory = self.path / f"attempt-{number}-{secrets.token_hex(4)}"
        directory.mkdir()
        return directory

    def done(self, attempt: Path, number: int) -> None:
        final = self.path / merge_parts.part_name(number)
        if not final.exists():
            attempt.rename(final)

    def failed(self, attempt: Path, number: int, failure: Mapping[str, Any]) -> None:
        shutil.rmtree(attempt, ignore_errors=True)
        atomic_files.write_json(self.path / f"{merge_parts.part_name(number)}.error", failure)

    def ids(self, number: int, split: str) -> np.ndarray:
        return merge_parts.read_ids([self.path / merge_parts.part_name(number)], split)


class Url:
    """A place in an object store; parts are written beside the worker and copied there, their summary last."""

    def __init__(self, url: str) -> None:
        self.url = url

    def attempt(self, number: int) -> Path:
        return Path(tempfile.mkdtemp(prefix="sluice-part-"))

    def done(self, attempt: Path, number: int) -> None:
        try:
            for path in sorted(attempt.iterdir(), key=lambda path: path.name == SUMMARY):
                urls.upload(path, f"{self.url}/{merge_parts.part_name(number)}/{path.name}")
        finally:
            shutil.rmtree(attempt, ignore_errors=True)

    def failed(self, attempt: Path, number: int, failure: Mapping[str, Any]) -> None:
        shutil.rmtree(attempt, ignore_errors=True)
        with tempfile.TemporaryDirectory() as folder:
            atomic_files.write_json(Path(folder) / "error", failure)
            urls.upload(Path(folder) / "error", f"{self.url}/{merge_parts.part_name(number)}.error")

    def ids(self, number: int, split: str) -> np.ndarray:
        part = f"{self.url}/{merge_parts.part_name(number)}"
        with tempfile.TemporaryDirectory(prefix="sluice-ids-") as folder:
            if urls.listed(part, SUMMARY):
                urls.download(f"{part}/{split}.ids", Path(folder, f"{split}.ids"))
            return merge_parts.read_ids([Path(folder)], split)


def opened(place: str) -> Exchange:
    return Url(place) if urls.is_url(place) else Folder(place)


@contextmanager
def mirrored(url: str) -> Iterator[Path]:
    """All but the shards, as a folder here: a few numbers and eight bytes a row."""
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        for pattern, depth in (("part-*/*", 2), ("part-*.error", 1)):
            for found in urls.listed(url, pattern):
                if not found.endswith(SUFFIX):
                    target = Path(folder, *found.split("/")[-depth:])
                    target.parent.mkdir(exist_ok=True)
                    urls.download(found, target)
        yield Path(folder)


def gather(url: str, mirror: Path, target: str, summaries: Sequence[Summary]) -> None:
    """As `assembly.gather`, between URLs; small shards are put together here."""
    directories = merge_parts.part_directories(mirror)
    for split in SPLITS:
        found = [
            f"{url}/{directory.name}/{name}"
            for directory, summary in zip(directories, summaries, strict=True)
            for name in summary.shards[split]
        ]
        groups = merge_parts.groups(found, lambda shard: int(urls.system_of(shard)[0].size(urls.system_of(shard)[1])))
        for number, group in enumerate(groups):
            _join(group, f"{target}/{split}/examples-{number:05d}-of-{len(groups):05d}{SUFFIX}")
    final = mirror / "final"
    merge_parts.gather_rejected(mirror, final)
    for path in final.rglob("*.jsonl"):
        urls.upload(path, f"{target}/rejected/{path.name}")


def _join(group: Sequence[str], whole: str) -> None:
    system, inside = urls.system_of(whole)
    system.makedirs(inside.rpartition("/")[0], exist_ok=True)
    if len(group) == 1:
        system.cp_file(urls.system_of(group[0])[1], inside)  # may be done twice; the parts go all at once in the end
        return
    system.pipe_file(inside, b"".join(system.cat_file(urls.system_of(shard)[1]) for shard in group))
