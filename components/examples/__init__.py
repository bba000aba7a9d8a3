"""tf.Examples on disk: written and read with or without TensorFlow, rows set aside, statistics of columns.

Shared by the steps; knows none of them, nor models.
"""
