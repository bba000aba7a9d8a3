"""Transform: tf.Transform's analysis of the train split, kept as the graph that training and serving share.

Knows Beam, tf.Examples and the task's preprocess; knows nothing of models or of the user's files.
"""
