"""What analysing only new shards saves: python benchmarks/analysis.py"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import pyarrow as pa

import tasks
from components.examples.encode import encode
from components.examples.tfrecord import RecordWriter
from components.reading.row_ids import row_ids
from components.transform import beam_analysis


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=250_000, help="of each shard")
    parser.add_argument("--shards", type=int, default=6)
    given = parser.parse_args()
    rows, shards = given.rows, given.shards
    task = tasks.get("auto_mpg")
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        (home / "examples" / "train").mkdir(parents=True)
        for number in range(shards + 1):
            if number == shards:
                timed(task, home, "first run, all new")
            write(task, home / "examples" / "train" / f"examples-{number:05d}-of-00000.tfrecord.gz", rows, number)
        timed(task, home, "one shard more")
        timed(task, home, "in full", kept=False)


def write(task: tasks.Task, path: Path, rows: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    columns = {
        column.name: pa.array(random.integers(1, 4, rows))
        if getattr(column, "integer", False)
        else pa.array(random.normal(50, 5, rows).astype(np.float32))
        for column in task.columns
    }
    with RecordWriter(path) as writer:
        writer.write(encode(columns, row_ids(columns, rows)))


def timed(task: tasks.Task, home: Path, what: str, *, kept: bool = True) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as output:
        place = str(home / "analysis") if kept else ""
        read = beam_analysis.analyse(task, task.preprocess, str(home / "examples"), output, [], place)
    print(f"{what:<20} {time.monotonic() - began:6.1f} s  {read:>10,} rows read")


if __name__ == "__main__":
    main()
