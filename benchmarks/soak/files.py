"""A mutated file: it is refused in a sentence, or every row of it is a good one or set aside, within a time limit."""

from __future__ import annotations

import gzip
import json
import random
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

import tasks
from components.examples.encode import encode
from components.examples.tfrecord import framed
from components.ingest.worker import SUMMARY, Schema, write_part
from components.reading.check_rows import check
from components.reading.data_frames import read_frames
from components.reading.find_files import file_parts
from tasks import InputError, Task

TASK, ROWS, SECONDS = "auto_mpg", 300, 30
NOBODY = {"test": np.empty(0, np.uint64), "eval": np.empty(0, np.uint64)}


def case(seed: int, place: Path) -> str:
    generator, task = random.Random(seed), tasks.get(TASK)
    name = generator.choice(["x.csv", "x.csv.gz", "x.jsonl", "x.jsonl.gz", "x.parquet", "x.tfrecord", "x.tfrecord.gz"])
    frame = pd.concat(list(task.sample()[0].read()), ignore_index=True)[:ROWS]
    content = written(name, frame, task, place)
    done = []
    for _ in range(generator.choice([1, 1, 2, 5, 20])):
        mutation = generator.choice(MUTATIONS)
        content = mutation(content, generator)
        done.append(mutation.__name__)
    (place / name).write_bytes(content)
    told = f"{name}, {len(done)} x {sorted(set(done))}"
    with at_most(SECONDS):
        try:
            [part] = file_parts(str(place / name))
            (place / "out").mkdir()
            read = write_part(Schema.of(task), part, place / "out", NOBODY)
        except InputError as error:
            refused = str(error)
        else:
            refused = ""
    if refused:
        assert refused.endswith((".", "?")), f"no sentence: {refused}"
        return f"{told}: refused"
    statistics = json.loads((place / "out" / SUMMARY).read_text())["statistics"]
    good, aside = sum(statistics["rows"].values()), statistics["aside"]["count"]
    assert good + aside == read, f"{read} rows were read: {good} good, {aside} set aside"
    assert sum(statistics["aside"]["reasons"].values()) == aside
    if len(done) == 1 and done[0] == "flip" and name in ("x.jsonl", "x.tfrecord"):
        assert good >= ROWS - 2, f"one byte cost {ROWS - good} rows"
    return f"{told}: {good} good, {aside} set aside"


def written(name: str, frame: pd.DataFrame, task: Task, place: Path) -> bytes:
    """The rows in the format that the name says."""
    match name.removesuffix(".gz"):
        case "x.csv":
            content = frame.to_csv(index=False).encode()
        case "x.jsonl":
            content = frame.to_json(orient="records", lines=True).encode()
        case "x.parquet":
            frame.to_parquet(place / "whole.parquet")
            content = (place / "whole.parquet").read_bytes()
        case _:
            [batch] = read_frames([frame], "frame", [column.name for column in task.columns])
            rows = check(task.features, task.label, batch)
            content = framed(encode(rows.columns, rows.ids))
    return gzip.compress(content, mtime=0) if name.endswith(".gz") else content


def flip(content: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(content) or 1)
    return content[:at] + bytes([generator.randrange(256)]) + content[at + 1 :]


def cut(content: bytes, generator: random.Random) -> bytes:
    return content[: generator.randrange(len(content) + 1)]


def insert(content: bytes, generator: random.Random) -> bytes:
    at = generator.randrange(len(content) + 1)
    odd = [b'"', b"\n", b"\r", b"\0" * 50, b"\xff\xfe", "٣".encode(), b"1e400", b",,", b"{", b"\n" * 5000, b"[" * 3000]
    return content[:at] + generator.choice(odd) + content[at:]


def double(content: bytes, generator: random.Random) -> bytes:
    start = generator.randrange(len(content) + 1)
    end = min(len(content), start + generator.randrange(4000))
    return content[:end] + content[start:]


def blank(content: bytes, generator: random.Random) -> bytes:
    """As a disk that lost a block."""
    start = generator.randrange(len(content) + 1)
    end = min(len(content), start + 512)
    return content[:start] + b"\0" * (end - start) + content[end:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (flip, cut, insert, double, blank)


@contextmanager
def at_most(seconds: int) -> Iterator[None]:
    def stop(*_: object) -> None:
        raise TimeoutError(f"not done after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)
