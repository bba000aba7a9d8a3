"""Images from raw bytes and PNG files, on literals."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from transforms import images

PIXELS = np.array([[0, 51, 102], [153, 204, 255]], np.uint8)
SCALED = [[0.0, 0.2, 0.4], [0.6, 0.8, 1.0]]


def raw(pixels: np.ndarray = PIXELS) -> bytes:
    return pixels.tobytes()


def png(pixels: np.ndarray = PIXELS) -> bytes:
    return tf.io.encode_png(pixels[..., np.newaxis]).numpy()


def decode(contents: list[bytes]) -> np.ndarray:
    return tf.function(images.decode)(tf.constant(contents, tf.string), shape=(2, 3)).numpy()


@pytest.mark.parametrize("contents", [[raw()], [png()], [raw(), png()], [png(), raw(), raw()]])
def test_raw_bytes_and_png_files_give_the_same_numbers(contents: list[bytes]) -> None:
    np.testing.assert_allclose(decode(contents), [SCALED] * len(contents), rtol=1e-6)


def test_no_images_give_no_images() -> None:
    assert decode([]).shape == (0, 2, 3)


def test_the_order_of_a_mixed_batch_is_kept() -> None:
    dark, light = np.zeros((2, 3), np.uint8), np.full((2, 3), 255, np.uint8)
    assert decode([raw(dark), png(light), raw(light), png(dark)])[:, 0, 0].tolist() == [0, 1, 1, 0]


def test_a_colour_png_is_seen_in_grey() -> None:
    colour = tf.io.encode_png(np.stack([PIXELS] * 3, axis=-1)).numpy()
    np.testing.assert_allclose(decode([colour]), [SCALED], atol=1 / 255)


def test_a_png_of_as_many_bytes_as_raw_pixels_is_a_png() -> None:
    pixels = np.arange(256, dtype=np.uint8).reshape(16, 16)
    shape = (1, len(png(pixels)))
    with pytest.raises(tf.errors.InvalidArgumentError, match="A PNG must be 1 pixels high"):
        images.decode(tf.constant([png(pixels)]), shape)


@pytest.mark.parametrize("content", [b"", raw()[:-1], raw() + b"\0", b"GIF89a-"])
def test_another_size_is_refused_in_words(content: bytes) -> None:
    with pytest.raises(tf.errors.InvalidArgumentError, match="An image must be 6 raw bytes or a PNG file"):
        images.decode(tf.constant([raw(), content]), (2, 3))


def test_the_same_as_keras_rescaling() -> None:
    np.testing.assert_allclose(decode([raw()])[0], keras.layers.Rescaling(1 / 255)(PIXELS.astype("float32")), rtol=1e-6)
