"""Push: only the model that was blessed and rehearsed goes to the destination, as a new version.

Knows documents, hashes and the destination; knows neither TensorFlow nor how the verdict came about.
"""
