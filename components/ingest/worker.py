"""One worker's share of ingest: a part of the source to shards, rows set aside, statistics and row ids."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np

from components.examples.encode import encode
from components.examples.rejected import SetAside
from components.examples.statistics import Statistics
from components.examples.tfrecord import RecordWriter
from components.ingest import row_dates
from components.progress import say
from components.reading.assign_split import splits_by_date, splits_of
from components.reading.check_rows import Rows, check
from components.reading.row_ids import RowSequence, mix, value_bits
from components.reading.source_rows import Source, part_batches
from tasks import Category, Date, Feature, Number, Splits, Task
from tasks._splits import SPLITS

# A shard is closed when it holds so many bytes before compression, so that readers can share a large split.
SHARD_BYTES = 256 << 20
SECONDS = 2.0
# Characters that are kept of a row set aside.
LONGEST = 100_000
SUMMARY = "summary.json"


@dataclass(frozen=True)
class Schema:
    """What of a task ingest needs to know; it travels to the workers."""

    features: tuple[Feature, ...]
    label: Number | Category
    splits: Splits

    @classmethod
    def of(cls, task: Task) -> Schema:
        return cls(task.features, task.label, task.splits)

    @property
    def columns(self) -> tuple[Feature, ...]:
        return (*self.features, self.label)

    @property
    def date(self) -> Date:
        """By which the rows are split."""
        return next(column for column in self.features if isinstance(column, Date) and column.name == self.splits.by)


@dataclass
class Summary:
    """What a part leaves behind besides its shards: small, whatever the number of rows."""

    statistics: Statistics
    sequences: dict[str, RowSequence] = field(default_factory=lambda: {split: RowSequence() for split in SPLITS})
    shards: dict[str, list[str]] = field(default_factory=lambda: {split: [] for split in SPLITS})
    dates: tuple[int, int] | None = None

    def state(self) -> dict[str, Any]:
        """Plain data, so that reading it back runs nothing that whoever may write there has put in."""
        sequences = {split: [rows.bits, rows.count] for split, rows in self.sequences.items()}
        statistics = self.statistics.state()
        return {"statistics": statistics, "sequences": sequences, "shards": self.shards, "dates": self.dates}

    @classmethod
    def of(cls, columns: Sequence[Feature], state: Mapping[str, Any]) -> Summary:
        shards: Mapping[str, list[str]] = state["shards"]
        if strange := [name for names in shards.values() for name in names if Path(name).name != name]:
            raise ValueError(f"A part's shards lie beside its summary. Received: {strange[0]!r}.")
        sequences: dict[str, RowSequence] = {split: RowSequence(*state["sequences"][split]) for split in SPLITS}
        dates = tuple(state["dates"]) if state["dates"] else None
        return cls(Statistics.of(columns, state["statistics"]), sequences, dict(shards), dates)


class PartWriter:
    """Writes one part's rows below its own directory."""

    def __init__(self, schema: Schema, directory: Path, stack: ExitStack) -> None:
        self.schema = schema
        self.directory = directory
        self.summary = Summary(Statistics(schema.columns))
        self._stack = stack
        self._open: dict[str, RecordWriter] = {}
        self._rejected: IO[bytes] | None = None
        self._ids = {split: stack.enter_context((directory / f"{split}.ids").open("wb")) for split in SPLITS}

    def write(self, rows: Rows, splits: np.ndarray) -> None:
        self.reject(rows.aside)
        self.summary.statistics.add(splits, rows.columns)
        content = mix(rows.ids ^ mix(value_bits(rows.columns[self.schema.label.name])))
        records = encode(rows.columns, rows.ids)
        for number, split in enumerate(SPLITS):
            chosen = np.flatnonzero(splits == number)
            if len(chosen):
                self.summary.sequences[split].add(content[chosen])
                self._ids[split].write(rows.ids[chosen].tobytes())
                self._writer(split).write([records[index] for index in chosen.tolist()])

    def reject(self, groups: Sequence[SetAside]) -> None:
        """Count all of them, and keep the first of each reason, so that no source makes more than it has."""
        rows = self.summary.statistics.aside.add(groups)
        if rows and self._rejected is None:
            self._rejected = self._stack.enter_context((self.directory / "rejected.jsonl").open("wb"))
        for row in rows:
            line = json.dumps(
                {"position": row.position, "reason": row.sentence, "row": _cut(row.row)}, ensure_ascii=False
            )
            assert self._rejected is not None
            self._rejected.write(line.encode("utf-8", errors="backslashreplace") + b"\n")

    def finish(self) -> None:
        """After the last row: what is left to say about the part."""
        self.summary.statistics.compact()
        (self.directory / SUMMARY).write_text(json.dumps(self.summary.state()))

    def _writer(self, split: str) -> RecordWriter:
        writer = self._open.get(split)
        if writer is None or writer.bytes > SHARD_BYTES:
            if writer is not None:
                writer.close()
            names = self.summary.shards[split]
            names.append(f"{split}-{len(names):05d}.tfrecord.gz")
            writer = self._open[split] = self._stack.enter_context(RecordWriter(self.directory / names[-1]))
        return writer


