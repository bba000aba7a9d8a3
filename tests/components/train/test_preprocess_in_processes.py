"""Many rows, preprocessed by several processes: the trainer finds what it would have made of them itself."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
from repository import ROOT

import tasks
from components.serving.preprocessing import Preprocessing
from components.train import preprocess_in_processes, preprocessed_rows
from components.train.preprocessed_rows import Reader, Room
from components.transform import step as transform
from tasks import Task, Train

ROWS = {"train": 120, "eval": 30}
SHARDS = 6
# In a process in which TensorFlow has not begun.
PROGRAM = """
import sys
from pathlib import Path
import tensorflow as tf
import tasks
from components import machine
from components.train import preprocess_in_processes
from tasks import Train

examples, graph, folder, cores, large = sys.argv[1:]
machine.cores = lambda: int(cores)
preprocess_in_processes.LARGE = int(large)
train = Train(epochs=1, sample_weight=lambda frame: frame["weight"] / 1000)
wanted = [("train",), ("eval",)]
preprocess_in_processes.prepare(tasks.get("auto_mpg"), train, graph, examples, wanted, Path(folder))
print(preprocess_in_processes.at_work(), end=" ")
tf.constant(1)
print(preprocess_in_processes.at_work())
"""
WEIGHTED = Train(epochs=1, sample_weight=lambda frame: frame["weight"] / 1000)


@pytest.fixture(scope="module")
def cars() -> Task:
    return tasks.get("auto_mpg")


@pytest.fixture
def examples(cars: Task, write_examples: Callable[..., str], tmp_path: Path) -> str:
    """In several shards a split, with a row in ten that training does without."""
    chance = np.random.default_rng(0)
    for split, count in ROWS.items():
        (tmp_path / "examples" / split).mkdir(parents=True)
        for shard in range(SHARDS):
            rows = [
                {
                    "cylinders": 4, "displacement": chance.uniform(80, 400), "weight": chance.uniform(1600, 5000),
                    "horsepower": chance.uniform(50, 200), "acceleration": chance.uniform(8, 25), "model_year": 76,
                    "origin": 1 + number % 3, "mpg": chance.uniform(10, 40),
                }
                for number in range(count // SHARDS + shard)
            ]  # fmt: skip
            for row in rows[::10]:
                del row["horsepower"]
            written = Path(write_examples(cars, tmp_path / f"{split}-{shard}", {split: rows}))
            name = f"examples-{shard:05}-of-{SHARDS:05}.tfrecord.gz"
            next((written / split).iterdir()).rename(tmp_path / "examples" / split / name)
    return str(tmp_path / "examples")


@pytest.fixture
def graph(cars: Task, examples: str, tmp_path: Path) -> str:
    transform.analyse(cars, cars.preprocess, examples, str(tmp_path / "graph"), [])
    return str(tmp_path / "graph")


def prepared(examples: str, graph: str, folder: Path, *, cores: int = 3, large: int = 0) -> str:
    words = [sys.executable, "-c", PROGRAM, examples, graph, str(folder), str(cores), str(large)]
    return subprocess.run(words, cwd=ROOT, check=True, capture_output=True, text=True).stdout


@pytest.mark.slow
def test_rows_are_those_that_the_trainer_makes_however_many_processes_there_are(cars, examples, graph, tmp_path):
    reader = Reader(cars, WEIGHTED, Preprocessing(graph))
    for cores in (1, 3):
        folder = tmp_path / str(cores)
        prepared(examples, graph, folder, cores=cores)
        assert sorted(path.name for path in folder.iterdir()) == ["eval", "train"]
        for split in ROWS:
            ours = preprocessed_rows.load(reader, examples, (split,))
            theirs = preprocessed_rows.load(reader, "nowhere", (split,), Room(folder=folder))
            assert (theirs.count, theirs.skipped) == (ours.count, ours.skipped)
            assert ours.skipped >= SHARDS
            np.testing.assert_array_equal(theirs.labels, ours.labels)
            np.testing.assert_array_equal(theirs.weights, ours.weights)
            every = tf.range(ours.count)
            for name, column in ours.gather(every)[0].items():
                np.testing.assert_array_equal(theirs.gather(every)[0][name], column)
    for path in (tmp_path / "1").rglob("*"):
        if path.is_file():
            assert path.read_bytes() == (tmp_path / "3" / path.relative_to(tmp_path / "1")).read_bytes()


def test_few_rows_are_left_to_the_trainer(examples, graph, tmp_path):
    told = prepared(examples, graph, tmp_path / "rows", large=1 << 20)
    assert told == "False True\n"
    assert not (tmp_path / "rows").exists()


def test_what_fails_is_left_to_the_trainer_who_says_why(examples, tmp_path):
    prepared(examples, str(tmp_path / "no graph"), tmp_path / "rows")
    assert [*(tmp_path / "rows").rglob("*")] == []


def test_rows_that_are_not_all_of_numbers_are_left_to_the_trainer(cars, examples, tmp_path):
    def texts(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        return {"text": tf.strings.as_string(features["weight"])}

    transform.analyse(dataclasses.replace(cars, preprocess=texts), texts, examples, str(tmp_path / "graph"), [])
    prepared(examples, str(tmp_path / "graph"), tmp_path / "rows")
    assert [*(tmp_path / "rows").rglob("*")] == []


def test_parts_are_about_as_large_as_each_other(tmp_path):
    (tmp_path / "train").mkdir()
    for number, size in enumerate([10, 10, 10, 60, 5, 5]):
        (tmp_path / "train" / f"examples-{number}.tfrecord.gz").write_bytes(bytes(size))

    def counted(count: int) -> list[int]:
        return [len(part.shards) for part in preprocess_in_processes._parts(str(tmp_path), ("train",), count, tmp_path)]

    assert counted(1) == [6]
    assert counted(2) == [3, 3]
    assert sum(counted(16)) == 6
    assert min(counted(16)) > 0
