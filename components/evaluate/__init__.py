"""Evaluate: the exported model and the champion on the same raw test rows, judged by the task's gate.

Knows predictions, metrics and the report; trains nothing, and changes nothing at the destination.
"""
