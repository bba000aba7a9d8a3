"""A pushed version asked as servers ask it, by any TensorFlow: python interop/session_loader.py VERSION 'JSON ROW'...

Knows TensorFlow (2.3 or newer, so Python may be old, too) and the SavedModel; prints a JSON line for each row.
"""

import base64
import json
import sys

import numpy as np
import tensorflow as tf


def main(path, rows):
    types = {1: np.float32, 7: np.object_, 9: np.int64}  # DT_FLOAT, DT_STRING, DT_INT64
    with tf.compat.v1.Session(graph=tf.Graph()) as session:
        graph = tf.compat.v1.saved_model.load(session, ["serve"], path)
        signature = graph.signature_def["features"]
        for row in rows:
            feed = {
                tensor.name: np.array([plain(row[name])], types[tensor.dtype])
                for name, tensor in signature.inputs.items()
            }
            outputs = session.run({name: tensor.name for name, tensor in signature.outputs.items()}, feed)
            answer = {name: readable(values[0]) for name, values in outputs.items()}
            print(json.dumps({"tensorflow": tf.__version__, **answer}))


def plain(value):
    """Text and bytes, the latter as {"b64": ...}, as a string tensor holds them."""
    if isinstance(value, dict):
        return base64.b64decode(value["b64"])
    return value.encode() if isinstance(value, str) else value


def readable(value):
    if isinstance(value, bytes):
        return value.decode()
    return [round(float(one), 5) for one in value] if np.ndim(value) else round(float(value), 5)


if __name__ == "__main__":
    main(sys.argv[1], [json.loads(row) for row in sys.argv[2:]])
