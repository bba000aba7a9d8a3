"""The rows of a run's source, part by part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from components.reading.data_frames import read_frames
from components.reading.find_files import FilePart, divided, read_file
from components.reading.headers import asked, renamed
from components.reading.picture_folders import PicturesPart
from components.reading.raw_batch import Batch
from components.reading.tfds_source import TfdsPart
from components.storage.local_paths import local_path
from tasks import Feature, Part

Source = Part | FilePart | PicturesPart | TfdsPart


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
