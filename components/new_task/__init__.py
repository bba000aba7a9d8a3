"""`sluice new`: from a user's data to the file of a task. Knows no TensorFlow, and no step.

`column_guesses` looks at the rows, `sample_source` and `task_source` write Python.
"""
