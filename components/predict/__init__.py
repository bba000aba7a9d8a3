"""Predict: raw rows in, predictions of a pushed version out.

Knows the user's files and the served signature; knows nothing of training or of runs.
"""
