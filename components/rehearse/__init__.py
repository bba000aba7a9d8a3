"""Rehearse: the exported model in a clean process, asked the plain and the awkward before it is served.

It needs nothing of the evaluation. What runs in that process knows TensorFlow and nothing of ours.
"""
