"""Rows that all cores preprocess are those of one core: the same order, values and weights, bit for bit."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import tensorflow as tf
from tensorflow_transform.impl_helper import analyze_in_place

import tasks
from components import machine
from components.examples.parse import parsed, tensor_types
from components.serving.preprocessing import Preprocessing
from components.train import preprocessed_rows
from components.train.preprocessed_rows import Sparse
from tasks import Bar, Image, Number, Text, Train
from transforms import images, text

COUNT, BATCH = 333, 8
FEATURES = (Number("size", when_missing="skip_training"), Text("review"), Image("photo", (5, 4)))
WEIGHTED = Train(epochs=1, sample_weight=lambda frame: frame["size"] + frame["review"].str.len())


def preprocess(features):
    words = text.words(features["review"])
    codes = tf.strings.to_hash_bucket_fast(words.flat_values, 50)
    photo = images.decode(features["photo"], (5, 4))
    return {
        "table": tf.stack([tf.math.log1p(features["size"]), tf.math.sin(features["size"] / 3.0)], axis=1),
        "words": text.multi_hot(words.with_flat_values(codes), 50),
        "photo": photo / (1.0 + tf.reduce_max(photo)),  # which changes with the batch that a row is in
        "review": features["review"],
    }


@pytest.fixture(scope="module")
def places(write_examples, several, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    random = np.random.default_rng(0)
    rows = [
        {
            "size": None if number % 7 == 3 else float(random.gamma(2)),
            "review": " ".join(random.choice(["good", "bad", "long", "zwölf"], random.integers(0, 9))),
            "photo": random.integers(0, 256, 20).astype(np.uint8).tobytes(),
            "y": float(number),
        }
        for number in range(COUNT)
    ]
    examples = write_examples(several, folder / "examples", {"train": rows[:250], "eval": rows[250:]})
    analyze_in_place(preprocess, False, {}, tensor_types(several), str(folder / "graph"))
    return examples, Preprocessing(str(folder / "graph"))


@pytest.fixture(scope="module")
def several():
    """A task of a number, a text and a picture."""
    gate = (Bar("mae", 9.0),)
    return dataclasses.replace(tasks.get("auto_mpg"), features=FEATURES, label=Number("y"), slices=(), gate=gate)


def values(rows):
    for name, output in rows.outputs.items():
        if isinstance(output, Sparse):
            for part in (output.positions, output.values):
                yield f"{name} values", part.flat_values.numpy()
                yield f"{name} rows", part.row_splits.numpy()
        else:
            yield name, output.numpy()
    yield "labels", rows.labels.numpy()
    yield "weights", rows.weights.numpy()


def one_batch_after_the_other(task, examples, preprocessing):
    """The table and the labels, by hand."""
    for split in ("train", "eval"):
        for features, label, _ in parsed(task, examples, split, BATCH):
            complete = ~tf.math.is_nan(features["size"])
            some = {name: column[complete] for name, column in features.items()}
            yield preprocessing.graph(some), label[complete]


def test_rows_are_the_same_on_one_core_and_on_several(several, places, monkeypatch):
    monkeypatch.setattr(preprocessed_rows, "READ_BATCH", BATCH)
    examples, preprocessing = places
    found = {}
    for cores in (1, 2, 5):
        monkeypatch.setattr(machine, "cores", lambda cores=cores: cores)
        rows = preprocessed_rows.load(
            preprocessed_rows.Reader(several, WEIGHTED, preprocessing), examples, ("train", "eval")
        )
        assert (rows.count, rows.skipped) == (COUNT - 48, 48)
        found[cores] = dict(values(rows))
    for cores in (2, 5):
        for name, expected in found[1].items():
            assert found[cores][name].dtype == expected.dtype
            np.testing.assert_array_equal(found[cores][name], expected, err_msg=f"{name} on {cores} cores")
    by_hand = list(one_batch_after_the_other(several, examples, preprocessing))
    for name in ("table", "photo", "review"):
        np.testing.assert_array_equal(found[5][name], np.concatenate([made[name] for made, _ in by_hand]))
    np.testing.assert_array_equal(found[5]["labels"][:, 0], np.concatenate([label for _, label in by_hand]))


@pytest.mark.parametrize(
    ("shape", "batches"),
    [
        ((2048, 9), 16),
        ((None, 9), 16),
        ((None, None), 16),
        (None, 16),
        ((2048, 96, 96, 3), 1),
        ((2048, 28, 28), 16),
        ((2048, 64, 64), 8),
    ],
)
def test_large_batches_are_few_at_a_time(monkeypatch, shape, batches):
    monkeypatch.setattr(machine, "cores", lambda: 16)
    assert preprocessed_rows._at_once({"made": tf.TensorSpec(shape, tf.float32)}) == batches
