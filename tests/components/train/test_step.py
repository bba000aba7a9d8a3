"""Training: the same numbers for the same seed, resumption as if nothing had happened, rows and weights as declared."""

from __future__ import annotations

import contextlib
import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras.src import losses, optimizers

from components.serving.preprocessing import Preprocessing
from components.train import preprocessed_rows, shuffled_batches
from components.train import step as train
from components.train.optimizer import optimizer
from components.transform import step as transform
from tasks import LOSSES, OPTIMIZERS, Bar, Category, InputError, Model, Train


@pytest.fixture
def prepared(plane, plane_rows, write_examples, tmp_path):
    examples = write_examples(plane, tmp_path / "examples", {"train": plane_rows[:30], "eval": plane_rows[30:]})
    transform.analyse(plane, plane.preprocess, examples, str(tmp_path / "graph"), [])
    return examples, Preprocessing(str(tmp_path / "graph"))


def noisy():
    """A model with dropout: resuming must also bring back the state of its random numbers."""
    return keras.Sequential(
        [keras.Input((2,), name="features"), keras.layers.Dense(8), keras.layers.Dropout(0.5), keras.layers.Dense(1)]
    )


def fitted(task, prepared, directory, settings, seed=0):
    examples, preprocessing = prepared
    task = dataclasses.replace(task, models={"line": Model(noisy, settings)})
    keras.utils.set_random_seed(seed)
    rows = preprocessed_rows.load(preprocessed_rows.Reader(task, settings, preprocessing), examples, ("train",))
    watched = preprocessed_rows.load(preprocessed_rows.Reader(task, settings, preprocessing), examples, ("eval",))
    model = train.build(task, "line", {}, rows)
    resume = train.fit(task, "line", model, settings, rows, watched, seed, directory)
    return resume, [np.asarray(weights) for weights in model.get_weights()]


SETTINGS = Train(epochs=6, batch_size=4, optimizer="adam", learning_rate=0.05, patience=2)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_weights_and_another_seed_others(plane, prepared, tmp_path):
    _, first = fitted(plane, prepared, tmp_path / "1", SETTINGS)
    _, again = fitted(plane, prepared, tmp_path / "2", SETTINGS)
    _, other = fitted(plane, prepared, tmp_path / "3", SETTINGS, seed=1)
    for one, two, three in zip(first, again, other, strict=True):
        np.testing.assert_array_equal(one, two)
        assert not np.array_equal(one, three)


class Killed(Exception):
    pass


class KillAfter(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        if epoch + 1 == 3:
            raise Killed


def test_a_killed_fit_goes_on_after_its_last_finished_epoch_to_the_same_end(plane, prepared, tmp_path):
    whole, expected = fitted(plane, prepared, tmp_path / "whole", SETTINGS)
    with pytest.raises(Killed):
        fitted(plane, prepared, tmp_path / "cut", dataclasses.replace(SETTINGS, callbacks=lambda: [KillAfter()]))
    resumed, received = fitted(plane, prepared, tmp_path / "cut", SETTINGS)
    assert resumed.history == whole.history
    assert resumed.best_epoch == whole.best_epoch
    for one, two in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, two)


class Halve(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        rate = self.model.optimizer.learning_rate
        rate.assign(rate / 2)


class StopAfter(keras.callbacks.Callback):
    def on_epoch_end(self, epoch, logs=None):
        self.model.stop_training = epoch + 1 == 2


def test_what_callbacks_did_is_there_again_after_a_kill(plane, prepared, tmp_path):
    halving = dataclasses.replace(SETTINGS, callbacks=lambda: [Halve()])
    _, expected = fitted(plane, prepared, tmp_path / "whole", halving)
    killed = dataclasses.replace(SETTINGS, callbacks=lambda: [Halve(), KillAfter()])
    with pytest.raises(Killed):
        fitted(plane, prepared, tmp_path / "cut", killed)
    _, received = fitted(plane, prepared, tmp_path / "cut", halving)
    for one, two in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_callback_that_stops_training_has_stopped_it(plane, prepared, tmp_path):
    stopping = dataclasses.replace(SETTINGS, callbacks=lambda: [StopAfter()])
    assert fitted(plane, prepared, tmp_path / "run", stopping)[0].epoch == 2
    assert fitted(plane, prepared, tmp_path / "run", SETTINGS)[0].epoch == 2


def test_a_fit_killed_after_its_last_epoch_trains_no_more(plane, prepared, tmp_path):
    whole, expected = fitted(plane, prepared, tmp_path / "run", SETTINGS)
    again, received = fitted(plane, prepared, tmp_path / "run", SETTINGS)
    assert again.history == whole.history
    for one, two in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, two)


