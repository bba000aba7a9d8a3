"""Pictures as numbers between 0 (black) and 1 (white): grey ones of one size, or files of any size, resized."""

from __future__ import annotations

from typing import Literal

import tensorflow as tf

from transforms import exif

PNG = b"\x89PNG\r\n\x1a\n"


def decode(images: tf.Tensor, shape: tuple[int, int]) -> tf.Tensor:
    """Byte strings [b] as [b, height, width]: each is `height * width` raw bytes, row by row, or a PNG file."""
    is_png = tf.strings.substr(images, 0, len(PNG)) == PNG
    pixels = tf.cond(
        tf.reduce_any(is_png),
        lambda: tf.map_fn(
            lambda image: _one(image, shape), (images, is_png), fn_output_signature=tf.TensorSpec(shape, tf.uint8)
        ),
        lambda: _raw(images, shape),
    )
    return tf.cast(tf.ensure_shape(pixels, [None, *shape]), tf.float32) / 255.0


def _one(image: tuple[tf.Tensor, tf.Tensor], shape: tuple[int, int]) -> tf.Tensor:
    content, is_png = image
    return tf.cond(is_png, lambda: _png(content, shape), lambda: _raw(content[tf.newaxis], shape)[0])


def _png(content: tf.Tensor, shape: tuple[int, int]) -> tf.Tensor:
    pixels = tf.io.decode_png(content, channels=1)[..., 0]
    fits = tf.debugging.Assert(
        tf.reduce_all(tf.shape(pixels) == shape),
        [f"A PNG must be {shape[0]} pixels high and {shape[1]} wide. Received:", tf.shape(pixels)],
    )
    with tf.control_dependencies([fits]):
        return tf.reshape(pixels, shape)


def _raw(contents: tf.Tensor, shape: tuple[int, int]) -> tf.Tensor:
    """All at once; an image of another size stops it."""
    size = shape[0] * shape[1]
    fits = tf.debugging.Assert(
        tf.reduce_all(tf.strings.length(contents) == size),
        [f"An image must be {size} raw bytes or a PNG file. Received these lengths:", tf.strings.length(contents)],
    )
    with tf.control_dependencies([fits]):
        return tf.reshape(tf.io.decode_raw(contents, tf.uint8, fixed_length=size), [-1, *shape])


def resize(
    files: tf.Tensor, height: int, width: int, channels: int = 3, fit: Literal["crop", "pad", "stretch"] = "crop"
) -> tf.Tensor:
    """Byte strings [b] as [b, height, width, channels]: JPEG, PNG, GIF (its first frame), BMP or WebP files.

    They are turned upright as their EXIF data say. Then "crop" cuts the middle out, "pad" puts black beside it,
    "stretch" does neither; the filter is bilinear, with antialiasing. Grey is 0.2989 red, 0.587 green, 0.114 blue.
    `height * width * channels` raw bytes are taken as they are.
    """
    if fit not in ("crop", "pad", "stretch"):
        raise ValueError(f"A picture is fitted by 'crop', 'pad' or 'stretch'. Received: {fit!r}.")

    raw = (tf.strings.length(files) == height * width * channels) & ~_is_file(files)

    def one(row: tuple[tf.Tensor, tf.Tensor, tf.Tensor]) -> tf.Tensor:
        content, is_raw, turned = row
        return tf.cond(
            is_raw,
            lambda: tf.reshape(_bytes(content, height * width * channels), [height, width, channels]),
            lambda: _fitted(_decoded(content, turned, channels), height, width, fit),
        )

    signature = tf.TensorSpec([height, width, channels], tf.float32)
    pixels = tf.map_fn(one, (files, raw, exif.orientation(files)), fn_output_signature=signature)
    return tf.ensure_shape(pixels, [None, height, width, channels])


def whole(file: tf.Tensor, channels: int = 3) -> tf.Tensor:
    """One file's content as [h, w, channels], upright and in its own size."""
    return _decoded(file, exif.orientation(file[tf.newaxis])[0], channels)


def _is_file(contents: tf.Tensor) -> tf.Tensor:
    """By how each begins: raw pixels may be as many bytes."""

    def at(start: int, mark: bytes) -> tf.Tensor:
        return tf.strings.substr(tf.strings.substr(contents, 0, 12), start, len(mark)) == mark

    begins = [at(0, mark) for mark in (b"\xff\xd8\xff", PNG, b"GIF8")]
    return tf.reduce_any([*begins, at(0, b"BM") & at(6, bytes(4)), at(0, b"RIFF") & at(8, b"WEBP")], axis=0)


def _bytes(content: tf.Tensor, size: int) -> tf.Tensor:
    return tf.cast(tf.io.decode_raw(content, tf.uint8, fixed_length=size), tf.float32) / 255.0


def _decoded(content: tf.Tensor, turned: tf.Tensor, channels: int) -> tf.Tensor:
    """Every format knows three channels, not every one knows one."""
    pixels = tf.io.decode_image(content, channels=3, expand_animations=False)
    pixels = tf.cast(exif.upright(tf.ensure_shape(pixels, [None, None, 3]), turned), tf.float32) / 255.0
    return tf.image.rgb_to_grayscale(pixels) if channels == 1 else pixels


def _fitted(pixels: tf.Tensor, height: int, width: int, fit: str) -> tf.Tensor:
    if fit == "pad":
        made = tf.image.resize_with_pad(pixels, height, width, antialias=True)
    else:
        if fit == "crop":
            high, wide = tf.shape(pixels)[0], tf.shape(pixels)[1]
            tall = tf.clip_by_value(wide * height // width, 1, high)
            broad = tf.clip_by_value(high * width // height, 1, wide)
            pixels = pixels[(high - tall) // 2 :, (wide - broad) // 2 :][:tall, :broad]
        made = tf.image.resize(pixels, [height, width], antialias=True)
    return tf.clip_by_value(made, 0.0, 1.0)
