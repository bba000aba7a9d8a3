"""Numbers brought to one scale. Missing values (NaN, infinite) count in no statistic and become 0."""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf
import tensorflow_transform as tft


def z_score(columns: Sequence[tf.Tensor]) -> tf.Tensor:
    """Columns of shape [b] as one [b, n], each less the mean and divided by the standard deviation of the train split.

    The deviation is the population's (ddof=0), as sklearn's and Keras' is. A constant column becomes 0.
    """
    table = tf.stack([tf.cast(column, tf.float32) for column in columns], axis=1)
    # Sums of squares of large numbers, such as populations, lose digits in single precision.
    exact = tf.cast(tf.where(tf.math.is_finite(table), table, float("nan")), tf.float64)
    mean = tf.cast(tft.mean(exact, reduce_instance_dims=False), tf.float32)
    deviation = tf.cast(tf.sqrt(tft.var(exact, reduce_instance_dims=False)), tf.float32)
    return _missing_to_zero(tf.math.divide_no_nan(table - mean, deviation))


def min_max(columns: Sequence[tf.Tensor], low: float = -1.0, high: float = 1.0) -> tf.Tensor:
    """Columns of shape [b] as one [b, n] between `low` and `high`, the train split's extremes; the missing at 0."""
    table = tf.stack([tf.cast(column, tf.float32) for column in columns], axis=1)
    present = tf.math.is_finite(table)
    smallest = tft.min(tf.where(present, table, table.dtype.max), reduce_instance_dims=False)
    largest = tft.max(tf.where(present, table, table.dtype.min), reduce_instance_dims=False)
    share = tf.math.divide_no_nan(table - smallest, largest - smallest)
    return _missing_to_zero(low + share * (high - low))


def _missing_to_zero(table: tf.Tensor) -> tf.Tensor:
    return tf.where(tf.math.is_finite(table), table, 0.0)
