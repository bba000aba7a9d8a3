"""How a camera was held, as a JPEG file's EXIF data say."""

from __future__ import annotations

import tensorflow as tf

# The data stand near the beginning: of so many bytes, and never more entries.
HEAD, ENTRIES = 4096, 64
ORIENTATION = 0x0112


def upright(pixels: tf.Tensor, content: tf.Tensor) -> tf.Tensor:
    """The pixels [h, w, c] of this file's content, turned or mirrored as Pillow's `exif_transpose` does."""
    swapped = tf.transpose(pixels, [1, 0, 2])
    return tf.switch_case(
        orientation(content) - 1,
        [
            lambda: pixels,
            lambda: pixels[:, ::-1],
            lambda: pixels[::-1, ::-1],
            lambda: pixels[::-1],
            lambda: swapped,
            lambda: swapped[:, ::-1],
            lambda: swapped[::-1, ::-1],
            lambda: swapped[::-1],
        ],
    )


def orientation(content: tf.Tensor) -> tf.Tensor:
    """1 to 8; 1 also where nothing, or nothing sensible, is said."""
    head = tf.cast(tf.io.decode_raw(tf.strings.substr(content, 0, HEAD), tf.uint8), tf.int32)
    data = tf.pad(head, [[0, 2 * HEAD - tf.size(head)]])
    marks = {0: 0xFF, 1: 0xE1, 4: ord("E"), 5: ord("x"), 6: ord("i"), 7: ord("f"), 8: 0, 9: 0}
    found = tf.reduce_all([data[at : at + HEAD] == mark for at, mark in marks.items()], axis=0)
    base = tf.cast(tf.argmax(found), tf.int32) + 10
    little = data[base] == ord("I")

    def number(at: tf.Tensor, size: int) -> tf.Tensor:
        pieces = [tf.gather(data, tf.clip_by_value(at + i, 0, 2 * HEAD - 1)) for i in range(size)]
        low_first = sum(piece * 256**i for i, piece in enumerate(pieces))
        return tf.where(little, low_first, sum(piece * 256**i for i, piece in enumerate(pieces[::-1])))

    # An offset beyond what was read, however large, is none.
    offset = tf.clip_by_value(number(base + 4, 4), 0, HEAD)
    entries = base + offset + 2 + 12 * tf.range(ENTRIES)
    named = (number(entries, 2) == ORIENTATION) & (tf.range(ENTRIES) < number(base + offset, 2))
    value = tf.reduce_max(tf.where(named, number(entries + 8, 2), 0))
    jpeg = tf.strings.substr(content, 0, 2) == b"\xff\xd8"
    return tf.where(jpeg & tf.reduce_any(found) & (value >= 1) & (value <= 8), value, 1)