def write_part(
    schema: Schema, part: Source, directory: Path, official: dict[str, np.ndarray], latest: int | None = None
) -> int:
    """Read, check, split and write one part.

    `official` are the sorted ids of rows that stand in official splits; `latest` is the newest date of all parts, where
    a split by time needs to know it.
    """
    read, next_word, by = 0, time.monotonic() + SECONDS, schema.splits.by
    with ExitStack() as stack:
        writer = PartWriter(schema, directory, stack)
        writer.summary.dates = dates = schema.splits.dates(latest or 0) if by else None
        for batch in part_batches(part, schema.columns):
            rows = check(schema.features, schema.label, batch)
            if dates:
                rows = row_dates.dated(by, rows, batch, latest)
                splits = splits_by_date(rows.columns[by], dates)
            else:
                splits = split_rows(schema.splits, part.split, rows.ids)
            writer.write(*without_official(rows, splits, official, batch))
            read += len(batch) + sum(len(group.numbers) for group in batch.no_rows())
            if time.monotonic() > next_word:
                say(f"{read:,} rows of {part.name}")
                next_word = time.monotonic() + SECONDS
    writer.finish()
    return read


def split_rows(splits: Splits, given: str | None, ids: np.ndarray) -> np.ndarray:
    """The number of each row's split: by its hash alone, within what the part names."""
    if given in ("eval", "test"):
        return np.full(len(ids), SPLITS.index(given), np.int8)
    train, held_out, test = splits.shares
    return splits_of(ids, (train, held_out, 0.0 if given == "train" else test))


def without_official(
    rows: Rows, splits: np.ndarray, official: dict[str, np.ndarray], batch: Any
) -> tuple[Rows, np.ndarray]:
    """Set aside the rows that also stand in an official split which is not theirs."""
    taken: dict[int, str] = {}
    for split, ids in official.items():
        if len(ids):
            found = ids[np.minimum(np.searchsorted(ids, rows.ids), len(ids) - 1)] == rows.ids
            taken |= dict.fromkeys(np.flatnonzero(found & (splits != SPLITS.index(split))).tolist(), split)
    if not taken:
        return rows, splits
    keep = np.ones(len(rows), bool)
    keep[list(taken)] = False
    at = np.searchsorted(batch.numbers, rows.numbers)
    which = np.array([taken.get(index, "") for index in range(len(rows))])
    aside = [
        batch.set_aside(f"also in the {split} split", at[which == split], lambda _: "") for split in set(taken.values())
    ]
    return rows.only(keep, aside), splits[keep]


def _cut(row: str) -> str:
    return row if len(row) <= LONGEST else f"{row[:LONGEST]}… and {len(row) - LONGEST:,} more characters"
