"""Ingest: one Beam pass from a source to sharded tf.Examples, rows set aside, statistics and a fingerprint.

A worker reads a part of the source from beginning to end and writes its shards itself; only the parts' numbers travel
through Beam. On one machine Beam's one worker forks a process for each part of a large source: Beam's own processes
would import everything anew, and one that is killed leaves the others waiting. Nothing is final before every part is
done: until then `examples` holds one hidden directory.
"""

from __future__ import annotations

import functools
import hashlib
import json
import shutil
import traceback
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import apache_beam as beam
import numpy as np

import tasks
from components import beam_runners, forked_workers, machine
from components.beam_options import pipeline_options
from components.examples.statistics import Statistics
from components.ingest import merge_parts, row_dates, worker_exchange
from components.ingest.worker import Schema, Summary, write_part
from components.progress import say
from components.reading import assign_split
from components.reading.row_ids import RowSequence
from components.reading.source_rows import Source, for_workers, local_bytes
from components.reading.sources import snapshot, source_parts
from components.storage import atomic_files, urls
from components.storage.local_paths import source_kind
from tasks import InputError, Task
from tasks._splits import SPLITS
from transforms import iso_dates

UNFINISHED = ".unfinished"
# Smaller sources are read sooner than processes for them are started.
LARGE = 50_000_000
# What a process has to have room for.
WORKER_BYTES = 512 << 20
Made = TypeVar("Made")


class Ingested(NamedTuple):
    fingerprint: str
    rows: int
    rejected: int


def run(
    *,
    task: str,
    data: str,
    data_dir: str,
    snapshot: str,
    beam_args: list[str],
    examples: str,
    examples_uri: str = "",
    statistics: str,
) -> Ingested:
    definition = tasks.get(task)
    parts = source_parts(definition, data, data_dir)
    check_snapshot(parts, snapshot)
    place = urls.reachable(examples, examples_uri, beam_args)
    pieces = for_workers(parts, (*definition.features, definition.label))
    found = (ingest_to_url if urls.is_url(place) else ingest)(definition, pieces, place, beam_args)
    found["task"] = task
    named = [part.split for part in parts if part.split]
    found["splits"] = assign_split.rule(definition.features, definition.splits, named)
    found["source"] = {"kind": source_kind(data), "parts": len(parts), "snapshot": snapshot}
    atomic_files.write_json(statistics, found)
    return Ingested(found["fingerprint"], sum(found["rows"].values()), found["rejected"]["count"])


def check_snapshot(parts: Sequence[Source], expected: str) -> None:
    """A result must never be kept under the name of data that it was not made from."""
    if expected and snapshot(parts) != expected:
        raise RuntimeError("The data changed after the run had looked at it. Run again when nothing writes to it.")


def ingest(task: Task, parts: Sequence[Source], place: Path | str, beam_args: list[str]) -> dict[str, Any]:
    """Write the examples; the statistics, without what only the caller knows."""
    examples = Path(place)
    shutil.rmtree(examples, ignore_errors=True)
    folder = examples / UNFINISHED
    folder.mkdir(parents=True)
    schema = Schema.of(task)
    _run(schema, parts, str(folder), beam_args)
    found, summaries = _summed_up(schema, folder, len(parts))
    _finish(folder, examples, summaries)
    return found


def ingest_to_url(task: Task, parts: Sequence[Source], place: str, beam_args: list[str]) -> dict[str, Any]:
    """The same where workers and this process share nothing but an object store."""
    urls.clear(place)
    folder, schema = f"{place}/{UNFINISHED}", Schema.of(task)
    _run(schema, parts, folder, beam_args)
    with worker_exchange.mirrored(folder) as mirror:
        found, summaries = _summed_up(schema, mirror, len(parts))
        worker_exchange.gather(folder, mirror, place, summaries)
    urls.clear(folder)
    return found


def _summed_up(schema: Schema, folder: Path, parts: int) -> tuple[dict[str, Any], list[Summary]]:
    _raise_first(folder)
    summaries = merge_parts.load_summaries(schema, folder, parts)
    found = _statistics(schema, summaries)
    found["duplicates"] = {split: merge_parts.count_duplicates(folder, split) for split in SPLITS}
    return found, summaries


class _Part(beam.DoFn):
    """Does something with the parts of given numbers, several at a time where there are several workers."""

    def __init__(self, schema: Schema, parts: Sequence[Source], folder: str, workers: int) -> None:
        self.schema, self.parts, self.folder, self.workers = schema, parts, folder, workers

    def each(self, work: Callable[[int], Made], numbers: Sequence[int]) -> Iterator[Made | None]:
        if self.workers == 1:
            return map(work, numbers)
        return forked_workers.each(work, numbers, self.workers, self.died)

    def died(self, number: int, error: forked_workers.DiedError) -> None:
        place = worker_exchange.opened(self.folder)
        self.failed(place, place.attempt(number), number, error)

    def failed(self, place: worker_exchange.Exchange, attempt: Path, number: int, error: Exception) -> None:
        """Beam would bury it under its own: the sentence is kept for the end, the traceback goes to the log."""
        if not isinstance(error, InputError):
            traceback.print_exception(error)
        failure = {"input": isinstance(error, InputError), "what": _sentence(self.parts[number], error)}
        place.failed(attempt, number, failure)


