"""Ingest: one Beam pass from the user's files to tf.Examples, rows set aside, statistics and a fingerprint.

Knows Beam and what it writes; knows nothing of models, the gate or TensorFlow.
"""
