"""Validate: statistics against the task's schema, and against those of the champion's data.

Knows numbers about columns; sees no row and no model.
"""
