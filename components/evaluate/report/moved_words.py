"""The words that moved single answers."""

from __future__ import annotations

from collections.abc import Mapping

from components.evaluate.left_out_words import MOST_WORDS, Moved
from components.evaluate.report.html import Markup, join, tag
from tasks import Category, Task


def key(task: Task, words: Mapping[int, Moved]) -> list[Markup]:
    """How to read them, once above all texts."""
    if not words:
        return []
    second = task.label.labels[1] if isinstance(task.label, Category) else ""
    what = {
        "regression": f"the predicted {task.label.name}",
        "binary": f"the probability of {second}",
        "classes": "the probability of the class it chose",
    }[task.kind]
    said = (
        f"Below a text stand the words that moved its answer most, and by how much they raise or lower {what}: the "
        f"served model was asked again without each. Of a text the first {MOST_WORDS} different words were tried."
    )
    return [tag("p", said, class_="soft")]


def listed(words: Moved) -> Markup:
    """Those of one text."""
    lines = []
    for title, some in (("raise it", [w for w in words if w[1] > 0]), ("lower it", [w for w in words if w[1] < 0])):
        told = ", ".join(f"{word} {change:+.3g}".replace("-", "−") for word, change in some)
        lines += [tag("p", tag("b", f"{title}: "), told, class_="soft", dir="auto")] if told else []
    return join(lines)
