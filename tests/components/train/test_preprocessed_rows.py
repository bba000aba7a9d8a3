"""Preprocessed rows on disk are those in memory: the same batches, and so the same weights; and they outlive a kill."""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from components import machine
from components.serving.preprocessing import Preprocessing
from components.train import preprocessed_rows, rows_on_disk, shuffled_batches
from components.train import step as train
from components.train.preprocessed_rows import Room
from components.transform import step as transform
from tasks import Model, Train

COUNT = 41
RANDOM = np.random.default_rng(0)
LENGTHS = RANDOM.integers(0, 5, COUNT)
WORDS = np.array([b"", b"one", "zwölf".encode(), b"\x00\xff" * 9])
NUMBERS = RANDOM.normal(size=(COUNT, 3)).astype(np.float32)


def ragged(values):
    return tf.RaggedTensor.from_row_lengths(values, LENGTHS)


OUTPUTS = {
    "numbers": tf.constant(NUMBERS),
    "integers": tf.constant(RANDOM.integers(0, 9, COUNT)),
    "images": tf.constant(RANDOM.random((COUNT, 4, 4, 2)).astype(np.float32)),
    "texts": tf.constant(RANDOM.choice(WORDS, COUNT)),
    "pairs of texts": tf.constant(RANDOM.choice(WORDS, (COUNT, 2))),
    "ragged numbers": ragged(RANDOM.normal(size=(LENGTHS.sum(), 2)).astype(np.float32)),
    "ragged texts": ragged(RANDOM.choice(WORDS, LENGTHS.sum())),
    "sparse": tf.sparse.from_dense(RANDOM.integers(0, 2, (COUNT, 6)).astype(np.float32)),
}


def pieces(outputs):
    """In three batches, of which one is empty."""
    for start, end in ((0, 20), (20, 20), (20, COUNT)):
        yield {
            name: tf.sparse.slice(rows, [start, 0], [end - start, rows.shape[1]])
            if isinstance(rows, tf.SparseTensor)
            else rows[start:end]
            for name, rows in outputs.items()
        }


def kept(outputs, room):
    kept = preprocessed_rows.Kept(room, room.folder / "train")
    for piece in pieces(outputs):
        kept.add(preprocessed_rows.Batch(piece, np.zeros(0), None, 0))
    return preprocessed_rows.Rows(kept.finish()[0], tf.zeros((COUNT, 1)), None, 0)


@pytest.mark.parametrize("resident", [0, 1 << 30])
def test_rows_of_every_kind_are_the_same_from_disk(tmp_path, monkeypatch, resident):
    monkeypatch.setattr(rows_on_disk, "RESIDENT", resident)  # given back after each read, or never
    memory, disk = kept(OUTPUTS, Room()), kept(OUTPUTS, Room(0, tmp_path))
    assert rows_on_disk.complete(tmp_path / "train")
    gather = tf.function(lambda index: disk.gather(index)[0])
    for index in ([0, COUNT - 1, 7, 7, 3], [5], list(range(COUNT)), []):
        at = tf.constant(index, tf.int32)
        expected, received = memory.gather(at)[0], gather(at)
        assert set(received) == set(OUTPUTS)
        for name, rows in expected.items():
            assert received[name].dtype == rows.dtype
            assert received[name].shape[1:] == rows.shape[1:]
            same = received[name].to_list() == rows.to_list() if "ragged" in name else (received[name] == rows).numpy()
            assert np.all(same), name


def test_rows_ragged_in_two_ways_stay_in_memory(tmp_path):
    nested = {"words": tf.ragged.constant([[["a"], []]] * COUNT, ragged_rank=2)}
    rows = kept(nested, Room(0, tmp_path))
    assert rows.gather(tf.constant([1]))[0]["words"].to_list() == [[[b"a"], []]]
    assert not (tmp_path / "train").exists()


def of_numbers():
    return [keras.Input((3,), name="numbers")], lambda x: x


def of_images():
    return [keras.Input((4, 4, 2), name="images")], lambda x: keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(x))


def of_texts():
    inputs = keras.Input((), dtype="string", name="texts")
    return [inputs], lambda x: keras.layers.Embedding(8, 2)(keras.layers.Hashing(8)(x))


def of_sparse():
    return [keras.Input((6,), name="sparse")], lambda x: keras.layers.Dropout(0.5)(x)


@pytest.mark.slow
@pytest.mark.parametrize("parts", [of_numbers, of_images, of_texts, of_sparse])
def test_a_fit_comes_to_the_same_weights_bit_for_bit(plane, tmp_path, monkeypatch, parts):
    monkeypatch.setattr(shuffled_batches, "BLOCK", 2)  # of 16, 16 and 9 rows

    def build():
        inputs, middle = parts()
        return keras.Model(inputs, keras.layers.Dense(1)(middle(inputs[0])))

    settings = Train(epochs=2, batch_size=8, learning_rate=0.05, patience=1)
    task = dataclasses.replace(plane, models={"one": Model(build, settings)})
    weights = []
    given = {layer.name: OUTPUTS[layer.name] for layer in parts()[0]}
    for room, blocks in ((Room(), "sparse" not in given), (Room(0, tmp_path), True), (Room(), False)):
        rows = dataclasses.replace(kept(given, room), labels=tf.constant(NUMBERS[:, :1]))
        keras.utils.set_random_seed(0)
        model = train.build(task, "one", {}, rows)
        with monkeypatch.context() as patched:
            if rows.in_blocks and not blocks:
                patched.setattr(preprocessed_rows.Rows, "in_blocks", False)  # a batch at a time
            assert rows.in_blocks == blocks
            train.fit(task, "one", model, settings, rows, rows, 0, tmp_path / str(len(weights)))
        weights.append([np.asarray(each) for each in model.get_weights()])
    for one, two, three in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_array_equal(one, three)


