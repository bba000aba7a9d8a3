"""How long, and in how much memory, the evaluation judges a model of auto_mpg's shape on many test rows.

    .venv/bin/python benchmarks/evaluate.py [--rows 1000000] [--kind regression] [--champion] [--keep DIR]

The examples are made here: the test rows, 3.2 times as many of train and 0.8 times of eval, as auto_mpg splits its rows
(of those two the same shard under many names). The model is not trained; that its answers are bad costs no time.
Prints the rows, the seconds of the step without the start of its process, and the peak of its memory as JSON.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

NAME = "auto_mpg"
SHARD = 200_000  # rows; ingest's shards have about as many
TIMES = {"train": 3.2, "eval": 0.8, "test": 1.0}
CLASSES = 10


def made_task(kind: str) -> Any:
    """The task as it is, or with a class in place of its number."""
    import keras

    import tasks
    from tasks import Bar, Category, Model, Train

    task = tasks.get(NAME)
    if kind == "regression":
        return task
    count = 2 if kind == "binary" else CLASSES

    def build() -> keras.Model:
        last = keras.layers.Dense(1, "sigmoid") if count == 2 else keras.layers.Dense(count, "softmax")
        return keras.Sequential([keras.Input((9,), name="features"), keras.layers.Dense(64, "relu"), last])

    models = {"mlp": Model(build, Train(epochs=1, loss="mse"))}
    return dataclasses.replace(
        task,
        label=Category("mpg", tuple(range(count))),
        models=models,
        gate=(Bar("accuracy", 0.0, slices=("origin",)),),
    )


def write_shard(task: Any, path: Path, rows: int, random: np.random.Generator) -> None:
    """Random cars as ingest writes them."""
    import pyarrow as pa

    from components.examples.encode import encode
    from components.examples.tfrecord import RecordWriter
    from tasks import Number

    with RecordWriter(path) as writer:
        for start in range(0, rows, 10_000):
            count = min(10_000, rows - start)
            weight = random.uniform(1600, 5200, count)
            columns = {
                "cylinders": random.choice([4, 6, 8], count), "displacement": random.uniform(68, 455, count),
                "horsepower": random.uniform(46, 230, count), "weight": weight,
                "acceleration": random.uniform(8, 25, count), "model_year": random.integers(70, 83, count),
            }  # fmt: skip
            arrays = {name: pa.array(values.astype(np.float32)) for name, values in columns.items()}
            arrays["origin"] = pa.array(random.integers(1, 4, count))
            label = 46 - weight / 150 + random.normal(size=count)
            if not isinstance(task.label, Number):
                arrays["mpg"] = pa.array(random.integers(0, len(task.label.values), count))
            else:
                arrays["mpg"] = pa.array(np.maximum(label, 1).astype(np.float32))
            writer.write(encode(arrays, random.integers(0, 1 << 64, count, np.uint64)))


def write_examples(task: Any, place: Path, rows: int) -> None:
    """Every shard of the test rows is another one."""
    random = np.random.default_rng(0)
    for split, times in TIMES.items():
        folder = place / "examples" / split
        folder.mkdir(parents=True)
        sizes = [SHARD] * (int(rows * times) // SHARD) + [int(rows * times) % SHARD]
        first: dict[int, Path] = {}
        for number, size in enumerate(filter(None, sizes)):
            path = folder / f"examples-{number:05d}-of-{len(sizes):05d}.tfrecord.gz"
            if split != "test" and size in first:
                os.link(first[size], path)
            else:
                write_shard(task, path, size, random)
                first[size] = path


def write_model(task: Any, place: Path, rows: int) -> None:
    """What the steps before leave: the analysis of a few rows, and a model of random weights, exported."""
    import keras

    from components.serving import trained_answers, versions
    from components.serving.export import export
    from components.serving.preprocessing import Preprocessing
    from components.storage import atomic_files
    from components.train.first_test_rows import answered
    from components.transform import step as transform

    few = place / "few" / "train"
    few.mkdir(parents=True)
    write_shard(task, few / "examples-00000-of-00001.tfrecord.gz", 1000, np.random.default_rng(1))
    transform.analyse(task, task.preprocess, str(few.parent), str(place / "graph"), [])
    preprocessing = Preprocessing(str(place / "graph"))
    for seed, name in enumerate(("champion", "model")):
        keras.utils.set_random_seed(seed)
        model = task.models["mlp"].build()
        (place / name).mkdir()
        answers = answered(task, "mlp", model, preprocessing, str(place / "examples"))
        trained_answers.write(place / name / trained_answers.FILE, *answers)
        export(task, "mlp", model, preprocessing, place / name / "serving")
    versions.add(place / "served", NAME, place / "champion" / "serving", {"provenance.json": {}})
    statistics = {"rows": {split: int(rows * times) for split, times in TIMES.items()}}
    for name, content in {"anomalies": [], "statistics": statistics, "model/history": {}, "model/training": {}}.items():
        atomic_files.write_json(place / f"{name}.json", content)


def evaluate(task: Any, place: Path, champion: bool) -> dict[str, Any]:
    """The step, in this process."""
    import tasks
    from components.evaluate import step
    from components.serving import versions

    tasks.get = lambda name: task
    number = versions.versions(str(place / "served"), NAME)[-1].number
    outputs = {name: str(place / name) for name in ("predictions", "blessing", "verdict", "report")}
    before, started, worked = (
        resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        time.monotonic(),
        time.process_time(),
    )
    step.run(
        task=NAME, model_name="mlp", data="cars", destination=str(place / "served"),
        champion=f"{number}:" if champion else "", examples=str(place / "examples"),
        statistics=str(place / "statistics.json"), anomalies=str(place / "anomalies.json"),
        transform_graph=str(place / "graph"), model=str(place / "model"), metrics={}, classification={}, **outputs,
    )  # fmt: skip
    return {
        "seconds": round(time.monotonic() - started, 1),
        "processor_seconds": round(time.process_time() - worked, 1),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10,
        "peak_mib_before": before,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kind", choices=["regression", "binary", "classes"], default="regression")
    parser.add_argument("--champion", action="store_true", help="compare with a served version")
    parser.add_argument("--keep", type=Path, help="leave the examples here, and use them if they are there")
    parser.add_argument("--part", choices=["make", "judge"], help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part == "make":
        task = made_task(given.kind)
        write_examples(task, given.keep, given.rows)
        write_model(task, given.keep, given.rows)
    elif given.part == "judge":
        print(json.dumps(evaluate(made_task(given.kind), given.keep, given.champion)))
    else:
        with tempfile.TemporaryDirectory() as scratch:
            measure(given, given.keep or Path(scratch, "made"))


def measure(given: argparse.Namespace, place: Path) -> None:
    """Each part in a process of its own, started by this small one: what is held here would count as its peak."""
    command = [sys.executable, __file__, "--rows", str(given.rows), "--kind", given.kind, "--keep", str(place)]
    if not place.exists():
        subprocess.run([*command, "--part", "make"], check=True)
    command += ["--champion"] if given.champion else []
    done = subprocess.run([*command, "--part", "judge"], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(json.dumps({"rows": given.rows, "kind": given.kind, "champion": given.champion, **found}))


if __name__ == "__main__":
    main()
