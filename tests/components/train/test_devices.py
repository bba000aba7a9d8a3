"""Training on what is there: one device, two, and two processes that talk over the loopback, to the same numbers."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from repository import ROOT, SUPPORT

import tasks
from components.train import devices
from tasks import InputError, Train

# Sums of float32 in another order.
CLOSE = 1e-4


@pytest.fixture(scope="module")
def prepared(write_examples: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """197 rows to train on: neither batches nor their halves come out even."""
    from components.transform import step as transform

    task = tasks.get("auto_mpg")
    frame = pd.concat(task.sample()[0].read()).dropna().reset_index(drop=True)
    rows: list[dict[str, Any]] = frame.to_dict("records")
    rows = [{**row, "origin": int(row["origin"])} for row in rows]
    folder = tmp_path_factory.mktemp("devices")
    examples = write_examples(task, folder / "examples", {"train": rows[:197], "eval": rows[200:235]})
    transform.analyse(task, task.preprocess, examples, str(folder / "graph"), [])
    return examples, str(folder / "graph")


def start(prepared: tuple[str, str], model: Path, *words: str, config: dict[str, Any] | None = None) -> Any:
    environment = {"PYTHONPATH": str(ROOT), "TF_CPP_MIN_LOG_LEVEL": "2", "TF_CONFIG": json.dumps(config or {})}
    return subprocess.Popen(
        [sys.executable, str(SUPPORT / "fit_on_devices.py"), *prepared, str(model), *words],
        env={**os.environ, **environment}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def fitted(prepared: tuple[str, str], model: Path, *words: str, status: int = 0) -> tuple[dict[str, Any], Any, str]:
    """History, what training.json says, and the log."""
    process = start(prepared, model, *words)
    said = process.communicate(timeout=300)[0]
    assert process.returncode == status, said
    return (*(read(model) if not status else ({}, {})), said)


def read(model: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    return json.loads((model / "history.json").read_text()), json.loads((model / "training.json").read_text())


def assert_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert one.keys() == other.keys()
    for name, values in one.items():
        if name in ("loss", "val_loss", "val_mae"):
            np.testing.assert_allclose(other[name], values, rtol=CLOSE, err_msg=name)


@pytest.mark.slow
def test_two_devices_come_to_the_losses_of_one_and_the_export_serves(prepared: Any, tmp_path: Path) -> None:
    import tensorflow as tf

    one, about, _ = fitted(prepared, tmp_path / "one")
    assert about["devices"] == ["CPU"]
    assert (about["replicas"], about["batch"]) == (1, 32)
    two, about, said = fitted(prepared, tmp_path / "two", "--devices", "2")
    assert about["devices"] == ["CPU:0", "CPU:1"]
    assert (about["replicas"], about["batch"], about["precision"]) == (2, 32, "float32")
    assert "devices: CPU:0, CPU:1; 2 replicas; batch 32; float32" in said
    assert_same(one, two)

    row = {"displacement": 200.0, "horsepower": 100.0, "weight": 3000.0, "acceleration": 15.0, "model_year": 75.0}
    answers = []
    for name in ("one", "two"):
        model = tf.saved_model.load(str(tmp_path / name / "serving"))
        row_tensors = {key: tf.constant([value]) for key, value in {**row, "cylinders": 6.0}.items()}
        answers.append(model.signatures["features"](**row_tensors, origin=tf.constant([1], tf.int64)))
    np.testing.assert_allclose(answers[1]["prediction"], answers[0]["prediction"], rtol=1e-3)


@pytest.mark.thorough
@pytest.mark.slow
def test_on_two_devices_a_killed_fit_goes_on_to_the_same_end(prepared: Any, tmp_path: Path) -> None:
    whole, _, _ = fitted(prepared, tmp_path / "whole", "--devices", "2", "--dropout", "0.5")
    fitted(prepared, tmp_path / "cut", "--devices", "2", "--dropout", "0.5", "--kill-after", "3", status=9)
    resumed, about, said = fitted(prepared, tmp_path / "cut", "--devices", "2", "--dropout", "0.5")
    assert "resuming after epoch 2" in said  # the third was not kept yet
    assert resumed == whole
    assert about["epochs"] == 4


@pytest.mark.thorough
@pytest.mark.slow
def test_the_batch_is_scaled_on_request(prepared: Any, tmp_path: Path) -> None:
    words = ("--set", "train.scale_batch=true", "--set", "train.mixed_precision=true", "--set", "train.epochs=1")
    _, about, said = fitted(prepared, tmp_path / "two", "--devices", "2", *words)
    assert about["batch"] == 64
    assert "mixed precision was asked for and needs a GPU" in said


@pytest.mark.thorough
@pytest.mark.slow
def test_two_processes_on_the_loopback_come_to_the_losses_of_one(prepared: Any, tmp_path: Path) -> None:
    one, _, _ = fitted(prepared, tmp_path / "one")
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{free.getsockname()[1]}" for free in sockets]
    for free in sockets:
        free.close()
    workers = [
        start(
            prepared,
            tmp_path / "two",
            config={"cluster": {"worker": addresses}, "task": {"type": "worker", "index": index}},
        )
        for index in range(2)
    ]
    said = [worker.communicate(timeout=300)[0] for worker in workers]
    assert [worker.returncode for worker in workers] == [0, 0], said
    two, about = read(tmp_path / "two")
    assert (about["replicas"], about["workers"]) == (2, 2)
    assert about["devices"] == [f"CPU:0 of {address}" for address in addresses]
    assert_same(one, two)
    assert (tmp_path / "two" / "serving" / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("", None),
        ("{}", None),
        ('{"cluster": {"worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}', None),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 0}}', (["a:1", "b:1"], True)),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": 1}}', (["a:1", "b:1"], False)),
        (
            '{"cluster": {"chief": ["c:1"], "worker": ["a:1"]}, "task": {"type": "worker", "index": 0}}',
            (["c:1", "a:1"], False),
        ),
        ('{"cluster": {"chief": ["c:1"], "worker": ["a:1"]}, "task": {"type": "chief"}}', (["c:1", "a:1"], True)),
    ],
)
def test_the_workers_of_a_cluster(config: str, expected: Any) -> None:
    assert devices.read_cluster(config) == expected


@pytest.mark.parametrize(
    "config",
    ["[1]", "{", "5", '{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker", "index": "first"}}'],
)
def test_a_broken_cluster_is_a_sentence(config: str) -> None:
    with pytest.raises(InputError, match="TF_CONFIG is JSON"):
        devices.read_cluster(config)


def test_what_was_found_is_told() -> None:
    found = devices.Devices(names=("GPU:0",), precision="mixed_float16")
    assert devices.told(found, Train(epochs=1, mixed_precision=True)) == "devices: GPU:0; batch 32; mixed_float16"
    assert found.facts(Train(epochs=1, batch_size=8, scale_batch=True))["batch"] == 8


def test_the_batch_of_two_replicas_and_a_precision_that_is_not_to_be_had_are_told() -> None:
    import tensorflow as tf

    class Two(tf.distribute.Strategy):
        num_replicas_in_sync = 2

        def __init__(self) -> None:
            pass

    found = devices.Devices(names=("CPU:0", "CPU:1"), strategy=Two())
    scaled = Train(epochs=1, batch_size=32, scale_batch=True, mixed_precision=True)
    assert devices.told(found, scaled) == (
        "devices: CPU:0, CPU:1; 2 replicas; batch 64; float32; mixed precision was asked for and needs a GPU"
    )
    assert found.facts(scaled)["batch"] == 64
    assert found.batch(Train(epochs=1, batch_size=32)) == 32


@pytest.mark.parametrize(("count", "replicas"), [(1, 2), (5, 2), (6, 2), (7, 3), (2, 4)])
def test_shares_have_the_mean_of_the_batch(count: int, replicas: int) -> None:
    import tensorflow as tf

    from components.train.multi_device_fit import _rows

    losses = np.arange(1.0, count + 1) ** 2
    rows, weights = _rows(tf.range(count), replicas, slice(0, replicas))
    means = (losses[rows.numpy()] * weights.numpy()).mean(axis=1)
    assert means.mean() == pytest.approx(losses.mean())
