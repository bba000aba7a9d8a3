"""Raw rows in, predictions of a pushed version out: one answer a row, in the rows' order."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import BinaryIO, TextIO

import numpy as np
import pyarrow as pa

import tasks
from components.predict import input_files, write_answers
from components.predict.write_answers import Csv, JsonLines, Parquet, Part
from components.reading.check_rows import check
from components.reading.raw_batch import Batch
from components.reading.text_and_pictures import Pictures
from components.serving import versions
from components.serving.pushed_model import RawModel
from components.storage import atomic_files
from tasks import Image, InputError, Task

WRITERS: dict[str, type[JsonLines | Parquet | Csv]] = {
    ".csv": Csv,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".json": JsonLines,
    ".parquet": Parquet,
    ".pq": Parquet,
}
# Between two words about how far it is.
SECONDS = 2.0


def run(
    *,
    task: str,
    given: Sequence[str],
    serving: str,
    version: int | None,
    output: Path | None,
    stdout: BinaryIO,
    key: str = "",
    with_inputs: bool = False,
) -> tuple[int, int]:
    """Answer every row; gives the number of rows, and of those that could not be answered.

    Before its answer each row has the column `key` of its file, and with inputs what was asked.
    """
    definition = tasks.get(task)
    names = input_files.named(definition, given)
    if output is not None:
        check_output(output, names)
    told = told_columns(definition, key, with_inputs)
    batches = input_files.batches(definition, names, [key] if key else [])
    with versions.fetched(versions.numbered(serving, task, version)) as path:
        first = list(islice(batches, 1))  # what cannot be read is told before TensorFlow is loaded
        if not first and output is None:
            return 0, 0
        model = RawModel(path, definition)
        several = input_files.several(given, names)
        with writer(output, stdout) as out:
            progress = Progress(sys.stderr)
            for batch in chain(first or [no_rows(definition)], batches):
                part = answered(definition, model, batch, several, told)
                out.write(part)
                progress.add(len(part.order), len(part.errors))
        progress.end()
    return progress.rows, progress.bad


def no_rows(task: Task) -> Batch:
    """A Parquet file has its columns even so."""
    columns = {feature.name: pa.nulls(0) for feature in task.features}
    return Batch(columns=columns, numbers=np.empty(0, np.int64), source="")


def told_columns(task: Task, key: str, with_inputs: bool) -> list[str]:
    """What stands before each answer; InputError where an answer has a field of that name."""
    inputs = [f.name for f in task.features if not isinstance(f, Image)] if with_inputs else []
    told = list(dict.fromkeys([*([key] if key else []), *inputs]))
    if taken := {"class", "error", "file", "prediction", "probabilities"}.intersection(told):
        raise InputError(f"The column {taken.pop()!r} has the name of a part of the answer. Rename it in the file.")
    return told


def answered(task: Task, model: RawModel, batch: Batch, several: bool, told: Sequence[str] = ()) -> Part:
    """The answers to a batch and, each in its place, the errors."""
    rows = check(task.features, None, batch)
    columns = write_answers.named(task, model(rows))
    fine = write_answers.finite(columns)
    rejected, numbers = list(rows.rejected), rows.numbers
    if not fine.all():
        rejected += [
            batch.reject(int(np.searchsorted(batch.numbers, number)), "the model's answer is not a finite number", "")
            for number in numbers[~fine].tolist()
        ]
        columns, numbers = write_answers.kept(columns, fine), numbers[fine]
    everything = np.concatenate([numbers, np.array([row.number for row in rejected], np.int64)])
    order = np.argsort(everything, kind="stable")
    return Part(
        columns=columns,
        errors=[f"{row.position}: {row.sentence}" for row in rejected],
        order=order,
        told=_told(batch, everything[order], several, told),
    )


def _told(batch: Batch, numbers: np.ndarray, several: bool, names: Sequence[str]) -> dict[str, pa.Array]:
    """In the rows' order; null for a line that is no row."""
    at = np.searchsorted(batch.numbers, numbers)
    known = np.append(batch.numbers, -1)[at] == numbers
    places = pa.array(at, pa.int64(), mask=~known)
    absent = pa.nulls(len(batch), pa.string())
    columns = {name: batch.columns.get(name, absent).take(places) for name in names}
    if not several:
        return columns
    files = [batch.names[at - 1] if isinstance(batch, Pictures) else batch.source for at in numbers.tolist()]
    return {"file": pa.array(files, pa.string()), **columns}


def check_output(output: Path, names: Sequence[str]) -> None:
    """InputError, before anything is asked, if the answers cannot be meant to go there."""
    if output.suffix.lower() not in WRITERS:
        raise InputError(
            f"The output is a file of JSON lines, CSV or Parquet: *{', *'.join(WRITERS)}. Received: {output}."
        )
    if ":/" in str(output):
        raise InputError(f"The output must be a file on this machine. Received: {output}.")
    if not output.parent.is_dir():
        raise InputError(f"There is no directory {str(output.parent)!r} to write {output.name} to.")
    if output.exists() and not output.is_file():
        raise InputError(f"{output} exists and is no plain file. Expected a file to replace, or a new one.")
    if any(Path(name).exists() and output.exists() and output.samefile(name) for name in names):
        raise InputError(f"{output} is among the files to read. Expected another file for the answers.")


@contextmanager
def writer(output: Path | None, stdout: BinaryIO) -> Iterator[JsonLines | Parquet | Csv]:
    """Where answers go; a file appears, or is replaced, when the last one is written."""
    if output is None:
        out: JsonLines | Parquet | Csv = JsonLines(stdout)
        yield out
        out.close()
        return
    try:
        with atomic_files.replacing(output) as file:
            out = WRITERS[output.suffix.lower()](file)
            yield out
            out.close()
    except OSError as error:
        raise RuntimeError(
            f"{output} cannot be written: {error.strerror or error}. Nothing half-written is left, and a file that was "
            "there before is as it was."
        ) from error


class Progress:
    """Says every two seconds how far it is, and in the end once more if it has said so before."""

    def __init__(self, stream: TextIO) -> None:
        self.rows = self.bad = 0
        self._stream = stream
        self._started = self._said = time.monotonic()

    def add(self, rows: int, bad: int) -> None:
        self.rows, self.bad = self.rows + rows, self.bad + bad
        if time.monotonic() - self._said > SECONDS:
            self._said = time.monotonic()
            self._say()

    def end(self) -> None:
        if self._said != self._started:
            self._say()

    def _say(self) -> None:
        rate = self.rows / (time.monotonic() - self._started)
        errors = f", {self.bad:,} of them with errors" if self.bad else ""
        print(f"{self.rows:,} rows{errors}, {rate:,.0f} a second", file=self._stream, flush=True)
