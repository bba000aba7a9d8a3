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
    model.compile("adam", "mse", metrics=["mae"])
    model.fit(np.zeros((4, 2)), np.zeros(4), verbose=0)  # so there is an optimizer's state, and a metric's
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


def weights(path):
    """What the variables' file holds: shapes by name."""
    shapes = tf.train.load_checkpoint(str(path / "variables" / "variables")).get_variable_to_shape_map()
    return {name: shape for name, shape in shapes.items() if name != "_CHECKPOINTABLE_OBJECT_GRAPH"}


def asked_as_servers_do(path, signature, **features):
    """By the loader of TF Serving, Java, C and Go: a graph and a session, and no Python object."""
    with tf.Graph().as_default(), tf.compat.v1.Session() as session:
        found = tf.compat.v1.saved_model.load(session, ["serve"], str(path)).signature_def[signature]
        feed = {found.inputs[name].name: values for name, values in features.items()}
        return session.run({name: tensor.name for name, tensor in found.outputs.items()}, feed)


def test_nothing_but_the_weights_that_answer_is_in_it(exported):
    assert sorted(weights(exported).values()) == [[1], [2, 1]]
    size = (exported / "variables" / "variables.data-00000-of-00001").stat().st_size
    names = 800  # at most, for the graph of objects
    assert 3 * 4 <= size <= 3 * 4 + names


def test_servers_load_it_as_python_does(exported):
    loaded = tf.saved_model.load(str(exported))
    raw = {"a": [2.0, 3.0], "b": [float("nan"), 1.0], "side": ["left", "never seen"]}
    wanted = loaded.signatures["features"](**{name: tf.constant(values) for name, values in raw.items()})
    received = asked_as_servers_do(exported, "features", **raw)
    np.testing.assert_allclose(received["prediction"], wanted["prediction"], rtol=1e-6)
    wanted = loaded.signatures["serving_default"](examples=tf.constant([b""]))
    received = asked_as_servers_do(exported, "serving_default", examples=[b""])
    np.testing.assert_allclose(received["prediction"], wanted["prediction"], rtol=1e-6)


class Drawer(keras.layers.Layer):
    """What a layer may hold that is no weight of Keras: a variable and a table of TensorFlow's; and one that rests."""

    def __init__(self):
        super().__init__()
        self.own = tf.Variable([3.0], name="kernel")
        self.unread = tf.Variable(tf.zeros([1000]))
        keys = tf.lookup.KeyValueTensorInitializer([0, 1], [5.0, 7.0], key_dtype=tf.int64)
        self.table = tf.lookup.StaticHashTable(keys, default_value=0.0)

    def call(self, inputs):
        return self.own * inputs + self.table.lookup(tf.cast(inputs > 0, tf.int64))


def _odd():
    """Three variables of the same name, a random seed, a layer that is used twice, and a drawer."""
    inputs = keras.Input((2,), name="features")
    inner = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="dense")], name="inner")
    again = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, name="dense")], name="again")
    x = keras.layers.Dropout(0.5)(inner(again(again(inputs))))
    return keras.Model(inputs, Drawer()(keras.layers.Dense(1, name="dense")(x)))


def test_whatever_a_model_holds_servers_find_it(plane, plane_rows, write_examples, tmp_path):
    examples = write_examples(plane, tmp_path / "examples", {"train": plane_rows})
    transform.analyse(plane, plane.preprocess, examples, str(tmp_path / "graph"), [])
    keras.utils.set_random_seed(0)
    model = _odd()
    served = export(plane, "line", model, Preprocessing(str(tmp_path / "graph")), tmp_path / "serving")
    assert sorted(weights(tmp_path / "serving").values()) == [[1], [1], [2], [2], [2, 1], [2, 2], [2, 2]]
    raw = {"a": [2.0, 3.0], "b": [0.0, 1.0], "side": ["left", "right"]}
    wanted = served.predict({name: tf.constant(values) for name, values in raw.items()})["prediction"]
    received = asked_as_servers_do(tmp_path / "serving", "features", **raw)["prediction"]
    np.testing.assert_allclose(received, wanted, rtol=1e-6)
