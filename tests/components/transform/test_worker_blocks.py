"""The analysis by workers that share nothing with the step but an object store: the graph is that of one process."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import beam_workers
import fsspec
import numpy as np
import pytest
import s3_server
import tensorflow as tf
import tensorflow_transform as tft
from repository import ROOT

import tasks
from components.serving.preprocessing import Preprocessing
from components.storage import urls
from components.transform import beam_analysis, worker_blocks
from components.transform import step as transform
from transforms import scaling, text

FLINK = ["--runner=PortableRunner", "--job_endpoint=nowhere:1"]
ROWS = 40


@pytest.fixture
def memory() -> Iterator[str]:
    system = fsspec.filesystem("memory")
    yield "memory://bucket"
    system.store.clear()
    system.pseudo_dirs[:] = [""]


def _several(features: dict[str, Any]) -> dict[str, Any]:
    codes = text.pad(text.ids(text.words(features["side"]), 5), 2)
    return {
        "z": scaling.z_score([features["a"], features["b"]]),
        "codes": codes,
        "quarter": tft.bucketize(features["a"], 4),
    }


def _twice(features: dict[str, Any]) -> dict[str, Any]:
    centred = features["a"] - tft.mean(features["a"])
    return {"features": centred / tft.mean(centred * centred)}


@pytest.fixture
def shards(write_examples: Callable[..., str], tmp_path: Path) -> Callable[..., str]:
    """Examples in as many shards as rows are given lists."""

    def write(task: tasks.Task, days: list[list[dict[str, Any]]]) -> str:
        target = tmp_path / "examples"
        (target / "train").mkdir(parents=True, exist_ok=True)
        for number, rows in enumerate(days):
            folder = tmp_path / f"day-{number}"
            shutil.rmtree(folder, ignore_errors=True)
            shard = next((Path(write_examples(task, folder, {"train": rows})) / "train").iterdir())
            shutil.move(shard, target / "train" / f"examples-{number:05d}-of-00000.tfrecord.gz")
        return str(target)

    return write


def _points(day: int) -> list[dict[str, Any]]:
    random, sides = np.random.default_rng(day), ("left", "left right", "right", "right up")
    return [
        {"a": float(random.normal(day, 3)), "b": float(random.normal()), "side": sides[random.integers(4)], "y": 1.0}
        for _ in range(ROWS)
    ]


def _copied(folder: str, url: str) -> str:
    for path in Path(folder, "train").iterdir():
        urls.upload(path, f"{url}/train/{path.name}")
    return url


def _vocabularies(graph: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (graph / "transform_fn" / "assets").iterdir()}


@pytest.mark.slow
def test_blocks_come_to_the_graph_of_one_pass(plane: Any, shards: Any, memory: str, tmp_path: Path) -> None:
    place, shared, graph = f"{memory}/.analysis/plane", f"{memory}/graph", tmp_path / "graph"

    def read(days: int) -> int:
        shutil.rmtree(graph, ignore_errors=True)
        url = _copied(shards(plane, [_points(day) for day in range(days)]), f"{memory}/examples")
        return worker_blocks.analyse(plane, _several, url, shared, str(graph), [], place)

    assert read(2) == 2 * ROWS
    assert len(urls.listed(place, "*.spans")) == 1  # more may be added to the last shard
    assert read(3) == 2 * ROWS
    assert not urls.listed(shared, "*")
    one = tmp_path / "one"
    assert beam_analysis.analyse(plane, _several, str(tmp_path / "examples"), str(one), []) == 3 * ROWS
    assert _vocabularies(one) == _vocabularies(graph)
    row = {"a": tf.constant([0.5, 3.0]), "b": tf.constant([1.0, -2.0]), "side": tf.constant(["left", "up right"])}
    expected, found = (Preprocessing(str(each)).dense(row) for each in (one, graph))
    for name, values in expected.items():
        np.testing.assert_allclose(found[name].numpy(), values.numpy(), rtol=1e-6)


def test_many_shards_are_few_groups() -> None:
    spans = [(str(number), str(number)) for number in range(150)]
    groups = list(worker_blocks._groups(spans, lambda group, _, of: len(group) < of // 50))
    assert len(groups) == 50
    assert [name for group in groups for name in group] == list(map(str, range(150)))
    assert not list(worker_blocks._groups([], lambda *_: True))


def test_statistics_of_statistics_are_left_to_one_process(
    plane: Any, shards: Any, memory: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    task = plane.__class__(**{**vars(plane), "preprocess": _twice})
    monkeypatch.setattr(tasks, "get", lambda name: task)
    transform.run(
        task="plane", settings={}, beam_args=FLINK, analysis=f"{memory}/.analysis",
        examples=shards(plane, [_points(0), _points(1)]), examples_uri=f"{memory}/examples",
        transform_graph=str(tmp_path / "graph"), transform_graph_uri=f"{memory}/graph",
    )  # fmt: skip
    said = capsys.readouterr().out
    assert "statistics of statistics: workers cannot share those here, so one process reads all" in said
    assert f"{2 * 2 * ROWS} rows were read" in said  # each twice
    assert (tmp_path / "graph" / "transform_fn" / "saved_model.pb").is_file()


IN_PROCESSES = """
import sys
from components import machine
from components.transform import step, worker_blocks

