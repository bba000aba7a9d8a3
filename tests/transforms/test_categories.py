"""One-hot codes, on literals and against Keras."""

from __future__ import annotations

import keras
import numpy as np
import tensorflow as tf

from transforms import categories


def test_integer_codes() -> None:
    codes = tf.constant([3, 1, 2], tf.int64)
    assert categories.one_hot(codes, (1, 2, 3)).numpy().tolist() == [[0, 0, 1], [1, 0, 0], [0, 1, 0]]


def test_string_codes() -> None:
    codes = tf.constant(["no", "yes"])
    assert categories.one_hot(codes, ("yes", "no")).numpy().tolist() == [[0, 1], [1, 0]]


def test_unseen_and_missing_codes_are_all_zeros() -> None:
    assert categories.one_hot(tf.constant([4, -1], tf.int64), (1, 2, 3)).numpy().tolist() == [[0, 0, 0], [0, 0, 0]]
    assert categories.one_hot(tf.constant([""]), ("a", "b")).numpy().tolist() == [[0, 0]]


def test_the_same_as_keras() -> None:
    codes = np.array([0, 2, 1, 2])
    np.testing.assert_array_equal(
        categories.one_hot(tf.constant(codes), (0, 1, 2)), keras.ops.one_hot(codes, 3, dtype="float32")
    )