def test_rows_without_an_optional_feature_are_not_trained_on(plane, prepared, write_examples, tmp_path):
    rows = [{"a": 1.0, "b": b, "side": "left", "y": 1.0} for b in (1.0, None, 2.0, None, None)]
    examples = write_examples(plane, tmp_path / "gaps", {"train": rows})
    loaded = preprocessed_rows.load(preprocessed_rows.Reader(plane, SETTINGS, prepared[1]), examples, ("train",))
    assert (loaded.count, loaded.skipped) == (2, 3)


def test_no_rows_at_all_is_a_sentence(plane, prepared, write_examples, tmp_path):
    examples = write_examples(plane, tmp_path / "none", {"train": []})
    with pytest.raises(ValueError, match="no rows in train"):
        preprocessed_rows.load(preprocessed_rows.Reader(plane, SETTINGS, prepared[1]), examples, ("train",))


def test_balanced_class_weights_give_each_class_the_same_share(plane):
    task = dataclasses.replace(plane, label=Category("y", ("no", "yes")), gate=(Bar("auc", 0.5),))
    weights = preprocessed_rows.class_weights(
        task, dataclasses.replace(SETTINGS, class_weights="balanced"), np.array([0, 0, 0, 1])
    )
    np.testing.assert_allclose(weights, [4 / 6, 2.0])
    named = preprocessed_rows.class_weights(
        task, dataclasses.replace(SETTINGS, class_weights={"yes": 3.0}), np.array([0, 1])
    )
    np.testing.assert_allclose(named, [1.0, 3.0])


def test_sample_weights_reach_the_batches(plane, prepared):
    settings = dataclasses.replace(SETTINGS, sample_weight=lambda frame: frame["a"] + 1)
    rows = preprocessed_rows.load(preprocessed_rows.Reader(plane, settings, prepared[1]), prepared[0], ("train",))
    assert rows.weights is not None
    np.testing.assert_allclose(rows.weights.numpy()[:3], [1.0, 2.0, 3.0])


def test_sparse_rows_are_made_dense_a_batch_at_a_time():
    table = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [3, 0, 0, 0]], np.float32)
    sparse = preprocessed_rows.Sparse.of(tf.sparse.from_dense(table))
    np.testing.assert_array_equal(sparse.gather(tf.constant([2, 0, 1, 0])).numpy(), table[[2, 0, 1, 0]])


def test_each_epoch_has_its_own_order_that_hangs_on_nothing_else(plane, prepared):
    rows = preprocessed_rows.load(preprocessed_rows.Reader(plane, SETTINGS, prepared[1]), prepared[0], ("train",))

    epoch = shuffled_batches.Epoch()
    dataset = shuffled_batches.order(rows, 4, seed=5, epochs=epoch.now)

    def order(number):
        epoch.on_epoch_begin(number)
        return np.concatenate(list(dataset.as_numpy_iterator())).tolist()

    first, second = order(0), order(1)
    assert sorted(first) == sorted(second) == list(range(rows.count))
    assert first != second
    assert order(0) == first


def made_by_name(get, names):
    """The names of which Keras makes something without being told more."""
    for name in names:
        with contextlib.suppress(TypeError, KeyError):
            get(name)
            yield name


def test_the_names_that_settings_take_are_those_that_keras_knows():
    assert set(OPTIMIZERS) == set(made_by_name(keras.optimizers.get, optimizers.ALL_OBJECTS_DICT))
    # The base class computes nothing.
    assert {"Loss", *LOSSES} == set(made_by_name(keras.losses.get, losses.ALL_OBJECTS_DICT))


def layers(units, activation=None):
    return lambda: keras.Sequential(
        [keras.Input((2,), name="features"), keras.layers.Dense(units, activation=activation)]
    )


def flat():
    inputs = keras.Input((2,), name="features")
    return keras.Model(inputs, keras.layers.Flatten()(keras.layers.Dense(1)(inputs))[:, 0])


THREE, TWO = Category("y", ("boat", "car", "train")), Category("y", ("no", "yes"))


