"""Dates from the file to what is served."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import tensorflow as tf

import tasks
from components.check_task import fitted
from components.examples import parse
from components.examples.encode import encode
from components.predict.predict import answered
from components.predict.write_answers import table
from components.reading.data_frames import read_frames
from components.rest_server import classify_regress, tensor_json
from components.serving.export import export
from components.serving.pushed_model import RawModel
from components.serving.raw_features import raw_rows
from components.train import preprocessed_rows
from tasks import Date, InputError, Task, Train

NAMES = ["when", "temperature", "holiday"]


class Served(NamedTuple):
    task: Task
    path: Path
    signatures: Any
    preprocessing: Any
    rows: dict[str, tf.Tensor]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Served:
    folder = tmp_path_factory.mktemp("rentals")
    prepared = fitted.fit("bike_rentals", folder)
    export(prepared.task, "mlp", prepared.task.models["mlp"].make(prepared.graph), prepared.preprocessing, folder / "m")
    loaded = tf.saved_model.load(str(folder / "m"))
    return Served(prepared.task, folder / "m", loaded.signatures, prepared.preprocessing, dict(prepared.features))


def asked(served: Served, *when: str) -> list[float]:
    count = len(when)
    inputs = {"when": tf.constant(when), "temperature": tf.fill([count], 9.5), "holiday": tf.fill([count], "no")}
    return served.signatures["features"](**inputs)["prediction"].numpy().tolist()


@pytest.mark.slow
def test_a_request_holds_text_and_the_preprocessing_sees_seconds(served: Served) -> None:
    assert served.rows["when"].dtype == tf.float64
    assert served.rows["when"].numpy()[:2].tolist() == [1767571200.0, 1767574800.0]
    (_, inputs) = served.signatures["features"].structured_input_signature
    assert inputs["when"].dtype == tf.string
    one, same, shifted, other = asked(
        served, "2026-11-24T18:00", "2026-11-24 18:00:00Z", "2026-11-24T19:00+01:00", "2026-11-24T06:00"
    )
    assert one == same == shifted != other


@pytest.mark.slow
def test_examples_and_json_mean_the_same(served: Served) -> None:
    given = {"when": "2026-11-24T18:00", "temperature": 9.5, "holiday": "no"}
    expected = asked(served, "2026-11-24T18:00")
    example = classify_regress.asked({"examples": [given]}, served.task, "regress")
    answer = served.signatures["serving_default"](examples=tf.constant(example.inputs["examples"].tolist()))
    np.testing.assert_allclose(answer["prediction"], expected, rtol=1e-6)
    assert raw_rows(served.task, example.signature, example.inputs) == [given]
    kinds = {"features": {"when": "string", "temperature": "float32", "holiday": "string"}}
    coded = {**given, "when": {"b64": "MjAyNi0xMS0yNFQxODowMA=="}}
    rows = tensor_json.asked({"signature_name": "features", "instances": [given, coded]}, kinds)
    assert rows.inputs["when"].tolist() == [b"2026-11-24T18:00"] * 2
    assert raw_rows(served.task, rows.signature, rows.inputs) == [given, given]


@pytest.mark.slow
def test_a_request_without_the_date_is_answered_and_one_that_is_none_is_refused(served: Served) -> None:
    assert np.isfinite(asked(served, "")).all()
    with pytest.raises(tf.errors.InvalidArgumentError, match=r"when must be an ISO date or time"):
        asked(served, "24.11.2026")


@pytest.mark.slow
@pytest.mark.parametrize("when_missing", ["reject", "keep", "skip_training"])
def test_predict_answers_as_when_missing_says(served: Served, when_missing: Any) -> None:
    _, *others = served.task.features
    features = (Date("when", when_missing=when_missing), *others)
    model = RawModel(served.path, served.task)
    rows = pd.DataFrame({"when": ["2026-11-24T18:00", None, "soon"], "temperature": 9.5, "holiday": "no"})
    (batch,) = read_frames([rows], "rows", NAMES)
    task = dataclasses.replace(served.task, features=features)
    told = table(answered(task, model, batch, False)).to_pylist()
    assert told[0]["prediction"] == pytest.approx(asked(served, "2026-11-24T18:00")[0], rel=1e-5)
    if when_missing == "reject":
        assert told[1]["error"] == "rows row 2: when is missing"
    else:
        assert told[1]["prediction"] == pytest.approx(asked(served, "")[0], rel=1e-5)
    assert told[2]["error"].startswith("rows row 3: when is no ISO date or time (write 2026-11-24, ")


def test_examples_hold_iso_texts_and_give_them_back_as_moments() -> None:
    moments = pa.array([1_795_543_380_250_000, None, 0], pa.timestamp("us", "UTC"))
    records = encode({"when": moments}, np.array([1, 2, 3], np.uint64))
    texts = [tf.train.Example.FromString(record).features.feature["when"].bytes_list.value[:] for record in records]
    assert texts == [[b"2026-11-24T18:03:00.25Z"], [], [b"1970-01-01"]]
    spec = parse.parsing_spec((Date("when"),))
    found = parse.decoded((Date("when"),), tf.io.parse_example(tf.constant(records), spec))
    assert found["when"].dtype == tf.float64
    frame = parse.frame((Date("when"),), {"when": found["when"].numpy()})
    assert frame["when"].tolist()[::2] == [pd.Timestamp("2026-11-24T18:03:00.25Z"), pd.Timestamp("1970-01-01T00:00Z")]
    assert frame["when"].isna().tolist() == [False, True, False]
    assert frame["when"].dt.tz is not None


@pytest.mark.slow
def test_sample_weights_are_made_of_moments(served: Served) -> None:
    """Newer rows may count more."""

    def newer(rows: pd.DataFrame) -> Any:
        return (rows["when"] - pd.Timestamp("2026-01-05", tz="UTC")).dt.total_seconds() / 3600

    weights = preprocessed_rows._sample_weights(served.task, Train(epochs=1, sample_weight=newer), served.rows)
    assert weights is not None
    assert weights[:4].tolist() == [0, 1, 2, 3]


@pytest.mark.slow
def test_seconds_that_are_handed_on_as_they_are(served: Served) -> None:
    from components.transform.step import preprocessed

    task = dataclasses.replace(served.task, preprocess=lambda features: {"x": features["when"]})
    with pytest.raises(InputError, match=r"returns 'x' as float64\. Expected float32, .* such as dates\.calendar"):
        preprocessed(task, served.rows)


def test_the_documented_request_is_json() -> None:
    line = next(line for line in (tasks.bike_rentals.__doc__ or "").splitlines() if "echo" in line)
    assert set(json.loads(line.split("'")[1])) == set(NAMES)
