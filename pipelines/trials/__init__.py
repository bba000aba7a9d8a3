"""Many runs of one task with other settings each: what a search tries, by what it chooses, and its page.

Nothing here knows how a run is done; nothing but study.py knows Optuna.
"""
