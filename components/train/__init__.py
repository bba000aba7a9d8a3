"""Train: fit one Keras model on preprocessed rows and export it.

Knows tf.Examples, the transform graph and devices; knows nothing of files of rows, Kubeflow or the gate.
"""
