"""How a camera was held, as the EXIF data in JPEG, PNG and WebP files say."""

from __future__ import annotations

import numpy as np
import tensorflow as tf

ORIENTATION = 0x0112
# A file's pieces (a JPEG's segments, the others' chunks) that are looked at, and what of one is read to know it.
PIECES, HEAD = 10_000, 14
# Of EXIF data so many bytes are read, and never more entries.
DATA, ENTRIES = 4096, 64


def _patterns(*marks: bytes) -> np.ndarray:
    """A row each; a dot stands for any byte, which is -1."""
    return np.array([[-1 if byte == ord(".") else byte for byte in mark.ljust(HEAD, b".")] for mark in marks])


# JPEG, PNG and WebP: how a file and its EXIF data begin, where the first piece is, and how long a piece is beside
# what its head says of it.
FILES = _patterns(b"\xff\xd8", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP")
MARKS = _patterns(b"\xff\xe1..Exif\0\0", b"....eXIf", b"EXIF")
PREFIXED = _patterns(b"........Exif\0\0")
FIRST, BESIDE = np.array([2, 8, 12]), np.array([2, 12, 8])
SIZES = np.zeros((HEAD, 3), np.int64)
SIZES[2:4, 0], SIZES[:4, 1], SIZES[4:8, 2] = (256, 1), (1 << 24, 1 << 16, 256, 1), (1, 256, 1 << 16, 1 << 24)
JPEG, WEBP = 0, 2


def upright(pixels: tf.Tensor, turned: tf.Tensor) -> tf.Tensor:
    """The pixels [h, w, c], turned or mirrored as Pillow's `exif_transpose` does for this orientation."""
    swapped = tf.transpose(pixels, [1, 0, 2])
    return tf.switch_case(
        turned - 1,
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


def orientation(files: tf.Tensor) -> tf.Tensor:
    """1 to 8 for each of the files' contents [b]; 1 also where nothing, or nothing sensible, is said."""
    at = _data_at(files)
    return tf.cond(tf.reduce_any(at > 0), lambda: _told(files, at), lambda: tf.ones_like(at))


def _data_at(files: tf.Tensor) -> tf.Tensor:
    """Where each file's EXIF data begin; 0 where it has none. All files are walked at once, piece by piece."""
    length = tf.strings.length(files)
    kinds = _alike(_window(files, tf.zeros_like(length), HEAD), FILES)
    kind = tf.cast(kinds, tf.int64)

    def step(at: tf.Tensor, data: tf.Tensor, going: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        head = _window(files, at, HEAD)
        found = going & tf.reduce_any(_alike(head, MARKS) & kinds, axis=1)
        # Some writers begin the data in a chunk as in a JPEG.
        prefixed = _alike(head, PREFIXED)[:, 0]
        begins = at + tf.where(kinds[:, JPEG], 10, tf.where(prefixed, 14, 8))
        after = tf.cast(at, tf.int64) + tf.reduce_sum((tf.matmul(head, SIZES) + BESIDE) * kind, axis=1)
        after += after % 2 * kind[:, WEBP]
        # What describes a JPEG stands before its tables and lines.
        tables = kinds[:, JPEG] & (head[:, 1] & 0xF0 != 0xE0) & (head[:, 1] != 0xFE)
        more = going & ~found & ~tables & (after < tf.cast(length, tf.int64))
        return tf.where(more, tf.cast(after, tf.int32), at), tf.where(found, begins, data), more

    at = tf.cast(tf.reduce_sum(kind * FIRST, axis=1), tf.int32)
    state = (at, tf.zeros_like(at), (at > 0) & (at < length))
    return tf.while_loop(lambda at, data, going: tf.reduce_any(going), step, state, maximum_iterations=PIECES)[1]


def _told(files: tf.Tensor, at: tf.Tensor) -> tf.Tensor:
    """What the data that begin there say: TIFF's header, and the entries of its first directory."""
    data = tf.where((at > 0)[:, tf.newaxis], _window(files, at, DATA), 0)
    little = (data[:, 0] == ord("I"))[:, tf.newaxis]

    def numbers(places: tf.Tensor, size: int) -> tf.Tensor:
        """The number of so many bytes at each of the places [b, n]."""
        pieces = [tf.gather(data, tf.clip_by_value(places + i, 0, DATA - 1), batch_dims=1) for i in range(size)]
        low_first = sum(piece * 256**i for i, piece in enumerate(pieces))
        return tf.where(little, low_first, sum(piece * 256**i for i, piece in enumerate(pieces[::-1])))

    # An offset beyond what was read, however large, is none.
    offset = tf.clip_by_value(numbers(tf.fill([tf.size(at), 1], tf.constant(4, tf.int64)), 4), 0, DATA)
    entries = offset + 2 + 12 * tf.range(ENTRIES, dtype=tf.int64)
    named = (numbers(entries, 2) == ORIENTATION) & (tf.range(ENTRIES, dtype=tf.int64) < numbers(offset, 2))
    value = tf.cast(tf.reduce_max(tf.where(named, numbers(entries + 8, 2), 0), axis=1), tf.int32)
    return tf.where((at > 0) & (value >= 1) & (value <= 8), value, 1)


def _window(files: tf.Tensor, at: tf.Tensor, size: int) -> tf.Tensor:
    """So many bytes of each file from there, as numbers; zeros behind its end."""
    pieces = tf.strings.substr(files, tf.minimum(at, tf.strings.length(files)), tf.fill(tf.shape(at), size))
    return tf.cast(tf.io.decode_raw(pieces, tf.uint8, fixed_length=size), tf.int64)


def _alike(heads: tf.Tensor, patterns: np.ndarray) -> tf.Tensor:
    """Which heads [b, HEAD] begin as which pattern: [b, patterns]."""
    return tf.reduce_all((heads[:, tf.newaxis] == patterns) | (patterns < 0), axis=2)
