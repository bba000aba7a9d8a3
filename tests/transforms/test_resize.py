"""Files of any size in the served graph: every format, every way a camera can be held, every fit."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image, ImageOps

from transforms import exif, images

RANDOM = np.random.RandomState(0)
PIXELS = np.kron(RANDOM.randint(0, 256, (4, 6, 3)), np.ones((8, 8, 1))).astype(np.uint8)


def file(picture: Any, kind: str, **how: Any) -> bytes:
    out = io.BytesIO()
    (picture if isinstance(picture, Image.Image) else Image.fromarray(picture)).save(out, kind, **how)
    return out.getvalue()


def resized(content: bytes, height: int = 32, width: int = 48, **how: Any) -> np.ndarray:
    return images.resize(tf.constant([content]), height, width, **how).numpy()[0]


def held(orientation: int, *, kind: str = "JPEG") -> bytes:
    data = Image.Exif()
    data[exif.ORIENTATION] = orientation
    return file(PIXELS, kind, exif=data.tobytes(), **({"quality": 95} if kind == "JPEG" else {}))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (file(PIXELS, "PNG"), PIXELS),
        (file(PIXELS, "BMP"), PIXELS),
        (file(PIXELS, "WEBP", lossless=True), PIXELS),
        (file(Image.fromarray(PIXELS).quantize(64), "GIF"), None),
        (file(Image.fromarray(PIXELS).convert("P"), "PNG"), None),
        (file(Image.fromarray(PIXELS).convert("L"), "PNG"), None),
        (file(Image.fromarray(PIXELS).convert("LA"), "PNG"), None),
        (file(np.dstack([PIXELS, PIXELS[..., :1]]), "PNG"), PIXELS),
        (file(PIXELS[..., 0].astype(np.uint16) * 257, "PNG"), np.repeat(PIXELS[..., :1], 3, axis=2)),
        (PIXELS.tobytes(), PIXELS),
    ],
)
def test_a_picture_of_the_size_wanted_is_itself(content: bytes, expected: np.ndarray | None) -> None:
    if expected is None:
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(np.round(resized(content) * 255), expected)


def test_of_several_frames_the_first_counts() -> None:
    first, second = (Image.fromarray(pixels).quantize(64) for pixels in (PIXELS, 255 - PIXELS))
    several = file(first, "GIF", save_all=True, append_images=[second])
    np.testing.assert_array_equal(resized(several), resized(file(first, "GIF")))


def orientation(*files: bytes) -> list[int]:
    return exif.orientation(tf.constant(files)).numpy().tolist()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_camera_may_be_held_in_any_way(kind: str) -> None:
    contents = [held(way, kind=kind) for way in range(1, 9)]
    assert orientation(*contents) == list(range(1, 9))
    for content in contents:
        expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
        found = resized(content, *expected.shape[:2])
        # Two decoders of JPEG differ a little.
        assert np.abs(found * 255 - expected).mean() < (1.5 if kind == "JPEG" else 0.01)


def test_the_data_may_stand_behind_the_pixels() -> None:
    content = file(np.tile(PIXELS, (20, 20, 1)), "PNG", compress_level=0)
    exif_data = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    chunk = struct.pack(">I", len(exif_data)) + b"eXIf" + exif_data
    late = content[:-12] + chunk + struct.pack(">I", zlib.crc32(chunk[4:])) + content[-12:]
    assert content.count(b"IDAT") > 1
    assert orientation(content, late, late[:-60], late[: len(content) // 2]) == [1, 6, 1, 1]
    assert Image.open(io.BytesIO(late)).getexif()[exif.ORIENTATION] == 6


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_either_order_of_bytes(kind: str) -> None:
    little = b"II*\0\x08\0\0\0\x01\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\0\0\0\0"
    big = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0"
    assert orientation(*(file(PIXELS, kind, exif=b"Exif\0\0" + data) for data in (little, big))) == [6, 6]


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nonsense_about_the_camera_is_left_alone(kind: str) -> None:
    assert orientation(*(held(way, kind=kind) for way in (0, 9, 255))) == [1, 1, 1]


def test_no_word_about_the_camera_is_upright() -> None:
    plain = [file(PIXELS, kind) for kind in ("JPEG", "PNG", "WEBP", "BMP")]
    # A length of nothing, and one beyond the end.
    odd = [b"\xff\xd8\xff\xe1\0\0", plain[1][:8] + b"\xff\xff\xff\xffeXIf", b"RIFF\0\0\0\0WEBP" + bytes(40)]
    cut = [b"", b"\xff\xd8", b"\xff\xd8\xff\xe1\0\x10Exif\0\0II", *(content[:20] for content in plain)]
    assert set(orientation(*plain, *odd, *cut, bytes(192))) == {1}


def test_damaged_data_never_hang_or_fail() -> None:
    files = [bytearray(held(6, kind=kind)) for kind in ("JPEG", "PNG", "WEBP") for _ in range(200)]
    for content in files:
        for at in RANDOM.randint(0, 120, 4):
            content[at] = RANDOM.randint(0, 256)
    assert set(orientation(*map(bytes, files))) <= set(range(1, 9))


def test_crop_keeps_the_middle_and_pad_keeps_all() -> None:
    stripes = np.zeros((10, 40, 3), np.uint8)
    stripes[:, 15:25] = 255
    content = file(stripes, "PNG")
    assert resized(content, 10, 10).min() == 1
    padded = resized(content, 20, 20, fit="pad")
    assert padded[:7].max() == 0
    assert padded[10, 10].min() > 0.9
    assert resized(content, 10, 20, fit="stretch")[5].mean() == pytest.approx(0.25, abs=0.02)


def test_grey_is_weighed_from_colours_of_any_format() -> None:
    for kind in ("PNG", "BMP"):
        made = resized(file(PIXELS, kind), channels=1)
        assert made.shape == (32, 48, 1)
        np.testing.assert_allclose(made[..., 0] * 255, PIXELS @ [0.2989, 0.587, 0.114], atol=0.01)


def test_a_picture_alone_is_as_among_others() -> None:
    contents = [file(PIXELS, "PNG"), held(6), PIXELS.tobytes()[: 24 * 24 * 3]]
    together = images.resize(tf.constant(contents), 24, 24).numpy()
    for content, among in zip(contents, together, strict=True):
        np.testing.assert_array_equal(resized(content, 24, 24), among)


def test_an_unknown_fit_is_told() -> None:
    with pytest.raises(ValueError, match=r"fitted by 'crop', 'pad' or 'stretch'\. Received: 'squash'\."):
        images.resize(tf.constant([b""]), 2, 2, fit="squash")
