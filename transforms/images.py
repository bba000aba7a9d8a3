"""Grey images as numbers between 0 (black) and 1 (white)."""

from __future__ import annotations

import tensorflow as tf

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
