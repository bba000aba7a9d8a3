"""A version of auto_mpg that remembers what cars it was trained on, and logs of what it was asked. No TensorFlow."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import tasks
from components.examples.statistics import Statistics
from components.reading.check_rows import Rows, check
from components.reading.data_frames import read_frames
from components.rest_server.request_log import RequestLog
from components.rest_server.tensor_json import Asked
from components.serving import versions
from components.serving.pushed_model import filled

TASK = tasks.get("auto_mpg")
BLESSING = {
    "bars": [{"metric": "mae", "where": "", "value": 1.25, "interval": [1.0, 1.5]}],
}


def cars(**columns: Any) -> pd.DataFrame:
    """The 400 cars of the task's sample, with some columns changed."""
    [part] = TASK.sample()
    [frame] = part.read()
    return frame.assign(**columns)


def rows(frame: pd.DataFrame) -> Rows:
    [batch] = read_frames([frame], "cars", [column.name for column in TASK.columns])
    return check(TASK.features, TASK.label, batch)


def push(serving: Path, frame: pd.DataFrame, *without: str) -> int:
    """A version that was trained on these cars; of the model there is nothing but its name."""
    statistics, read = Statistics(TASK.columns), rows(frame)
    statistics.add(np.zeros(len(read), np.int8), read.columns)
    model = serving.parent / f"model of {serving.name}"
    model.mkdir(exist_ok=True)
    (model / "saved_model.pb").write_bytes(b"")
    papers: dict[str, Any] = {
        "statistics.json": statistics.summary(),
        "blessing.json": BLESSING,
        "provenance.json": {"task": "auto_mpg", "model_sha256": "0"},
    }
    return versions.add(serving, "auto_mpg", model, {n: p for n, p in papers.items() if n not in without}).number


def inputs(frame: pd.DataFrame) -> dict[str, np.ndarray]:
    read = rows(frame)
    return {feature.name: filled(feature, read.columns[feature.name]) for feature in TASK.features}


def log(path: Path, frame: pd.DataFrame, answers: Any = None, *, version: int = 1, request: str = "car") -> Path:
    """As `sluice serve --log` writes it; the ids are car-0, car-1, ..."""
    asked = Asked(signature="features", inputs=inputs(frame), by_row=True)
    prediction = np.asarray(frame["mpg"] if answers is None else answers, np.float32)
    RequestLog(path).write("auto_mpg", TASK, version, asked, {"prediction": prediction}, request)
    return path
