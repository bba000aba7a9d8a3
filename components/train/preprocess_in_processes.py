"""Many rows, preprocessed by processes side by side: each writes those of some shards to disk, for the trainer to map.

One process reads the records of its shards one after the other, and has little else to do meanwhile. Rows on disk are
read as fast as those in memory, and are there once, whoever has made them. Which rows a batch of the preprocessing
holds depends on the shards alone, so however many processes there are, the rows are the same.
"""

from __future__ import annotations

import functools
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import tensorflow as tf

from components import forked_workers, machine
from components.examples.parse import shards
from components.progress import say
from components.serving.preprocessing import Preprocessing
from components.storage import urls
from components.train import preprocessed_rows, rows_on_disk
from components.train.preprocessed_rows import Kept, Reader, Room
from tasks import Task, Train

# Of shards; fewer are read before a process has begun.
LARGE = 64 << 20
# What a process has to have room for.
WORKER_BYTES = 1 << 30


@dataclass(frozen=True)
class Part:
    """Shards next to each other, by their splits, and where their rows are written."""

    shards: tuple[tuple[str, str], ...]
    folder: Path


def prepare(
    task: Task, train: Train, transform_graph: str, examples: str, wanted: Sequence[tuple[str, ...]], folder: Path
) -> None:
    """Leave the rows of these splits where `preprocessed_rows.load` finds them, if they are many and all of numbers.

    Nothing is left where that cannot be: `load` reads them then, and says what is wrong with them.
    """
    if urls.is_url(examples) or at_work():
        return
    workers = machine.processes(WORKER_BYTES)
    parts: dict[Path, list[Part]] = {}
    for splits in wanted:
        target = folder / "+".join(splits)
        if not rows_on_disk.complete(target):  # an interrupted fit has left them
            parts[target] = list(_parts(examples, splits, workers, target))
    every = [part for some in parts.values() for part in some]
    if sum(_size(shard) for part in every for _, shard in part.shards) < LARGE:
        return
    work = functools.partial(_write, task, train, transform_graph)
    if all(forked_workers.each(work, every, workers, lambda *_: False)):
        for target, some in parts.items():
            _join(some, target)
    for target in parts:
        shutil.rmtree(_beside(target), ignore_errors=True)


def at_work() -> bool:
    """Whether TensorFlow has begun here, as a task's file can make it: what is forked then would stand still."""
    threads = tf.config.threading.get_intra_op_parallelism_threads()
    try:
        tf.config.threading.set_intra_op_parallelism_threads(threads + 1)
    except RuntimeError:
        return True
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    return False


def _parts(examples: str, splits: Sequence[str], count: int, target: Path) -> Iterator[Part]:
    """About as many bytes for each."""
    files = [(split, shard) for split in splits for shard in shards(examples, split)]
    sizes = np.array([_size(shard) for _, shard in files])
    cuts = np.searchsorted(np.cumsum(sizes) - sizes / 2, sizes.sum() * np.arange(1, count) / count)
    for number, (start, end) in enumerate(pairwise([0, *cuts, len(files)])):
        if start < end:
            yield Part(tuple(files[start:end]), _beside(target) / str(number))


def _beside(target: Path) -> Path:
    return target.with_name(f"{target.name}.parts")


def _size(shard: str) -> int:
    return Path(shard).stat().st_size


def _write(task: Task, train: Train, transform_graph: str, part: Part) -> bool:
    """In a process of its own; whether these are rows that can be mapped as they are."""
    tf.config.set_visible_devices([], "GPU")
    tf.config.threading.set_intra_op_parallelism_threads(1)
    preprocessing = Preprocessing(transform_graph)
    if not all(map(_of_numbers, tf.nest.flatten(preprocessing.outputs))):
        return False
    reader, kept, read = Reader(task, train, preprocessing, alone=False), Kept(Room(), part.folder, on_disk=True), 0
    for split, shard in part.shards:
        for batch in reader.batches([shard]):
            kept.add(batch)
            read += len(batch.label)
            say(f"preprocessing {split}, part {int(part.folder.name) + 1}: {read:,} rows")
    kept.close()
    return True


def _of_numbers(spec: tf.TypeSpec) -> bool:
    return isinstance(spec, tf.TensorSpec) and spec.dtype != tf.string


def _join(parts: Sequence[Part], target: Path) -> None:
    writer, skipped = rows_on_disk.Writer(target), 0
    for part in parts:
        skipped += writer.add_all(part.folder)["skipped"]
    if preprocessed_rows.LABEL in writer.about:
        writer.finish(sparse={}, skipped=skipped)
