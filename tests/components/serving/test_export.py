"""The exported model answers by itself: plain TensorFlow, none of our code."""

from __future__ import annotations

import json
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.evaluate.predictions import ServedModel
from components.serving.export import export
from components.serving.preprocessing import Preprocessing
from components.transform import step as transform

CLIENT = """
import json, os, sys
os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import tensorflow as tf
model = tf.saved_model.load(sys.argv[1])
example = tf.train.Example()
example.features.feature["a"].float_list.value.append(2.0)
example.features.feature["side"].bytes_list.value.append(b"never seen")
by_example = model.signatures["serving_default"](examples=tf.constant([example.SerializeToString()]))
raw = {"a": tf.constant([2.0]), "b": tf.constant([float("nan")]), "side": tf.constant(["never seen"])}
by_name = model.signatures["features"](**raw)
ours = [name for name in sys.modules if name.split(".")[0] in ("components", "tasks", "transforms", "pipelines")]
print(json.dumps([by_example["prediction"].numpy().tolist(), by_name["prediction"].numpy().tolist(), ours]))
"""


@pytest.fixture
def exported(plane, plane_rows, write_examples, tmp_path):
    keras.utils.set_random_seed(0)
    examples = write_examples(plane, tmp_path / "examples", {"train": plane_rows})
    transform.analyse(plane, plane.preprocess, examples, str(tmp_path / "graph"), [])
    model = plane.models["line"].build()
    export(plane, "line", model, Preprocessing(str(tmp_path / "graph")), tmp_path / "serving")
    return tmp_path / "serving"


def test_it_answers_in_a_process_without_our_code(exported, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", CLIENT, str(exported)], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    by_example, by_name, ours = json.loads(done.stdout.splitlines()[-1])
    assert ours == []
    assert np.isfinite(by_example).all()
    np.testing.assert_allclose(by_example, by_name, rtol=1e-6)


def test_the_label_is_no_input_and_changes_nothing(exported):
    served = ServedModel(exported)
    inputs = tf.saved_model.load(str(exported)).signatures["features"].structured_input_signature[1]
    assert set(inputs) == {"a", "b", "side"}
    example = tf.train.Example()
    for name, value in {"a": 1.0, "b": 2.0}.items():
        example.features.feature[name].float_list.value.append(value)
    without = served([example.SerializeToString()])["prediction"]
    example.features.feature["y"].float_list.value.append(1e9)
    np.testing.assert_array_equal(served([example.SerializeToString()])["prediction"], without)


@pytest.mark.parametrize("size", [0, 1, 1000])
def test_batches_of_any_size_are_answered(exported, size):
    assert ServedModel(exported)([b""] * size)["prediction"].shape == (size,)
