"""Serve: the newest versions of tasks over HTTP on this machine, and a page to try them by hand.

The paths and the JSON are those of TF Serving's REST API, which is what serves in production. Knows pushed versions
and the tasks' features; knows nothing of runs, nor of how a model came to be.
"""
