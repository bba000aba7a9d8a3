"""What is served: export, names of outputs, the transform graph, versions, provenance, the model card.

Shared by the steps; knows none of them, nor files of rows.
"""
