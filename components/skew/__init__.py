"""Skew: what a served model was asked against the statistics of what it was trained on, and labels that came later.

Knows logs of requests and a version's statistics; knows nothing of metrics, and loads no model.
"""
