from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

import tasks
from components.rest_server import classify_regress
from components.rest_server.request_log import RequestLog
from components.rest_server.tensor_json import Asked
from tasks import InputError

TASK = tasks.get("auto_mpg")
NAMES = [feature.name for feature in TASK.features]


def cars(**changes: list[float]) -> Asked:
    inputs = {name: np.array([1.0, 2.5], np.float32) for name in NAMES} | {"origin": np.array([1, -1])}
    return Asked(signature="features", inputs=inputs | {k: np.array(v) for k, v in changes.items()}, by_row=True)


def lines(path: Path) -> list[dict]:
    return [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]


def test_a_line_for_each_row_without_what_is_missing(tmp_path):
    log = RequestLog(tmp_path / "asked.jsonl")
    outputs = {"prediction": np.array([20.1, np.nan], np.float32)}
    log.write("auto_mpg", TASK, 3, cars(horsepower=[np.nan, 95.0]), outputs, "abc")
    first, second = lines(tmp_path / "asked.jsonl")
    assert datetime.fromisoformat(first.pop("time")).utcoffset() is not None
    car = dict.fromkeys(NAMES, 1.0) | {"origin": 1}
    del car["horsepower"]
    whole = {"task": "auto_mpg", "version": 3, "signature": "features"}
    assert first == {"id": "abc-0", **whole, "instance": car, "prediction": {"prediction": 20.1}}
    assert second["instance"] == dict.fromkeys(NAMES[:-1], 2.5) | {"horsepower": 95.0}
    assert second["prediction"] == {"prediction": None}


def test_examples_are_told_by_their_features_too(tmp_path):
    log = RequestLog(tmp_path / "asked.jsonl")
    asked = classify_regress.asked({"examples": [{"cylinders": 8.0, "origin": 1, "other": 5}]}, TASK, "regress")
    log.write("auto_mpg", TASK, 3, asked, {"prediction": np.array([20.5], np.float32)}, "abc")
    [line] = lines(tmp_path / "asked.jsonl")
    assert line["id"] == "abc"
    assert line["instance"] == {"cylinders": 8.0, "origin": 1}


def test_texts_and_pictures(tmp_path):
    log = RequestLog(tmp_path / "asked.jsonl")
    texts = Asked(signature="features", inputs={"text": np.array(["é".encode(), b"\xff", b""], "O")}, by_row=True)
    log.write("imdb_padded", tasks.get("imdb_padded"), 1, texts, {"probability": np.zeros(3, np.float32)}, "a")
    picture = Asked(signature="features", inputs={"image": np.array([b"\x00\xff"], "O")}, by_row=True)
    outputs = {"class": np.array([b"Coat"], "O"), "probabilities": np.zeros((1, 2), np.float32)}
    log.write("fashion_mnist", tasks.get("fashion_mnist"), 1, picture, outputs, "b")
    found = [line["instance"] for line in lines(tmp_path / "asked.jsonl")]
    assert found == [{"text": "é"}, {"text": {"b64": "/w=="}}, {}, {"image": {"b64": "AP8="}}]
    assert lines(tmp_path / "asked.jsonl")[3]["prediction"] == {"class": "Coat", "probabilities": [0.0, 0.0]}


def test_it_goes_on_where_an_earlier_one_ended(tmp_path):
    for _ in range(2):
        RequestLog(tmp_path / "asked.jsonl").write(
            "auto_mpg", TASK, 1, cars(), {"prediction": np.zeros(2, np.float32)}, "x"
        )
    assert len(lines(tmp_path / "asked.jsonl")) == 4


def test_a_full_disk_is_told_once_and_stops_nothing(capsys):
    log = RequestLog(Path("/dev/full"))
    for _ in range(2):
        log.write("auto_mpg", TASK, 1, cars(), {"prediction": np.zeros(2, np.float32)}, "x")
    assert capsys.readouterr().err == "The log /dev/full cannot be written: No space left on device.\n"


def test_a_log_that_cannot_be(tmp_path):
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        RequestLog(tmp_path)
