"""Text as the ids of its words, made exactly as those of `keras.datasets.imdb`.

The ids: 0 pads, 1 starts a text, 2 is any other word, and the word of rank r (1 is the most frequent of the train
split) is `FIRST + r`. As in `load_data(num_words=size)` every id is below `size`, so `size - 4` words are known.
"""

from __future__ import annotations

import string
from typing import Literal

import tensorflow as tf
import tensorflow_transform as tft

PADDING, START, OTHER, FIRST = 0, 1, 2, 3
# As Keras has it, an apostrophe is part of a word.
BLANKS = string.whitespace + string.punctuation.replace("'", "")


def words(text: tf.Tensor) -> tf.RaggedTensor:
    """Strings [b] as their words [b, (words)]: A to Z in lower case, punctuation as blanks, split on blanks."""
    found = tf.raw_ops.StringSplit(input=tf.strings.lower(text), delimiter=BLANKS, skip_empty=True)
    return tf.RaggedTensor.from_value_rowids(found.values, found.indices[:, 0], found.shape[0], validate=False)


def tokens(text: tf.Tensor) -> tf.RaggedTensor:
    """Strings [b] as what stands between their spaces, as it is written."""
    return tf.strings.split(text, " ")


def vocabulary(words: tf.RaggedTensor, size: int, name: str) -> tf.Tensor:
    """The `size` most frequent words of the train split, kept with the graph as an asset called `name`.

    Words of one frequency are in descending order of their bytes. An empty word, or one that ends a line, is none.
    """
    from transforms import _word_counts  # Beam: only the analysis is to import it

    found, _, counts = tf.unique_with_counts(words.flat_values, tf.int64)
    fit = ~tf.strings.regex_full_match(found, r"|\C*[\r\n]\C*")
    found, counts = tf.boolean_mask(found, fit), tf.boolean_mask(counts, fit)
    analyzer = _word_counts.most_frequent(size, name)
    [path] = tft.experimental.ptransform_analyzer([found, counts], analyzer, [tf.string], [[]], [b"none yet"], name)
    tft.annotate_asset(name, name)
    return path


def ids(words: tf.RaggedTensor, size: int, name: str = "words") -> tf.RaggedTensor:
    """Words [b, (words)] as ids [b, (1 + words)], beginning with the start mark."""
    known = vocabulary(words, size - FIRST - 1, name)
    return codes(words, tft.apply_vocabulary(words.flat_values, known, default_value=-1))


def codes(words: tf.RaggedTensor, positions: tf.Tensor) -> tf.RaggedTensor:
    """The same from each word's position in the vocabulary, counted from 0, or -1 if it is not there."""
    codes = tf.where(positions < 0, tf.constant(OTHER, tf.int64), positions + FIRST + 1)
    start = tf.fill([words.nrows(), 1], tf.constant(START, tf.int64))
    return tf.concat([start, words.with_flat_values(codes)], axis=1)


def pad(ids: tf.RaggedTensor, length: int, truncation: Literal["pre", "post"] = "post") -> tf.Tensor:
    """Ids [b, (any)] as [b, length], padded after the end; of what is too long, "post" cuts the end, "pre" the start.

    Keras' `pad_sequences` does the same, but cuts the start unless told otherwise.
    """
    if truncation not in ("pre", "post"):
        raise ValueError(f"A text is cut at one end. Expected truncation 'pre' or 'post'. Received: {truncation!r}.")
    kept = ids[:, :length] if truncation == "post" else ids[:, -length:]
    return kept.to_tensor(default_value=PADDING, shape=[None, length])


def multi_hot(ids: tf.RaggedTensor, size: int) -> tf.SparseTensor:
    """Ids [b, (any)] as a sparse [b, size] with 1.0 where the id occurs, each row's indices sorted and unique."""
    found = tf.sparse.bincount(ids, minlength=size, maxlength=size, axis=-1, binary_output=True)
    return tf.SparseTensor(found.indices, tf.cast(found.values, tf.float32), [ids.nrows(), size])


def read_back(ids: list[int], known: list[str]) -> str:
    """The text behind ids, given the vocabulary in its order; "[?]" stands for a word that is not in it."""
    return " ".join(known[i - FIRST - 1] if i > FIRST else "[?]" for i in ids if i not in (PADDING, START))
