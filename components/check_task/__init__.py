"""What every task promises, checked without pytest: by `sluice check TASK`, and by the tests for the tasks here.

`definition` needs no TensorFlow, `fitted` does. Stands above the steps, and uses their own functions.
"""
