"""Text modules in Keras 3 models: any handle, or one made from the train split's tokens."""

from __future__ import annotations

import hashlib
import socket
import threading
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from sklearn.metrics.pairwise import cosine_similarity

from components.resolve import step as resolve
from tasks import InputError, _hub, imdb_hub

TEXTS = tf.constant(["good film", "bad film", "", "good good unheard"])
VOCABULARY = ["film", "good", "bad"]


def model(layer: keras.Layer) -> keras.Model:
    text = keras.Input((), dtype="string", name="text")
    return keras.Model(text, keras.layers.Dense(1, activation="sigmoid")(layer(text)))


@pytest.fixture
def layer() -> _hub.HubText:
    keras.utils.set_random_seed(1)
    return _hub.HubText(_hub.OWN, VOCABULARY)


def table(layer: _hub.HubText) -> np.ndarray:
    return layer.weights[0].numpy()


def test_vectors_are_sums_over_the_root_of_the_count(layer: _hub.HubText) -> None:
    vectors = layer(TEXTS).numpy()
    film, good, bad, other = table(layer)
    np.testing.assert_allclose(vectors[0], (good + film) / 2**0.5, rtol=1e-5)
    np.testing.assert_allclose(vectors[1], (bad + film) / 2**0.5, rtol=1e-5)
    np.testing.assert_allclose(vectors[3], (good + good + other) / 3**0.5, rtol=1e-5)
    assert vectors.shape == (4, 20)
    assert cosine_similarity(vectors[:1], vectors[3:]) > 0


def test_an_empty_text_counts_as_an_unknown_token(layer: _hub.HubText) -> None:
    np.testing.assert_allclose(layer(TEXTS).numpy()[2], table(layer)[3], rtol=1e-6)


def test_the_table_trains_with_the_rest(layer: _hub.HubText) -> None:
    trained = model(layer)
    before = table(layer).copy()
    trained.compile(keras.optimizers.Adam(0.1), "binary_crossentropy")
    trained.fit(TEXTS, np.array([1, 0, 0, 1]), epochs=30, verbose=0)
    assert (np.abs(table(layer) - before).max(axis=1) > 0.1).all()
    assert (trained(TEXTS).numpy()[:2, 0] > 0.5).tolist() == [True, False]


def test_what_was_trained_is_saved_and_exported(layer: _hub.HubText, tmp_path: Path) -> None:
    trained = model(layer)
    layer.weights[0].assign(table(layer) * 7)
    trained.save(tmp_path / "model.keras")
    trained.export(tmp_path / "served", verbose=False)
    expected = trained(TEXTS)
    np.testing.assert_allclose(keras.models.load_model(tmp_path / "model.keras")(TEXTS), expected, rtol=1e-6)
    served = tf.saved_model.load(tmp_path / "served")
    np.testing.assert_allclose(served.serve(TEXTS), expected, rtol=1e-6)


def test_any_path_is_a_handle(layer: _hub.HubText, tmp_path: Path) -> None:
    tf.saved_model.save(_hub.own_module(["one", "two"], dimensions=5), str(tmp_path / "module"))
    loaded = _hub.text_layer(str(tmp_path / "module"), tmp_path, "tokens")
    assert loaded(tf.constant(["one"])).shape == (1, 5)
    assert [weight.shape for weight in loaded.trainable_weights] == [(3, 5)]
    assert loaded.about == f"Text module: {tmp_path / 'module'}."
    assert layer.about == "Text module made here, from the 3 most frequent tokens of the train split."


def test_a_handle_that_is_no_module_is_an_input_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not a text module\. Expected the path or address of a TF2 SavedModel"):
        _hub.text_layer(str(tmp_path), tmp_path, "tokens")(TEXTS)


@pytest.fixture
def nothing_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TFHUB_CACHE_DIR", str(tmp_path / "modules"))
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return tmp_path / "modules"


def test_which_module_is_decided_before_training_and_is_in_the_record(
    nothing_kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(imdb_hub, "GNEWS", "http://127.0.0.1:9/module")

    def resolved(**overrides: str) -> resolve.Resolved:
        return resolve.run(
            task="imdb_hub", model="", data="sample", data_dir="", destination=str(tmp_path / "serving"), seed=0,
            overrides=overrides,
        )  # fmt: skip

    without = resolved()
    assert without.train_settings == {"model.handle": "own"}
    assert without.parameters["model.handle"] == "own"
    assert "http://127.0.0.1:9/module cannot be had" in capsys.readouterr().out
    (nothing_kept / hashlib.sha1(b"http://127.0.0.1:9/module").hexdigest()).mkdir(parents=True)
    kept = resolved()
    assert kept.train_settings == {"model.handle": "http://127.0.0.1:9/module"}
    assert kept.inputs != without.inputs
    assert resolved(**{"model.handle": "mine"}).train_settings == {"model.handle": "mine"}
    assert capsys.readouterr().out == ""


def test_a_module_that_the_network_has_is_taken(nothing_kept: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setattr(imdb_hub, "GNEWS", f"http://127.0.0.1:{server.getsockname()[1]}/module")

        def answer() -> None:
            with server.accept()[0] as connection:
                assert connection.recv(1000).startswith(b"GET /module?tf-hub-format=compressed ")
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        assert imdb_hub.reachable({}) == {"model.handle": imdb_hub.GNEWS}
        thread.join()
