"""Ingest and transform on a real Flink beside this machine's own runner: nothing lost, nothing double, all equal.

make flink sets up what this needs and starts it. With --kill, a TaskManager and a Python worker are killed in mid-run.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import tensorflow as tf
from cluster import Cluster, cluster

import tasks
from components import beam_runners
from components.examples.parse import parsed
from components.examples.tfrecord import read_records
from components.ingest import step as ingest
from components.serving.preprocessing import Preprocessing
from components.storage.atomic_files import read_json
from components.transform import step as transform

TASKS = ("auto_mpg", "imdb_padded", "california_housing")
FILES, ROWS = 8, 320_000
SPLITS = ("train", "eval", "test")


def main() -> int:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("home", type=Path, help="where make flink has put Flink and Beam's job server")
    words.add_argument("--kill", action="store_true", help="kill a TaskManager and a Python worker in mid-run")
    words.add_argument("--rows", type=int, default=ROWS, help=f"of auto_mpg, in {FILES} files; default: {ROWS}")
    words.add_argument("--data-dir", default="", help="the real data for the other tasks; default: their samples")
    given = words.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # not before the cluster has ended
    unlike: list[str] = []
    with tempfile.TemporaryDirectory(prefix="sluice-flink-") as folder:
        cars = write_cars(Path(folder) / "cars", given.rows)
        with cluster(given.home, Path(folder) / "cluster") as flink:
            for task in TASKS[:1] if given.kill else TASKS:
                real = ("real", given.data_dir) if given.data_dir else ("sample", "")
                data = (cars, "") if task == "auto_mpg" else real
                direct = made(task, *data, Path(folder) / task / "direct", [])
                killed = threading.Thread(target=_kill_some, args=(flink, Path(folder) / task / "flink"), daemon=True)
                if given.kill:
                    killed.start()
                spread = made(task, *data, Path(folder) / task / "flink", beam_runners.flink(flink.address))
                if given.kill:
                    killed.join()
                unlike += list(differences(task, direct, spread))
    print("\n".join(unlike) or f"equal: {', '.join(TASKS[:1] if given.kill else TASKS)}")
    return 1 if unlike else 0


def write_cars(folder: Path, rows: int) -> str:
    """Cars like those of the sample, in several files, some lines of them bad."""
    folder.mkdir(parents=True)
    sample = pd.concat([frame for part in tasks.get("auto_mpg").sample() for frame in part.read()])
    random = np.random.default_rng(7)
    for number in range(FILES):
        chosen = sample.sample(rows // FILES, replace=True, random_state=number)
        chosen["weight"] = (chosen["weight"].astype(float) + random.uniform(-50, 50, len(chosen))).round(3)
        path = folder / f"cars-{number}.csv"
        chosen.to_csv(path, index=False)
        with path.open("a") as file:
            file.write("this,is,no,car\n")
    return str(folder / "cars-*.csv")


def made(task: str, data: str, data_dir: str, folder: Path, beam_args: list[str]) -> Path:
    """What the two steps leave behind."""
    began = time.monotonic()
    folder.mkdir(parents=True)
    common = {"task": task, "beam_args": beam_args, "examples": str(folder / "examples")}
    ingest.run(**common, data=data, data_dir=data_dir, snapshot="", statistics=str(folder / "statistics.json"))
    transform.run(**common, settings={}, transform_graph=str(folder / "graph"))
    print(f"{task}: {'Flink' if beam_args else 'direct runner'} {time.monotonic() - began:.1f} s", flush=True)
    return folder


def differences(task: str, direct: Path, spread: Path) -> Iterator[str]:
    ways: dict[str, Callable[[Path], Any]] = {
        "statistics": lambda folder: read_json(folder / "statistics.json"),
        "rows set aside": lambda folder: Counter(_lines(folder / "examples" / "rejected")),
        **{f"rows of {split}": lambda folder, split=split: _rows(folder / "examples" / split) for split in SPLITS},
        "vocabularies": lambda folder: {path.name: path.read_bytes() for path in folder.glob("graph/**/assets/*")},
        "the graph's outputs": lambda folder: _outputs(task, direct, folder),
    }
    for what, seen in ways.items():
        if seen(direct) != seen(spread):
            yield f"{task}: {what} differ"


def _rows(folder: Path) -> Counter[bytes]:
    found: Counter[bytes] = Counter()
    for path in sorted(folder.glob("*.gz")):
        with tf.io.gfile.GFile(str(path), "rb"), _unzipped(path) as stream:
            found.update(read_records(stream))
    return found


def _unzipped(path: Path) -> Any:
    import gzip

    return gzip.open(path)


def _lines(folder: Path) -> list[str]:
    return [line for path in sorted(folder.glob("*")) for line in path.read_text().splitlines()]


def _outputs(task: str, rows: Path, graph: Path) -> dict[str, bytes]:
    """What one graph makes of the first rows of the train split."""
    features, _, _ = next(iter(parsed(tasks.get(task), str(rows / "examples"), "train", 1000)))
    made = Preprocessing(str(graph / "graph")).dense(features)
    return {name: np.asarray(values).tobytes() for name, values in made.items()}


def _kill_some(flink: Cluster, folder: Path) -> None:
    """Once the first part is being written."""
    while not any((folder / "examples").glob(".unfinished/*")):
        time.sleep(0.05)
    flink.kill("taskmanager-1")
    workers = [int(path.name) for path in Path("/proc").glob("[0-9]*") if _is_worker(path, flink)]
    for worker in workers[:1]:
        os.kill(worker, signal.SIGKILL)
    print(f"killed taskmanager-1 and {len(workers[:1])} of {len(workers)} Python workers", flush=True)


def _is_worker(path: Path, flink: Cluster) -> bool:
    try:
        words = (path / "cmdline").read_bytes()
        parent = int((path / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, ValueError):
        return False
    return b"SdkHarness" in words and parent == flink.processes["pool"].pid


if __name__ == "__main__":
    sys.exit(main())
