"""Resolve: what the user typed, the data's state and the champion become plain parameters of the run.

Knows cron, dates, settings and the destination; reads no row, and imports neither Beam nor TensorFlow.
"""