@pytest.mark.parametrize(
    ("label", "build", "sentence"),
    [
        (THREE, layers(2, "softmax"), r"Expected Dense\(3, activation='softmax'\) .* Received: 2 units, of shape "),
        (THREE, layers(1, "sigmoid"), r"the 3 values of the label 'y'\. .* Received: 1 unit, of shape \(rows, 1\)\."),
        (THREE, layers(5, "softmax"), "Received: 5 units"),
        (THREE, layers(3, "sigmoid"), r"Received: answers that add up to \S+ in a row\."),
        (THREE, layers(3), r"Received: answers from -\S+ to \S+, which no probabilities are\."),
        (TWO, layers(2, "softmax"), r"Expected Dense\(1, activation='sigmoid'\) at the end\. Received: 2 units"),
        (TWO, layers(1), "Received: answers from"),
        (None, layers(2), r"a number for the label 'y'\. Expected Dense\(1\) at the end\. Received: 2 units"),
        (None, flat, r"Received: no row of units, of shape \(rows\)\."),
    ],
)
def test_a_model_that_does_not_answer_for_its_label_is_refused_before_it_is_fitted(
    plane, prepared, label, build, sentence
):
    rows = preprocessed_rows.load(preprocessed_rows.Reader(plane, SETTINGS, prepared[1]), prepared[0], ("train",))
    keras.utils.set_random_seed(0)
    with pytest.raises(InputError, match=rf"^Model 'line' does not answer with .*{sentence}"):
        train.build(of_label(plane, label, build), "line", {}, rows)


def test_a_function_that_returns_no_model_is_told(plane, prepared):
    rows = preprocessed_rows.load(preprocessed_rows.Reader(plane, SETTINGS, prepared[1]), prepared[0], ("train",))
    task = of_label(plane, None, lambda: None)
    with pytest.raises(InputError, match=r"model 'line' must return it\. Expected a keras\.Model\. Received: None\."):
        train.build(task, "line", {}, rows)


def of_label(plane, label, build):
    gate = (Bar("accuracy", 0.5),) if label else plane.gate
    return dataclasses.replace(plane, label=label or plane.label, gate=gate, models={"line": Model(build, SETTINGS)})


@pytest.mark.parametrize("label", [THREE, TWO])
def test_half_precision_is_near_enough_to_probabilities(plane, prepared, label):
    rows = preprocessed_rows.load(preprocessed_rows.Reader(plane, SETTINGS, prepared[1]), prepared[0], ("train",))
    policy = keras.dtype_policies.DTypePolicy("mixed_float16")
    units, activation = (3, "softmax") if label is THREE else (1, "sigmoid")
    inputs = keras.Input((2,), name="features")
    half = keras.Model(inputs, keras.layers.Dense(units, activation=activation, dtype=policy)(inputs))
    assert train.build(of_label(plane, label, lambda: half), "line", {}, rows) is half


@pytest.mark.parametrize("schedule", ["constant", "cosine", "exponential"])
def test_learning_rate_schedules_start_at_the_declared_rate(schedule):
    made = optimizer(Train(epochs=2, optimizer="sgd", learning_rate=0.5, schedule=schedule), steps=10)
    assert float(made.learning_rate) == pytest.approx(0.5)


def test_a_model_with_a_list_of_inputs_gets_each_of_them(plane, plane_rows, write_examples, tmp_path):
    def preprocess(features):
        return {"one": features["a"][:, None], "two": features["b"][:, None]}

    def both():
        inputs = [keras.Input((1,), name="one"), keras.Input((1,), name="two")]
        return keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Concatenate()(inputs)))

    task = dataclasses.replace(plane, preprocess=preprocess)
    examples = write_examples(task, tmp_path / "examples", {"train": plane_rows[:30], "eval": plane_rows[30:]})
    transform.analyse(task, preprocess, examples, str(tmp_path / "graph"), [])
    task = dataclasses.replace(task, models={"line": Model(both, SETTINGS)})
    rows = preprocessed_rows.load(
        preprocessed_rows.Reader(task, SETTINGS, Preprocessing(str(tmp_path / "graph"))), examples, ("train",)
    )
    model = train.build(task, "line", {}, rows)
    resume = train.fit(task, "line", model, SETTINGS, rows, rows, 0, tmp_path)
    assert resume.history["loss"][-1] < resume.history["loss"][0]
