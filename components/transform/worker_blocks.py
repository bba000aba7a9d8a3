"""The analysis where workers and this process share nothing but an object store to which TensorFlow cannot write.

tf.Transform's workers hand each other files through TensorFlow. Here each analyses whole shards by itself instead, and
leaves what came of them at the store as a block (`kept_analyses.py`); this process puts the blocks together.
"""

from __future__ import annotations

import functools
import tempfile
import threading
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path

import apache_beam as beam
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from apache_beam.metrics import Metrics

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
# Shards, by what names them in a block.
Group = dict[str, str]
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
    found = kept_analyses.plan(files, place)
    new = list(_groups(sorted(found.new.items(), key=lambda span: span[1])))
    groups = [*new, *_groups((shard, shard) for shard in found.open)]
    say(f"analysing {len(found.new) + len(found.open)} of {len(files)} shards, in {len(groups)} groups")
    with beam.Pipeline(options=pipeline_options(beam_args)) as pipeline:
        make = functools.partial(_make_block, task, preprocess, scratch)
        _ = pipeline | "groups of shards" >> beam.Create(groups) | "make blocks" >> beam.Map(make)
    with tempfile.TemporaryDirectory(prefix="sluice-") as folder:
        made = [kept_analyses.block_of(scratch, group) for group in groups]
        copies = _copied([*made, *found.kept], Path(folder))
        for group, copy in zip(new, copies, strict=False):
            kept_analyses.keep(place, group, kept_analyses.read(copy))
        _merge(task, preprocess, copies, output)
    urls.clear(scratch)
    return rows_read(pipeline)


def _groups(named: Iterable[tuple[str, str]]) -> Iterator[Group]:
    """Neighbours together."""
    spans = list(named)
    waiting, size = iter(spans), -(-len(spans) // BLOCKS)
    while group := dict(islice(waiting, size)):
        yield group


def _make_block(task: Task, preprocess: Preprocess, scratch: str, group: Group) -> None:
    """A pipeline within a worker: in a thread of its own, for Beam's counters know their pipeline by the thread."""
    with _one_at_a_time, ThreadPoolExecutor(1) as thread:
        rows = thread.submit(_analyse_here, task, preprocess, scratch, group).result()
    Metrics.counter("sluice", READ).inc(rows)


def _analyse_here(task: Task, preprocess: Preprocess, scratch: str, group: Group) -> int:
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
