"""The transform step: statistics from the train split alone, one graph for training and serving."""

from __future__ import annotations

import dataclasses
import functools
import math

import numpy as np
import pytest
import tensorflow as tf

from components.serving.preprocessing import Preprocessing, model_inputs
from components.transform import step as transform
from tasks import InputError


def analysed(task, examples, path):
    transform.analyse(task, task.preprocess, examples, str(path), [])
    return Preprocessing(str(path))


def test_statistics_come_from_the_train_split_only(plane, write_examples, tmp_path):
    train = [{"a": a, "b": 1.0, "side": "left", "y": 0.0} for a in (1.0, 2.0, 3.0)]
    far = [{"a": 1e6, "b": 1e6, "side": "left", "y": 0.0}]
    examples = write_examples(plane, tmp_path / "examples", {"train": train, "eval": far, "test": far})
    graph = analysed(plane, examples, tmp_path / "graph")
    row = {"a": tf.constant([2.0, 3.0]), "b": tf.constant([1.0, 1.0]), "side": tf.constant(["left", "right"])}
    scaled = graph.dense(row)["features"].numpy()
    np.testing.assert_allclose(scaled[:, 0], [0.0, 1 / math.sqrt(2 / 3)], rtol=1e-6)


def test_a_missing_number_counts_as_the_train_mean(plane, write_examples, tmp_path):
    train = [{"a": 1.0, "b": b, "side": "left", "y": 0.0} for b in (1.0, 3.0, None)]
    examples = write_examples(plane, tmp_path / "examples", {"train": train})
    graph = analysed(plane, examples, tmp_path / "graph")
    row = {"a": tf.constant([1.0, 1.0]), "b": tf.constant([math.nan, 2.0]), "side": tf.constant(["left", "left"])}
    scaled = graph.dense(row)["features"].numpy()
    np.testing.assert_array_equal(scaled[0], scaled[1])


def test_a_preprocessing_without_statistics_needs_no_pass_over_the_data(plane):
    def halved(features):
        return {"features": tf.stack([features["a"], features["b"]], axis=1) / 2}

    def positive(features):
        with tf.control_dependencies([tf.debugging.Assert(tf.reduce_all(features["a"] > 0), ["no positive number"])]):
            return halved(features)

    assert transform.needs_analysis(plane, plane.preprocess)
    assert not transform.needs_analysis(plane, halved)
    assert not transform.needs_analysis(plane, positive)


@pytest.mark.parametrize(
    ("preprocess", "sentence"),
    [
        (lambda _: None, r"must return its tensors by name\. Expected a dict such as .* Received: None\."),
        (lambda _: {}, r"Received: \{\}\."),
        (lambda features: features["a"], "must return its tensors by name"),
        (lambda _: {"features": None}, r"Received: \{'features': None\}\."),
        (lambda features: {"features": features["y"]}, r"'y', which is the label and no input: .* only: a, b, side\."),
        (lambda features: {"features": features["sid"]}, r"'sid', which is no feature\. Did you mean 'side'\?"),
    ],
)
def test_a_preprocess_that_asks_or_answers_wrongly_is_told(plane, preprocess, sentence):
    task = dataclasses.replace(plane, preprocess=preprocess)
    with pytest.raises(InputError, match=sentence):
        transform.needs_analysis(task, functools.partial(transform.preprocessed, task))


def test_a_model_input_that_no_output_bears_the_name_of_is_explained(plane):
    model = plane.models["line"].build()
    with pytest.raises(ValueError, match=r"Expected some of: other\. Received: features"):
        model_inputs(model, {"other": tf.zeros([1, 2])})