class _Newest(_Part):
    """Finds the newest date of each part."""

    def process(self, numbers: list[int]) -> Iterator[int]:
        yield from (newest for newest in self.each(self.newest, numbers) if newest is not None)

    def newest(self, number: int) -> int | None:
        try:
            return row_dates.newest(self.schema.date, self.parts[number])
        except Exception as error:
            place = worker_exchange.opened(self.folder)
            self.failed(place, place.attempt(number), number, error)
            return None


class _Write(_Part):
    """Writes parts; `after` makes it wait for those that it must know."""

    def process(self, numbers: list[int], after: list[int], newest: list[int]) -> Iterator[int]:
        write = functools.partial(self.write, official=self._official(after), latest=max(newest, default=None))
        for _ in self.each(write, numbers):
            pass
        yield from numbers

    def write(self, number: int, official: dict[str, np.ndarray], latest: int | None) -> None:
        place = worker_exchange.opened(self.folder)
        attempt = place.attempt(number)
        try:
            write_part(self.schema, self.parts[number], attempt, official, latest)
        except Exception as error:
            self.failed(place, attempt, number, error)
        else:
            place.done(attempt, number)

    def _official(self, numbers: list[int]) -> dict[str, Any]:
        ids = {}
        for split in ("test", "eval"):
            named = [number for number in sorted(numbers) if self.parts[number].split == split]
            place = worker_exchange.opened(self.folder)
            found = [np.empty(0, np.uint64), *(place.ids(number, split) for number in named)]
            ids[split] = np.unique(np.concatenate(found))
        return ids


def _run(schema: Schema, parts: Sequence[Source], folder: str, beam_args: list[str]) -> None:
    """The official test parts first, then official evaluation parts, then all others."""
    workers = _workers(parts, beam_args)
    together = f" in {workers} processes" if workers > 1 else ""
    say(f"reading {parts[0].name if len(parts) == 1 else f'{len(parts)} parts'}{together}")
    stages: dict[str, list[int]] = {"test": [], "eval": [], "others": []}
    for number, part in enumerate(parts):
        stages[part.split if part.split in ("test", "eval") else "others"].append(number)
    with beam.Pipeline(options=pipeline_options(beam_args)) as pipeline:
        after = newest = pipeline | "nothing before" >> beam.Create([], reshuffle=False)
        if schema.splits.moves:
            numbered = pipeline | "all parts" >> beam.Create(_shared([*range(len(parts))], workers))
            newest = numbered | "newest rows" >> beam.ParDo(_Newest(schema, parts, folder, workers))
        for stage, numbers in stages.items():
            if numbers:
                written = (
                    pipeline
                    | f"{stage} parts" >> beam.Create(_shared(numbers, workers))
                    | f"write {stage} parts"
                    >> beam.ParDo(
                        _Write(schema, parts, folder, workers), beam.pvalue.AsList(after), beam.pvalue.AsList(newest)
                    )
                )
                after = (after, written) | f"{stage} done" >> beam.Flatten()


def _workers(parts: Sequence[Source], beam_args: list[str]) -> int:
    """How many processes read the parts here."""
    if not beam_runners.unnamed(beam_args) or local_bytes(parts) < LARGE:
        return 1
    return min(machine.processes(WORKER_BYTES), len(parts))


def _shared(numbers: list[int], workers: int) -> list[list[int]]:
    """As one element for processes of our own; else one by one, for Beam to spread."""
    return [numbers] if workers > 1 else [[number] for number in numbers]


def _sentence(part: Source, error: Exception) -> str:
    if isinstance(error, InputError):
        return str(error)
    return f"{part.name} could not be ingested: {str(error) or type(error).__name__}"


def _raise_first(folder: Path) -> None:
    for path in sorted(folder.glob("part-*.error")):
        failure = atomic_files.read_json(path)
        shutil.rmtree(folder)
        raise (InputError if failure["input"] else RuntimeError)(failure["what"])


def _statistics(schema: Schema, summaries: Sequence[Summary]) -> dict[str, Any]:
    merged, sequences = Statistics(schema.columns), {split: RowSequence() for split in SPLITS}
    for summary in summaries:
        merged.merge(summary.statistics)
        for split, sequence in sequences.items():
            sequence.join(summary.sequences[split])
    found = merged.summary()
    content = {
        "sequences": {split: sequence.bits for split, sequence in sequences.items()},
        "rows": found["rows"],
        "columns": [[column.name, type(column).__name__] for column in schema.columns],
    }
    if dates := summaries[0].dates:
        found["split_dates"] = {name: iso_dates.written(day) for name, day in zip(("eval", "test"), dates, strict=True)}
    found["fingerprint"] = hashlib.sha256(json.dumps(content).encode()).hexdigest()
    return found


def _finish(folder: Path, examples: Path, summaries: Sequence[Summary]) -> None:
    final = folder / "final"
    merge_parts.gather(folder, final, summaries)
    atomic_files.sync_tree(final)
    for directory in sorted(final.iterdir()):
        directory.rename(examples / directory.name)
    shutil.rmtree(folder)
    atomic_files.sync_directory(examples)
