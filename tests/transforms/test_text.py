"""Words, ids, padding and multi-hot vectors on literals, and against Keras."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from transforms import text

IDS = [[1, 4, 2, 5], [1], [1, 9, 9, 9, 4, 7, 4]]


def words(*texts: str) -> list[list[str]]:
    rows = text.words(tf.constant(texts)).to_list()
    return [[word.decode() for word in row] for row in rows]


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        ("A good FILM", ["a", "good", "film"]),
        ("good.<br /><br />Bad!", ["good", "br", "br", "bad"]),
        ("don't -- 'quote'", ["don't", "'quote'"]),
        ("tab\there\nand there", ["tab", "here", "and", "there"]),
        ("x#$%&()*+,-./:;<=>?@[\\]^_`{|}~y", ["x", "y"]),
        ('"1984"', ["1984"]),
        ("ÉTÉ in Älmhult", ["ÉtÉ", "in", "Älmhult"]),  # A to Z alone are lowered, as Python 2 did to bytes
        ("a\u0085b c\u00a0d", ["a\u0085b", "c\u00a0d"]),
        ("", []),
        (" ?! ", []),
    ],
)
def test_words(raw: str, expected: list[str]) -> None:
    assert words(raw) == [expected]


def test_words_of_several_texts_stay_apart() -> None:
    assert words("one two", "", "three") == [["one", "two"], [], ["three"]]


def test_words_are_those_of_keras() -> None:
    raw = ["It's GREAT -- really; a 'must-see' (10/10)!", "Bad...\tbad\nBAD"]
    assert words(*raw) == [keras.src.legacy.preprocessing.text.text_to_word_sequence(one) for one in raw]


def test_tokens_are_what_stands_between_spaces() -> None:
    assert text.tokens(tf.constant(["A film. A  FILM!", ""])).to_list() == [
        [b"A", b"film.", b"A", b"", b"FILM!"],
        [b""],
    ]


@pytest.mark.parametrize("truncation", ["pre", "post"])
@pytest.mark.parametrize("length", [1, 3, 4, 7, 10])
def test_padding_is_that_of_keras(length: int, truncation: str) -> None:
    ours = text.pad(tf.ragged.constant(IDS, tf.int64), length, truncation)
    theirs = keras.utils.pad_sequences(IDS, maxlen=length, padding="post", truncating=truncation)
    np.testing.assert_array_equal(ours, theirs)
    assert ours.shape[1] == length


def test_truncation_has_two_names() -> None:
    with pytest.raises(ValueError, match="Expected truncation 'pre' or 'post'"):
        text.pad(tf.ragged.constant(IDS, tf.int64), 3, "middle")


def test_multi_hot_has_each_id_once_in_order() -> None:
    sparse = text.multi_hot(tf.ragged.constant(IDS, tf.int64), 10)
    assert sparse.indices.numpy().tolist() == [[0, 1], [0, 2], [0, 4], [0, 5], [1, 1], [2, 1], [2, 4], [2, 7], [2, 9]]
    assert sparse.values.numpy().tolist() == [1.0] * 9
    assert sparse.dense_shape.numpy().tolist() == [3, 10]


def test_multi_hot_is_that_of_keras() -> None:
    ours = tf.sparse.to_dense(text.multi_hot(tf.ragged.constant(IDS, tf.int64), 10))
    theirs = [keras.ops.multi_hot(np.array(row), 10, dtype="float32") for row in IDS]
    np.testing.assert_array_equal(ours, np.stack([np.asarray(row) for row in theirs]))


def test_words_back_from_ids() -> None:
    assert text.read_back([1, 4, 2, 5, 0, 0], ["the", "film"]) == "the [?] film"
    assert text.read_back([], ["the"]) == ""
