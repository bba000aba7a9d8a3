"""Codes with a fixed set of values, one-hot. A value outside the set, or a missing one, is all zeros."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf


def one_hot(codes: tf.Tensor, values: Sequence[int] | Sequence[str]) -> tf.Tensor:
    """Integer or string codes [b] as [b, len(values)] of 0.0 and 1.0, in the order of `values`."""
    return tf.cast(codes[:, tf.newaxis] == tf.constant(list(values), codes.dtype), tf.float32)
