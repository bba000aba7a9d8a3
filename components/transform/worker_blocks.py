"""The analysis in pieces: several processes analyse whole shards, each by itself, and one puts them together.

So it is where workers and this process share nothing but an object store to which TensorFlow cannot write, while
tf.Transform's workers hand each other files through TensorFlow; and so the processes of one machine share large data.
What comes of some shards is a block (`kept_analyses.py`).
"""

from __future__ import annotations

import functools
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from apache_beam.metrics import Metrics

from components import forked_workers, machine
from components.beam_options import pipeline_options
from components.examples.parse import shards
from components.progress import say
from components.storage import urls
from components.transform import kept_analyses
from components.transform.beam_analysis import READ, Preprocess, by_spans, rows_read, running
from components.transform.kept_analyses import Spans
from tasks import Task

# At most so many, however many workers there are: the same data come to the same blocks. Each costs a pass.
BLOCKS = 64
# What one block is made of on one machine: many times as much as is read while a block's graph is traced.
BLOCK_BYTES = 32 << 20
# What a process has to have room for.
WORKER_BYTES = 1 << 30
# Shards, by what names them in a block.
Group = dict[str, str]
# Whether a group takes one more shard, of so many.
Takes = Callable[[Group, str, int], bool]
_one_at_a_time = threading.Lock()


def tensorflow_writes(place: str) -> bool:
    """Whether TensorFlow has a file system for it."""
    if not urls.is_url(place):
        return True
    try:
        tf.io.gfile.exists(place)
    except tf.errors.UnimplementedError:
        return False
    return True


def analyse(
    task: Task, preprocess: Preprocess, examples: str, shared: str, output: str, beam_args: list[str], place: str
) -> int:
    """Write the transform graph to `output`, of this machine; gives the number of rows that were read for it."""
    files, scratch = shards(examples, "train"), f"{shared}/.scratch"

    def make(groups: list[Group]) -> int:
        with beam.Pipeline(options=pipeline_options(beam_args)) as pipeline:
            work = functools.partial(_make_block, task, preprocess, scratch)
            _ = pipeline | "groups of shards" >> beam.Create(groups) | "make blocks" >> beam.Map(work)
        return rows_read(pipeline)

    def few(group: Group, _: str, of: int) -> bool:
        return len(group) < -(-of // BLOCKS)

    rows = _analyse(task, preprocess, files, scratch, output, place, few, make)
    urls.clear(scratch)
    return rows


def analyse_here(task: Task, preprocess: Preprocess, examples: str, output: str, place: str) -> int:
    """The same by processes of this machine: however many, the blocks are the same. TensorFlow must not be at work."""
    files = shards(examples, "train")
    sizes = {file: Path(file).stat().st_size for file in files}
    workers = machine.processes(WORKER_BYTES)

    def small(group: Group, shard: str, _: int) -> bool:
        return sum(sizes[one] for one in group.values()) + sizes[shard] <= BLOCK_BYTES

    def died(group: Group, error: Exception) -> int:
        raise RuntimeError(f"The analysis of {len(group)} shards, from {min(group.values())} on, failed: {error}")

    with tempfile.TemporaryDirectory(prefix="sluice-") as scratch:

        def make(groups: list[Group]) -> int:
            work = functools.partial(_analyse_group, task, preprocess, scratch)
            rows = 0
            for done, read in enumerate(forked_workers.each(work, groups, workers, died), start=1):
                rows += read
                say(f"analysed {done} of {len(groups)} groups of shards, {rows:,} rows")
            return rows

        return _analyse(task, preprocess, files, scratch, output, place, small, make)


def _analyse(
    task: Task,
    preprocess: Preprocess,
    files: Sequence[str],
    scratch: str,
    output: str,
    place: str,
    takes: Takes,
    make: Callable[[list[Group]], int],
) -> int:
    """`make` leaves a block of each group in `scratch`."""
    found = kept_analyses.plan(files, place)
    new = list(_groups(sorted(found.new.items(), key=lambda span: span[1]), takes))
    groups = [*new, *_groups([(shard, shard) for shard in found.open], takes)]
    say(f"analysing {len(found.new) + len(found.open)} of {len(files)} shards, in {len(groups)} groups")
    rows = make(groups)
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        made = [kept_analyses.block_of(scratch, group) for group in groups]
        copies = _copied([*made, *found.kept], Path(folder))
        for group, copy in zip(new, copies, strict=False):
            kept_analyses.keep(place, group, kept_analyses.read(copy))
        _merge(task, preprocess, copies, output)
    return rows


def _groups(spans: Sequence[tuple[str, str]], takes: Takes) -> Iterator[Group]:
    """Neighbours together."""
    group: Group = {}
    for content, shard in spans:
        if group and not takes(group, shard, len(spans)):
            yield group
            group = {}
        group[content] = shard
    if group:
        yield group


def _make_block(task: Task, preprocess: Preprocess, scratch: str, group: Group) -> None:
    """A pipeline within a worker: in a thread of its own, for Beam's counters know their pipeline by the thread."""
    with _one_at_a_time, ThreadPoolExecutor(1) as thread:
        rows = thread.submit(_analyse_group, task, preprocess, scratch, group).result()
    Metrics.counter("sluice", READ).inc(rows)


def _analyse_group(task: Task, preprocess: Preprocess, scratch: str, group: Group) -> int:
    with running([], "") as pipeline:
        by_spans(pipeline, task, preprocess, Spans((), group, ()), scratch)
    return rows_read(pipeline)


def _copied(blocks: Sequence[str], folder: Path) -> list[str]:
    """Here, since each is looked into many times."""
    copies = [folder / f"{number:06}" for number in range(len(blocks))]
    for block, copy in zip(blocks, copies, strict=True):
        urls.download(block, copy)
    return [str(copy) for copy in copies]


def _merge(task: Task, preprocess: Preprocess, blocks: Sequence[str], output: str) -> None:
    """In the order given, so that moments come to the same last bits each time."""
    with running([], output) as pipeline:
        transform_fn = by_spans(pipeline, task, preprocess, Spans(tuple(blocks), {}, ()), "")
        _ = transform_fn | "write" >> tft_beam.WriteTransformFn(output)
