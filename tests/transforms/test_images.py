"""Images from raw bytes and PNG files, on literals."""

from __future__ import annotations

import struct
import zlib

import keras
import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from components.reading.convert_columns import convert
from tasks import Image
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


GREY, RGB, PALETTE, GREY_ALPHA, RGBA = 0, 2, 3, 4, 6
COLOURS = np.array([[[10, 200, 30], [255, 255, 254], [1, 0, 0]], [[7, 7, 7], [0, 0, 255], [90, 91, 93]]], np.uint8)
ALPHA = np.array([[[0], [1], [128]], [[255], [9], [77]]], np.uint8)


def chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def file(kind: int, rows: list[bytes], depth: int = 8, more: bytes = b"") -> bytes:
    """A PNG file 3 pixels wide and 2 high, put together by hand."""
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", 3, 2, depth, kind, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return images.PNG + head + more + body + chunk(b"IEND", b"")


def rows(pixels: np.ndarray) -> list[bytes]:
    return [row.tobytes() for row in pixels]


GAMMA = chunk(b"gAMA", struct.pack(">I", 45455))
DEEP = np.array([[25700, 255, 256], [65535, 0, 32767]], ">u2")
CONTENTS = {
    "grey": file(GREY, rows(PIXELS)),
    "grey of 16 bits": file(GREY, rows(DEEP), 16),
    "grey of 4 bits": file(GREY, [b"\x1f\x70", b"\x0a\x50"], 4),
    "grey of 2 bits": file(GREY, [b"\x1b", b"\xe4"], 2),
    "black and white": file(GREY, [b"\xa0", b"\x40"], 1),
    "grey with alpha": file(GREY_ALPHA, rows(np.dstack([PIXELS, ALPHA]))),
    "grey with alpha of 16 bits": file(GREY_ALPHA, rows(np.dstack([DEEP, DEEP[::-1]])), 16),
    "grey with gamma": file(GREY, rows(PIXELS), more=GAMMA),
    "colours": file(RGB, rows(COLOURS)),
    "colours with alpha": file(RGBA, rows(np.dstack([COLOURS, ALPHA]))),
    "colours of a palette": file(
        PALETTE, [b"\0\1\2", b"\3\4\5"], more=chunk(b"PLTE", COLOURS.tobytes()) + chunk(b"tRNS", ALPHA.tobytes())
    ),
    "grey in three colours": file(RGB, rows(np.dstack([PIXELS] * 3))),
    "grey in three colours with gamma": file(RGB, rows(np.dstack([PIXELS] * 3)), more=GAMMA),
    "grey in three colours of 16 bits": file(RGB, rows(np.dstack([DEEP] * 3)), 16),
}


def ingested(content: bytes, shape: tuple[int, int] = (2, 3)) -> tuple[bytes | None, list[tuple[str, str]]]:
    pixels, faults = convert(Image("picture", shape), pa.array([content], pa.binary()))
    return pixels[0].as_py(), [(fault.reason, fault.received(at)) for fault in faults for at in fault.rows.tolist()]


@pytest.mark.parametrize("name", CONTENTS)
def test_a_png_is_the_same_to_ingest_and_to_a_served_model(name: str) -> None:
    pixels, faults = ingested(CONTENTS[name])
    assert faults == []
    assert pixels is not None
    np.testing.assert_array_equal(decode([pixels]), decode([CONTENTS[name]]))


def test_what_the_pixels_of_deep_and_of_coloured_files_are() -> None:
    assert ingested(CONTENTS["grey of 16 bits"])[0] == bytes([100, 0, 1, 255, 0, 127])
    assert ingested(CONTENTS["colours"])[0] == bytes([123, 254, 0, 7, 29, 90])


def test_every_mixture_of_colours_is_weighed_alike() -> None:
    colours = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    content = tf.io.encode_png(colours).numpy()
    pixels, _ = ingested(content, (64, 64))
    assert pixels == tf.io.decode_png(content, channels=1).numpy().tobytes()


@pytest.mark.parametrize(
    "content",
    [
        file(RGB, rows(COLOURS), more=GAMMA),
        file(RGB, rows(COLOURS), more=chunk(b"sRGB", b"\0")),
        file(RGB, rows(COLOURS.astype(">u2") * 257), 16),
    ],
    ids=["gamma", "profile", "16 bits"],
)
def test_colours_that_would_be_seen_otherwise_are_set_aside_with_advice(content: bytes) -> None:
    received = "a colour PNG of 16 bits or with a gamma or profile of its own; save it in grey"
    assert ingested(content) == (None, [("picture is no image of 2 x 3 grey pixels", received)])


def test_a_png_of_as_many_bytes_as_raw_pixels_is_none_to_ingest_either() -> None:
    _, [(_, received)] = ingested(png(), (1, len(png())))
    assert received == "a PNG of 2 x 3 pixels"