@pytest.mark.slow
@pytest.mark.usefixtures("no_op_determinism")
@pytest.mark.parametrize(
    ("batch", "last_steps", "times_traced"), [(8, [1, 3, 5], 2), (41, [1], 1)], ids=["a rest", "no rest"]
)
def test_a_fit_compiled_by_xla_does_so_too_and_leaves_no_row_out(
    plane, tmp_path, monkeypatch, batch, last_steps, times_traced
):
    monkeypatch.setattr(shuffled_batches, "BLOCK", 2)
    traced = []

    class Traced(keras.Model):
        def train_step(self, data):
            traced.append(data)
            return super().train_step(data)

    def build():
        inputs, middle = of_numbers()
        return Traced(inputs, keras.layers.Dropout(0.0)(keras.layers.Dense(1)(middle(inputs[0]))))

    def seen():
        return [keras.callbacks.LambdaCallback(on_train_batch_end=lambda batch, logs: ends[-1].append(batch))]

    ends = []
    task = dataclasses.replace(plane, models={"one": Model(build, Train(epochs=1))})
    given = {layer.name: OUTPUTS[layer.name] for layer in of_numbers()[0]}
    for room, xla in ((Room(), True), (Room(0, tmp_path), True), (Room(), False)):
        settings = Train(epochs=3, batch_size=batch, learning_rate=0.05, patience=2, xla=xla, callbacks=seen)
        rows = dataclasses.replace(kept(given, room), labels=tf.constant(NUMBERS[:, :1]))
        keras.utils.set_random_seed(0)
        model = train.build(task, "one", {}, rows)
        ends.append([])
        traced.clear()
        resume = train.fit(task, "one", model, settings, rows, rows, 0, tmp_path / str(len(ends)))
        assert model.jit_compile is xla
        assert int(model.optimizer.iterations) == 3 * math.ceil(rows.count / batch)
        assert len(traced) == times_traced or not xla
        ends[-1] = (ends[-1], resume.history, [np.asarray(each) for each in model.get_weights()])
    memory, disk, plain = ends
    assert memory[0] == disk[0] == last_steps * 3  # the last step of each block, as Keras numbers them
    assert memory[1] == disk[1]
    assert memory[1]["loss"] == pytest.approx(plain[1]["loss"], rel=1e-5)
    assert memory[1]["val_loss"] == pytest.approx(plain[1]["val_loss"], rel=1e-5)
    for one, two, three in zip(memory[2], disk[2], plain[2], strict=True):
        np.testing.assert_array_equal(one, two)
        np.testing.assert_allclose(one, three, rtol=1e-4, atol=1e-6)


def test_what_a_killed_fit_has_preprocessed_is_not_preprocessed_again(plane, plane_rows, write_examples, tmp_path):
    examples = write_examples(plane, tmp_path / "examples", {"train": plane_rows})
    transform.analyse(plane, plane.preprocess, examples, str(tmp_path / "graph"), [])
    weighted = Train(epochs=1, sample_weight=lambda frame: frame["a"] + 1)
    room = Room(0, tmp_path / "rows")
    before = preprocessed_rows.load(
        preprocessed_rows.Reader(plane, weighted, Preprocessing(str(tmp_path / "graph"))), examples, ("train",), room
    )
    every = tf.range(before.count)
    features = before.gather(every)[0]["features"].numpy()
    (tmp_path / "rows" / "train" / "columns.json").rename(tmp_path / "columns.json")
    (tmp_path / "rows" / "train" / "000").write_bytes(b"half of it")

    class Refuses:
        outputs = Preprocessing(str(tmp_path / "graph")).outputs

        def graph(self, features):
            raise AssertionError("preprocessed again")

    with pytest.raises(AssertionError, match="preprocessed again"):  # it was cut off in the midst
        preprocessed_rows.load(preprocessed_rows.Reader(plane, weighted, Refuses()), examples, ("train",), room)
    preprocessed_rows.load(
        preprocessed_rows.Reader(plane, weighted, Preprocessing(str(tmp_path / "graph"))), examples, ("train",), room
    )
    again = preprocessed_rows.load(preprocessed_rows.Reader(plane, weighted, Refuses()), examples, ("train",), room)
    np.testing.assert_array_equal(again.gather(every)[0]["features"], features)
    np.testing.assert_array_equal(again.labels, before.labels)
    np.testing.assert_array_equal(again.weights, before.weights)


def test_half_of_the_memory_is_the_default_and_gib_are_asked_for(tmp_path, monkeypatch):
    limit = tmp_path / "memory.max"
    limit.write_text("8000000\n")
    monkeypatch.setattr(machine, "MEMORY", (str(limit),))
    assert Room.of(Train(epochs=1), tmp_path).bytes == 4_000_000
    assert Room.of(Train(epochs=1, memory=0.5), tmp_path).bytes == 2**29
    with pytest.raises(ValueError, match=r"Train\.memory must be a number of GiB, 0 or more\. Received: -1"):
        Train(epochs=1, memory=-1)
