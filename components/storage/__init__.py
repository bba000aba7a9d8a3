"""Files complete or absent, URLs, and the folder of a destination: on a disk or in an object store.

Knows bytes and names; knows nothing of rows or models.
"""
