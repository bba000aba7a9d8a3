"""What was asked of a version against what it was trained on, and labels that came later."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import asked_cars
import numpy as np
import pandas as pd
import pytest
from asked_cars import TASK, cars

import tasks
from components.evaluate import live
from components.examples import drift
from components.skew import skew
from tasks import InputError


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    asked_cars.push(tmp_path / "serving", cars())
    return tmp_path / "serving"


def run(serving: Path, *logs: Path, **options: Any) -> skew.Found:
    return skew.run(task="auto_mpg", logs=[str(log) for log in logs], serving=str(serving), **options)


def beyond(found: skew.Found) -> list[tuple[str, str]]:
    return [(each.column.name, each.drift.distance.name) for each in found.columns if each.drift.beyond]


def test_the_very_rows_of_training_lie_at_no_distance(serving: Path, tmp_path: Path) -> None:
    found = run(serving, asked_cars.log(tmp_path / "asked.jsonl", cars()))
    assert (found.version.number, found.rows, found.trained, found.notes) == (1, 400, 400, [])
    assert {each.column.name for each in found.columns} == {feature.name for feature in TASK.features}
    assert [each.drift.distance.value for each in found.columns] == [0.0] * len(found.columns)


def test_what_validation_would_call_drift_is_skew_with_its_numbers_and_words(serving: Path, tmp_path: Path) -> None:
    half = np.arange(400) % 2 == 0
    heavy = cars(weight=cars()["weight"] + 5000, origin=3, horsepower=cars()["horsepower"].where(half))
    found = run(serving, asked_cars.log(tmp_path / "asked.jsonl", heavy))
    assert beyond(found) == [
        ("horsepower", drift.MISSING),
        ("weight", drift.KOLMOGOROV_SMIRNOV),
        ("origin", drift.TOTAL_VARIATION),
    ]
    other = 1 - (cars()["origin"] == 3).mean()
    [origin] = [each for each in found.columns if each.column.name == "origin" and not each.drift.of_missing]
    assert origin.drift.distance.value == pytest.approx(other)
    assert origin.sentence == (
        "origin: The values have drifted since the serving model was trained. Expected a total variation distance of "
        f"at most {origin.drift.threshold:.3f} (0.25 and {origin.drift.distance.noise:.3f} for chance). "
        f"Received: {other:.3f}."
    )


def test_the_rows_of_other_versions_and_other_tasks_are_left_out_and_counted(serving: Path, tmp_path: Path) -> None:
    log = asked_cars.log(tmp_path / "asked.jsonl", cars(weight=9000), version=7)
    asked_cars.log(log, cars())
    with log.open("a") as file:
        file.write(json.dumps({"task": "boats", "version": 1, "instance": {}, "prediction": {}}) + "\n")
        file.write('{"id": "cut off in the mid')
    found = run(serving, log)
    assert (found.rows, beyond(found)) == (400, [])
    assert found.notes == [
        "Lines or records left out, as they are no requests of auto_mpg: 1.",
        "Rows left out, as they were asked of boats: 1.",
        "Rows left out, as other versions (7) answered them: 400.",
    ]
    asked_cars.push(serving, cars())
    assert run(serving, log).rows == 0  # nothing was asked of the newest yet
    assert run(serving, log, version=1).rows == 400


def test_packed_logs_and_globs_count_whatever_they_are_called(serving: Path, tmp_path: Path) -> None:
    plain = asked_cars.log(tmp_path / "asked.jsonl.1", cars())
    (tmp_path / "asked-yesterday").write_bytes(gzip.compress(plain.read_bytes()))
    assert run(serving, tmp_path / "asked*").rows == 800


def test_a_few_rows_show_nothing_and_are_told_to(serving: Path, tmp_path: Path) -> None:
    found = run(serving, asked_cars.log(tmp_path / "asked.jsonl", cars(weight=9000)[:3]))
    assert beyond(found) == []
    assert found.notes[0].startswith("So few rows can show no skew in cylinders, displacement")


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("weight,origin\n3504,1\n", r"no request of auto_mpg\. Expected JSON lines.*Received lines or records"),
        ('{"weight": 3504}\n', "Received lines or records of another kind"),
        (
            '{"task": "boats", "instance": {}, "prediction": {}}\n',
            "no request of auto_mpg. Received requests of: boats",
        ),
    ],
)
def test_what_is_no_log_of_this_task(serving: Path, tmp_path: Path, content: str, sentence: str) -> None:
    (tmp_path / "asked.jsonl").write_text(content)
    with pytest.raises(InputError, match=sentence):
        run(serving, tmp_path / "asked.jsonl")


def test_an_empty_log_is_no_skew_but_a_missing_one_is_an_error(serving: Path, tmp_path: Path) -> None:
    (tmp_path / "asked.jsonl").touch()
    found = run(serving, tmp_path / "asked.jsonl")
    assert (found.rows, found.columns) == (0, [])
    with pytest.raises(InputError, match="There is no file"):
        run(serving, tmp_path / "elsewhere.jsonl")


def test_a_version_without_statistics(tmp_path: Path) -> None:
    asked_cars.push(tmp_path / "serving", cars(), "statistics.json")
    with pytest.raises(InputError, match="Version 1 of auto_mpg has no statistics"):
        run(tmp_path / "serving", asked_cars.log(tmp_path / "asked.jsonl", cars()))


def labels(path: Path, frame: pd.DataFrame, **columns: Any) -> str:
    ids = [f"car-{at}" for at in range(len(frame))]
    pd.DataFrame({"id": ids, "mpg": frame["mpg"]}).assign(**columns).to_csv(path, index=False)
    return str(path)


def test_labels_that_came_later_measure_the_model_beside_the_gate(serving: Path, tmp_path: Path) -> None:
    frame = cars()
    log = asked_cars.log(tmp_path / "asked.jsonl", frame, frame["mpg"] + 2)
    known = labels(tmp_path / "known.csv", frame, mpg=frame["mpg"].where(frame.index < 300))
    found = run(serving, log, labels=known)
    assert found.notes == ["Rows with a label: 300 of 400."]
    assert found.answered is not None
    assert found.raw is not None
    assert found.raw["weight"].tolist() == frame["weight"][:300].tolist()
    [mae] = live.measured(TASK, found.answered, found.raw, asked_cars.BLESSING)
    assert mae.now.value == pytest.approx(2.0, abs=1e-5)
    assert (mae.now.rows, mae.now.passed, mae.beyond) == (300, True, False)
    assert (mae.then, mae.then_interval) == (1.25, [1.0, 1.5])
    assert found.columns[-1].column.name == "mpg"  # the labels' own distribution


def test_a_missed_bar_counts_only_where_it_is_more_than_chance(serving: Path, tmp_path: Path) -> None:
    def mae(error: np.ndarray) -> live.Live:
        answered = pd.DataFrame({"label": np.zeros(len(error)), "prediction": error})
        [found] = live.measured(TASK, answered, pd.DataFrame(index=answered.index), {})
        return found

    spread = np.abs(np.random.default_rng(0).normal(size=200))
    sure, unsure = mae(3 + spread), mae(2.55 * np.tile([0.1, 1.9], 100))
    assert (sure.now.passed, sure.beyond, sure.then) == (False, True, None)
    assert (unsure.now.passed, unsure.beyond) == (False, False)
    assert unsure.now.reason == "mae 2.55 is above the bar 2.5"


def test_labels_that_cannot_be_used_are_told(serving: Path, tmp_path: Path) -> None:
    frame = cars()
    log = asked_cars.log(tmp_path / "asked.jsonl", frame)
    odd = labels(tmp_path / "odd.csv", frame, mpg=["soon", *frame["mpg"][1:]])
    assert "Labels that cannot be used: 1 x mpg is not a number." in run(serving, log, labels=odd).notes
    others = labels(tmp_path / "others.csv", frame, id=[f"boat-{at}" for at in range(400)])
    with pytest.raises(InputError, match=r"the log has none of their ids, such as 'boat-0'\. Expected the id"):
        run(serving, log, labels=others)
    with pytest.raises(InputError, match="has no column 'plate'"):
        run(serving, log, labels=odd, key="plate")
    with pytest.raises(InputError, match="--key names the column of the ids"):
        run(serving, log, labels=odd, key="mpg")


def test_classes_are_joined_by_the_order_of_the_label(tmp_path: Path) -> None:
    from components.skew.labels import Labels, answers
    from components.skew.read_log import Row

    clothes = tasks.get("fashion_mnist")
    shares = [0.1] * 9 + [0.1]
    row = Row(key="a", task="", version=1, instance={}, answer={"probabilities": shares, "class": "Coat"})
    short = Row(key="b", task="", version=1, instance={}, answer={"probabilities": [1.0]})
    frame, raw = answers(clothes, Labels({"a": 4, "b": 2}), {"a": row, "b": short})
    assert frame.to_dict("list") == {"label": [4], "prediction": [shares]}
    assert raw.to_dict("list") == {"image": [b""]}


@pytest.mark.slow
def test_tensorflow_servings_own_log(serving: Path, tmp_path: Path) -> None:
    import tensorflow as tf
    from tensorflow_serving.apis.prediction_log_pb2 import PredictionLog

    frame = cars(weight=9000)
    with tf.io.TFRecordWriter(str(tmp_path / "predictions")) as writer:
        for name, version in (("auto-mpg", 1), ("auto_mpg", 0), ("auto_mpg", 5), ("boats", 1)):
            log = PredictionLog()
            request, response = log.predict_log.request, log.predict_log.response
            request.model_spec.name, request.model_spec.signature_name = name, "features"
            response.model_spec.version.value = version
            for feature, values in asked_cars.inputs(frame).items():
                request.inputs[feature].CopyFrom(tf.make_tensor_proto(values))
            response.outputs["prediction"].CopyFrom(tf.make_tensor_proto(frame["mpg"].to_numpy(np.float32)))
            writer.write(log.SerializeToString())
        by_example = PredictionLog()
        example = tf.train.Example()
        example.features.feature["weight"].float_list.value.append(9000.0)
        proto = tf.make_tensor_proto([example.SerializeToString()])
        by_example.predict_log.request.inputs["examples"].CopyFrom(proto)
        writer.write(by_example.SerializeToString())
        writer.write(PredictionLog().SerializeToString())
    with (tmp_path / "predictions").open("r+b") as file:  # as if the server were writing the last one still
        file.truncate(file.seek(0, 2) - 1)
    found = run(serving, tmp_path / "predictions")
    assert found.rows == 801
    assert ("weight", drift.KOLMOGOROV_SMIRNOV) in beyond(found)
    assert found.notes == [
        "Lines or records left out, as they are no requests of auto_mpg: 1.",
        "Rows left out, as they were asked of boats: 400.",
        "Rows left out, as other versions (5) answered them: 400.",
        "Rows that do not say which version answered, and count as of version 1: 401.",
    ]
    whole = (tmp_path / "predictions").read_bytes()
    (tmp_path / "predictions").write_bytes(whole[:40] + b"?" + whole[41:])
    with pytest.raises(InputError, match="predictions is damaged: record 1 does not have the checksum"):
        run(serving, tmp_path / "predictions")
