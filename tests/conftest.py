"""Small real things that several tests start from."""

from __future__ import annotations

import importlib
import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

import tasks
from tasks import Bar, Category, Image, InputError, Model, Number, Part, Task, Train

Row = Mapping[str, Any]

# The file that takes longest, which must not be begun when all others are done.
LONGEST = "test_every_task.py"

# A shell starts what runs in its background deaf to Ctrl-C, and children inherit that; some tests send it.
signal.signal(signal.SIGINT, signal.default_int_handler)
# kfp reads our pipeline by PyYAML's own parser, which takes a second each time; libyaml's comes to the same.
yaml.SafeLoader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# No test leaves a warm process behind, but those that are about it, which end theirs.
os.environ["SLUICE_WARM"] = "0"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Files with slow tests first, so that no worker is left alone with one in the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: (item.path.name != LONGEST, item.path not in slow))


def _line() -> Any:
    import keras

    return keras.Sequential([keras.Input((2,), name="features"), keras.layers.Dense(1)])


def _plane(features: dict[str, Any]) -> dict[str, Any]:
    from transforms import scaling

    return {"features": scaling.z_score([features["a"], features["b"]])}


@pytest.fixture
def plane() -> Task:
    """y = a + 2b: two numbers, of which `b` may be missing."""
    return Task(
        about="A plane",
        features=(Number("a"), Number("b", when_missing="skip_training"), Category("side", ("left", "right"))),
        label=Number("y"),
        sample=lambda: (Part(name="none", read=lambda: ()),),
        preprocess=_plane,
        models={"line": Model(_line, Train(epochs=3, batch_size=4, optimizer="sgd", learning_rate=0.1))},
        gate=(Bar("mae", 10.0),),
        slices=("side",),
    )


@pytest.fixture(scope="session")
def write_examples() -> Callable[[Task, str | Path, Mapping[str, Sequence[Row]]], str]:
    return _write_examples


def _write_examples(task: Task, directory: str | Path, splits: Mapping[str, Sequence[Row]]) -> str:
    """Literal rows as the ingest step would have left them."""
    import tensorflow as tf

    for split, rows in splits.items():
        folder = Path(directory) / split
        folder.mkdir(parents=True)
        path = str(folder / "examples-00000-of-00001.tfrecord.gz")
        with tf.io.TFRecordWriter(path, "GZIP") as writer:
            for number, row in enumerate(rows):
                writer.write(_example(task, row, number).SerializeToString())
    return str(directory)


def _example(task: Task, row: Row, number: int) -> Any:
    import tensorflow as tf

    example = tf.train.Example()
    example.features.feature["_id"].int64_list.value.append(number)
    for column in task.columns:
        value = row.get(column.name)
        feature = example.features.feature[column.name] if value is not None else None
        match column, value:
            case _, None:
                continue
            case Number(), _:
                feature.float_list.value.append(value)
            case Category(), int():
                feature.int64_list.value.append(value)
            case Image(), _:
                feature.bytes_list.value.append(bytes(value))
            case _:
                feature.bytes_list.value.append(str(value).encode())
    return example


@pytest.fixture
def plane_rows() -> list[Row]:
    return list(_plane_rows(40))


def _plane_rows(count: int) -> Iterable[Row]:
    for i in range(count):
        a, b = float(i % 7), float(i % 5)
        yield {"a": a, "b": b, "side": "left" if i % 2 else "right", "y": a + 2 * b}


@pytest.fixture(scope="session")
def auto_mpg() -> Task:
    return tasks.get("auto_mpg")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Any]:
    """A Kubeflow Pipelines backend of this test's own, and nothing of the caller's that points to another."""
    from kubeflow_server import backend

    from pipelines.kubeflow import client, error_messages, try_again

    monkeypatch.setattr(try_again, "FIRST", 0.01)
    monkeypatch.setattr(try_again, "LIMIT", 0.0)  # so that each is asked once, but where a test says otherwise
    for name in (*error_messages.TOKENS, *error_messages.COOKIES, client.HOST, "KF_PIPELINES_SA_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with backend() as server:
        yield server


@pytest.fixture
def sluice(server: Any, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """The exit status, stdout and stderr of a command to this server."""
    from pipelines.command_line import parser

    def command(*words: str, host: str = "") -> tuple[int, str, str]:
        given = parser().parse_args([*words, "--host", host or server.url])
        try:
            status = importlib.import_module(f"pipelines.commands.{given.module}").main(given)
        except (InputError, ValueError, RuntimeError) as error:
            print(f"sluice: {error}", file=sys.stderr)
            status = 2 if isinstance(error, InputError) else 1
        out, said = capsys.readouterr()
        assert "Traceback" not in said
        return status, out, said

    return command
