"""A raw column to pictures: raw pixels or files, from bytes, base64 or lists of pixels, and what is wrong where."""

from __future__ import annotations

import base64
import binascii
import io
import json
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from components.examples import pictures
from components.reading.raw_batch import is_text
from components.reading.single_values import Composites, Fault
from tasks import Image

if TYPE_CHECKING:
    from PIL import Image as Picture

PNG, JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
# Where a PNG file tells how many bits a colour has.
BIT_DEPTH = 24
GAMMA = {"gamma", "srgb", "icc_profile"}
# The weights of red, green and blue in libpng, of 32768.
LUMA = np.array([9797, 19234, 3737])


def convert_pictures(feature: Image, raw: pa.Array, composites: Composites) -> tuple[pa.Array, list[Fault]]:
    """Pixels as they are; a PNG is decoded, so that the same picture is the same row."""
    wrong: dict[int, str] = {}
    values: list[bytes | None] = []
    written = is_text(raw.type)  # then its UTF-8 is not checked yet
    for at, value in enumerate((raw.cast(pa.binary()) if written else raw).to_pylist()):
        try:
            data = _image_bytes(value.decode("utf-8", errors="replace") if written and value else value)
            data = _image_bytes(composites[at]) if at in composites else data
            values.append(None if not data else _pixels(feature, data) if feature.exact else _file(feature, data))
        except MemoryError:
            raise  # which says nothing of the picture
        except Exception as error:  # Pillow raises errors of many kinds for broken files
            values.append(None)
            wrong[at] = str(error) or type(error).__name__
    size = f"image of {feature.shape[0]} x {feature.shape[1]} grey pixels"
    reason = f"{feature.name} is no {size if feature.exact else 'picture that can be read'}"
    return pa.array(values, pa.binary()), [Fault(reason, np.array(list(wrong)), wrong.__getitem__)] if wrong else []


def _image_bytes(value: Any) -> bytes:
    """Bytes themselves; base64 or a list of pixels, as text formats have them."""
    match value:
        case {"b64": str() as value}:
            return _image_bytes(value)
        case None | "" | b"":
            return b""
        case bytes():
            return value
        case str() if value.startswith("["):
            return _image_bytes(json.loads(value))
        case str():
            try:
                return base64.b64decode(value, validate=True)
            except binascii.Error:
                raise ValueError("text that is not base64") from None
        case [list(), *_]:
            return b"".join(map(bytes, value))
        case list():
            return bytes(value)
    raise ValueError(repr(value))


def _file(feature: Image, data: bytes) -> bytes:
    """As it came, once it is known to be whole: the served graph decodes the same bytes."""
    if pictures.is_file(data):
        pictures.check_file(data)
    elif len(data) != feature.size:
        raise ValueError(f"{len(data)} bytes that are neither {feature.size} of pixels nor a file of a known format")
    return data


def _pixels(feature: Image, data: bytes) -> bytes:
    height, width = feature.shape
    # A served model, too, takes for a PNG what begins like one, whatever its size.
    if len(data) == height * width and not data.startswith(PNG):
        return data
    if not data.startswith((PNG, JPEG)):
        raise ValueError(f"{len(data)} bytes that are neither {height * width} pixels nor a PNG or JPEG file")
    # Pillow takes a while to import, and most images come as pixels.
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError

    try:
        picture = Picture.open(io.BytesIO(data), formats=["PNG", "JPEG"])
    except UnidentifiedImageError:
        raise ValueError("a damaged PNG or JPEG file") from None  # Pillow would tell where it lay in memory
    with picture:
        if picture.size != (width, height):
            raise ValueError(f"a {picture.format} of {picture.size[1]} x {picture.size[0]} pixels")
        return picture.convert("L").tobytes() if data.startswith(JPEG) else _grey(picture, data[BIT_DEPTH])


def _grey(picture: Picture.Image, depth: int) -> bytes:
    """A PNG's pixels to the bit as TensorFlow's decoder gives them in a served model."""
    if picture.mode in ("1", "L", "LA"):
        return picture.convert("L").tobytes()
    if picture.mode.startswith("I"):
        return (np.asarray(picture) >> 8).astype(np.uint8).tobytes()
    colours = np.asarray(picture.convert("RGBA"))[..., :3].astype(np.int64)
    if (colours == colours[..., :1]).all():
        return colours[..., 0].astype(np.uint8).tobytes()
    # TensorFlow weighs 16 bits before it drops eight, and undoes a gamma first: the numbers would differ.
    if depth > 8 or GAMMA & picture.info.keys():
        raise ValueError("a colour PNG of 16 bits or with a gamma or profile of its own; save it in grey")
    return (colours @ LUMA >> 15).astype(np.uint8).tobytes()
