"""Every model of every task on its sample: from rows to a pushed version that answers them as it was evaluated."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import warm_command
from warm_command import sluice

import tasks
from components.reading.check_rows import check
from components.reading.data_frames import read_frames
from components.storage.atomic_files import read_json

# Where the defaults take longer than a test should; what they reach is enough for the gate.
SETTINGS = {"flowers": ["--set", "train.epochs=5"]}
MODELS = [(task, model) for task in tasks.names() for model in tasks.get(task).models]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Its runs are shared, so that the models of a task share its steps before training.

    With KEEP_PUSHED the versions lie there, for `interop/compare.py --pushed` to ask.
    """
    place = Path(os.environ.get("KEEP_PUSHED") or tmp_path_factory.mktemp("every"))
    yield place
    warm_command.stop(place / "runs")


def _raw_rows(task):
    """The sample's rows without the label, and the id that each has in the predictions."""
    frames, ids = [], []
    for part in task.sample():
        for batch, frame in zip(read_frames(part.read(), part.name, _names(task)), part.read(), strict=True):
            frames.append(frame[[feature.name for feature in task.features]])
            ids.append(check(task.features, None, batch).ids.view(np.int64))
    return pd.concat(frames, ignore_index=True), np.concatenate(ids)


def _names(task):
    return [feature.name for feature in task.features]


def _expected(task, predictions):
    values = np.stack(predictions["prediction"].to_list()) if task.kind == "classes" else predictions["prediction"]
    return np.asarray(values)


def _received(task, answers):
    if task.kind == "regression":
        return np.array([answer["prediction"] for answer in answers])
    probabilities = np.array([list(answer["probabilities"].values()) for answer in answers])
    return probabilities if task.kind == "classes" else probabilities[:, 1]


def _largest(task, run):
    return np.abs(_expected(task, pd.read_parquet(run / "evaluate" / "predictions"))).max()


def _numbers_inside(served):
    """How many numbers the variables of a SavedModel are; an optimizer's would be among them."""
    reader = tf.train.load_checkpoint(str(served / "variables" / "variables"))
    shapes = reader.get_variable_to_shape_map()
    return sum(int(np.prod(shape)) for name, shape in shapes.items() if name != "_CHECKPOINTABLE_OBJECT_GRAPH")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), MODELS)
def test_the_pushed_model_answers_raw_rows_as_it_was_evaluated(name, model, place, tmp_path):
    task, runs, serving = tasks.get(name), place / "runs", place / f"{name}-{model}" / "serving"
    words = ["--model", model, "--runs", str(runs), "--serving", str(serving), *SETTINGS.get(name, [])]
    done = sluice("run", name, *words, "--json", cwd=place)
    assert done.returncode == 0, done.stdout + done.stderr
    run = json.loads(done.stdout)
    assert run["blessed"]
    assert run["pushed"]

    served = Path(run["pushed"])
    rehearsed = read_json(served / "assets.extra" / "rehearsal.json")
    assert rehearsed["loaders"] == {"python": "", "session": ""}
    assert rehearsed["largest_difference"] <= 1e-6 * max(1, _largest(task, runs / run["run"]))
    assert _numbers_inside(served) == read_json(runs / run["run"] / "train" / "model" / "training.json")["weights"]

    frame, ids = _raw_rows(task)
    evaluated = pd.read_parquet(runs / run["run"] / "evaluate" / "predictions").drop_duplicates("row")
    position = {row: at for at, row in reversed(list(enumerate(ids.tolist())))}
    asked = frame.iloc[[position[row] for row in evaluated["row"]]]
    asked.to_parquet(tmp_path / "rows.parquet")
    answered = sluice("predict", name, str(tmp_path / "rows.parquet"), "--serving", str(serving), cwd=place)
    assert answered.returncode == 0, answered.stderr
    answers = [json.loads(line) for line in answered.stdout.splitlines()]
    np.testing.assert_allclose(_received(task, answers), _expected(task, evaluated), rtol=1e-4, atol=1e-5)
