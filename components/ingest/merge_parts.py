"""What the workers of ingest wrote, put together: shards under their final names, statistics, counts of duplicates."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np

from components.examples.tfrecord import FULL_BYTES, SUFFIX
from components.ingest.worker import SUMMARY, Schema, Summary
from tasks._splits import SPLITS

# Row ids are compared so many at a time.
IDS = 4_000_000
Shard = TypeVar("Shard", Path, str)


def part_name(number: int) -> str:
    """Wide enough that the names of any number of parts sort as the numbers do."""
    return f"part-{number:09d}"


def part_directories(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("part-*") if path.is_dir())


def load_summaries(schema: Schema, folder: Path, parts: int) -> list[Summary]:
    """One for each part, in the order of the parts; none may be missing."""
    found = [part for part in part_directories(folder) if (part / SUMMARY).exists()]
    if differing := {part_name(number) for number in range(parts)} ^ {part.name for part in found}:
        raise RuntimeError(
            f"The workers did not leave behind each part of the data once. Expected {parts} parts. "
            f"Received: {len(found)}, and the first that differs is {min(differing)}. Run again."
        )
    return [Summary.of(schema.columns, json.loads((part / SUMMARY).read_bytes())) for part in found]


def read_ids(directories: Iterable[Path], split: str) -> np.ndarray:
    """The row ids of a split in some parts, sorted."""
    paths = [directory / f"{split}.ids" for directory in directories]
    return np.unique(
        np.concatenate([np.empty(0, np.uint64), *(np.fromfile(p, np.uint64) for p in paths if p.exists())])
    )


def count_duplicates(folder: Path, split: str) -> int:
    """How many rows of a split stand in it already, counted slice by slice of the ids in bounded memory."""
    files = [part / f"{split}.ids" for part in part_directories(folder)]
    files = [file for file in files if file.stat().st_size]
    total = sum(file.stat().st_size // 8 for file in files)
    slices = max(total // IDS, 1)
    distinct = 0
    for number in range(slices):
        chosen = [ids[ids % np.uint64(slices) == number] for file in files for ids in _pieces(file)]
        distinct += _distinct(np.concatenate(chosen)) if chosen else 0
    return total - distinct


def _distinct(ids: np.ndarray) -> int:
    """As len(np.unique(ids)), in a twentieth of its time."""
    ids.sort()
    return int(len(ids) > 0) + int(np.count_nonzero(ids[1:] != ids[:-1]))


def _pieces(file: Path) -> Iterable[np.ndarray]:
    mapped = np.memmap(file, np.uint64, mode="r")
    for start in range(0, len(mapped), IDS):
        yield np.asarray(mapped[start : start + IDS])


def gather(folder: Path, target: Path, summaries: Sequence[Summary]) -> None:
    """Move the shards of all parts, and the rows set aside, to their final names below `target`."""
    directories = part_directories(folder)
    for split in SPLITS:
        found = [
            directory / name
            for directory, summary in zip(directories, summaries, strict=True)
            for name in summary.shards[split]
        ]
        _move(found, target / split, "examples", SUFFIX)
    gather_rejected(folder, target)


def gather_rejected(folder: Path, target: Path) -> None:
    directories = part_directories(folder)
    aside = [directory / "rejected.jsonl" for directory in directories if (directory / "rejected.jsonl").exists()]
    _move(aside, target / "rejected", "rejected", ".jsonl")


def _move(found: Sequence[Path], target: Path, stem: str, suffix: str) -> None:
    target.mkdir(parents=True)
    grouped = groups(found, lambda path: path.stat().st_size)
    for number, group in enumerate(grouped):
        whole = target / f"{stem}-{number:05d}-of-{len(grouped):05d}{suffix}"
        group[0].rename(whole)
        if len(group) > 1:
            with whole.open("ab") as file:
                for path in group[1:]:
                    with path.open("rb") as more:
                        shutil.copyfileobj(more, file, 1 << 20)


def groups(found: Sequence[Shard], size_of: Callable[[Shard], int]) -> list[list[Shard]]:
    """Neighbours together as long as they are small: what comes after them changes none but the last group."""
    grouped: list[list[Shard]] = []
    size = FULL_BYTES
    for shard in found:
        bytes_ = size_of(shard)
        if size + bytes_ > FULL_BYTES:
            grouped.append([])
            size = 0
        grouped[-1].append(shard)
        size += bytes_
    return grouped