examples, analysis, graph, cores = sys.argv[1:]
worker_blocks.BLOCK_BYTES = step.LARGE = 1
machine.cores = lambda: int(cores)
step.run(
    task="imdb_padded", settings={}, beam_args=[], analysis=analysis, examples=examples, transform_graph=graph
)
"""


def _in_processes(*words: str) -> str:
    """In a program of its own: nothing is forked where TensorFlow is at work, as it is here."""
    command = [sys.executable, "-c", IN_PROCESSES, *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


@pytest.mark.slow
def test_processes_of_one_machine_share_the_shards(shards: Any, tmp_path: Path) -> None:
    days = [["a good film", "bad"], ["a good good one", "film"], ["bad bad a", ""]]
    rows = [[{"text": words, "label": 0} for words in day] for day in days]
    examples, one = shards(tasks.get("imdb_padded"), rows), tmp_path / "graph-1"
    said = _in_processes(examples, str(tmp_path / "analysis-1"), str(one), "1")
    assert "analysed 3 of 3 groups of shards, 6 rows" in said
    two = tmp_path / "graph-2"
    _in_processes(examples, str(tmp_path / "analysis-2"), str(two), "2")
    whole = tmp_path / "whole"
    transform.run(
        task="imdb_padded", settings={}, beam_args=[], analysis="", examples=examples, transform_graph=str(whole)
    )
    assert _vocabularies(one) == _vocabularies(two) == _vocabularies(whole)
    again = _in_processes(examples, str(tmp_path / "analysis-1"), str(tmp_path / "graph-3"), "2")
    assert "analysed 1 of 1 groups of shards, 2 rows" in again  # the last shard may yet grow
    assert _vocabularies(tmp_path / "graph-3") == _vocabularies(one)


@pytest.mark.slow
def test_workers_that_see_only_s3(shards: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Their own processes and folders, as on other machines."""
    days = [["a good film", "bad"], ["a good good one", "film"], ["bad bad a", ""]]
    rows = [[{"text": words, "label": 0} for words in day] for day in days]
    examples, graph = shards(tasks.get("imdb_padded"), rows), tmp_path / "graph"
    common = {"task": "imdb_padded", "settings": {}, "analysis": ""}
    transform.run(**common, beam_args=[], examples=examples, transform_graph=str(tmp_path / "one"))
    with s3_server.serving() as s3, beam_workers.running(tmp_path / "workers", s3.environment) as beam_args:
        for name, value in s3.environment.items():
            monkeypatch.setenv(name, value)
        url = _copied(examples, "s3://bucket/examples")
        transform.run(
            **common, beam_args=beam_args, examples=str(tmp_path / "none"), examples_uri=url,
            transform_graph=str(graph), transform_graph_uri="s3://bucket/graph",
        )  # fmt: skip
        assert {name.split("/")[1] for name in s3.objects} == {"examples"}
    assert _vocabularies(graph) == _vocabularies(tmp_path / "one")
