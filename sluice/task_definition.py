"""A task by its name, as the command line finds it."""

from __future__ import annotations

import tasks
from pipelines.native_output import only_our_words
from tasks import Task


def definition(name: str) -> Task:
    """The task's file is imported, and with it, as a rule, TensorFlow; its greetings are dropped."""
    tasks.use_folder("")
    with only_our_words():
        return tasks.get(name)
