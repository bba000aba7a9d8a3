"""Pictures as an example holds them: raw pixels, or a file as it came."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL import Image as Picture

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP")
# So few pixels tell how bright a picture is.
GLANCE = (64, 64)


def is_file(data: bytes) -> bool:
    """By how it begins, as the served graph tells it."""
    bitmap = data[:2] == b"BM" and data[6:10] == bytes(4)
    webp = data[:4] == b"RIFF" and data[8:12] == b"WEBP"
    return bitmap or webp or data.startswith((b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8"))


def opened(data: bytes) -> Picture.Image:
    """The file's picture, not decoded yet; ValueError if it is none of the formats that are read."""
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError

    try:
        return Picture.open(io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        raise ValueError("a damaged file, or none of JPEG, PNG, GIF, BMP and WebP") from None


def check_file(data: bytes) -> None:
    """Decode it to its end; ValueError if it is damaged, or if a served model would read it otherwise."""
    bits, compression = int.from_bytes(data[28:30], "little"), int.from_bytes(data[30:34], "little")
    if data.startswith(b"BM") and (bits not in (24, 32) or compression not in (0, 3)):
        raise ValueError(f"a BMP file of {bits} bits a pixel, which models are not served; save it as PNG")
    with opened(data) as picture:
        picture.load()


def brightness(pictures: Sequence[bytes]) -> np.ndarray:
    """The mean pixel of each of a column, from 0 to 255; of a file, of a small copy."""
    raw: list[bytes] = []
    means = np.zeros(len(pictures))
    is_raw = np.ones(len(pictures), bool)
    for at, data in enumerate(pictures):
        try:
            found = opened(data) if is_file(data) else None
        except ValueError:  # pixels that begin as a file does
            found = None
        if found is None:
            raw.append(data)
            continue
        is_raw[at] = False
        with found as picture:
            picture.draft("L", GLANCE)
            small = picture.convert("L").reduce(max(1, min(picture.size) // GLANCE[0]))
            means[at] = np.asarray(small).mean()
    if raw:
        means[is_raw] = np.frombuffer(b"".join(raw), np.uint8).reshape(len(raw), -1).mean(axis=1)
    return means
