"""Where a run's rows come from: the task's sample, its real data, or the user's own files."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from components.reading.data_frames import read_frames
from components.reading.find_files import FilePart, divided, file_parts, read_file
from components.reading.headers import asked, renamed
from components.reading.picture_folders import PicturesPart, meant, picture_parts
from components.reading.raw_batch import Batch
from components.reading.tfds_source import TfdsPart, tfds_parts
from components.storage.local_paths import local_path, source_kind
from tasks import Feature, InputError, Part, Task

Source = Part | FilePart | PicturesPart | TfdsPart


def source_parts(task: Task, data: str, data_dir: str = "") -> list[Source]:
    """The parts of the data, each read by one worker; InputError if there are none."""
    parts = _parts(task, data, data_dir)
    if task.splits.by and (named := sorted({part.split for part in parts if part.split})):
        raise InputError(
            f"The data name their own splits ({', '.join(named)}), and the task splits its rows by {task.splits.by}. "
            "Expected one of both: data without, or a task without Splits(by=...)."
        )
    return parts


def _parts(task: Task, data: str, data_dir: str) -> list[Source]:
    kind = source_kind(data)
    if not data:
        raise InputError("The data must be 'sample', 'real', 'tfds:NAME', or a file or glob. Received: ''.")
    if data_dir and not Path(data_dir).is_dir():
        raise InputError(f"The data directory must be one that exists. Received: {data_dir!r}.")
    if kind == "tfds":
        return [*tfds_parts(task, data, data_dir)]
    if kind == "user":
        return [*(picture_parts(data) if meant(task.columns, data) else file_parts(data))]
    if kind == "sample":
        return list(task.sample())
    if task.real is None:
        raise InputError(
            "This task has no real data set. Expected 'sample', 'tfds:NAME', or a file or glob of your own."
        )
    real = task.real(Path(data_dir) if data_dir else None)
    return [*(tfds_parts(task, real, data_dir) if isinstance(real, str) else real)]


def snapshot(parts: Sequence[Source]) -> str:
    """The state of a source: it changes when a part comes, goes or has another content."""
    listed = "\n".join(f"{part.name}\t{part.version}\t{part.split or ''}" for part in parts)
    return hashlib.sha256(listed.encode("utf-8", errors="surrogateescape")).hexdigest()


def local_bytes(parts: Sequence[Source]) -> int:
    """How much of the source lies in files of this machine."""
    paths: set[str] = set()
    for part in parts:
        match part:
            case FilePart():
                paths.add(part.name)
            case PicturesPart():
                paths.update(part.paths)
            case TfdsPart():
                paths.add(part.path)
    return sum(path.stat().st_size for path in map(local_path, paths) if path.is_file())


def for_workers(parts: Sequence[Source], columns: Sequence[Feature]) -> list[Source]:
    """The parts, large files divided: always in the same way, so that any number of workers comes to the same."""
    needed, _ = asked(columns)
    return [piece for part in parts for piece in (divided(part, needed) if isinstance(part, FilePart) else [part])]


def part_batches(part: Source, columns: Sequence[Feature]) -> Iterator[Batch]:
    """The raw rows of one part, with all these columns under their names."""
    if isinstance(part, PicturesPart | TfdsPart):
        yield from part.batches(columns)
        return
    needed, optional = asked(columns)
    if isinstance(part, FilePart):
        batches = read_file(part.name, needed, optional, span=part.span)
    else:
        batches = read_frames(part.read(), part.name, needed, optional)
    yield from renamed(batches, columns)
