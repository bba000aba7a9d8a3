"""What the model is for, and what it is not to be trusted with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.evaluate.report.html import Markup, section, table, tag
from components.serving import model_card
from tasks import Task


def page(task: Task, blessing: Mapping[str, Any], statistics: Mapping[str, Any]) -> Markup:
    """The parts of the card that the rest of the report does not have."""
    told = [_block(block) for block in model_card.purpose(task, blessing["task"])]
    limits = tag("ul", *(tag("li", *_words(limit)) for limit in model_card.limits(task, blessing, statistics, {})))
    return section("Model card", *told, tag("h3", "Limits"), limits)


def _block(block: model_card.Block) -> Markup:
    return tag("p", *_words(block)) if isinstance(block, str) else table(block.head, block.rows)


def _words(text: str) -> list[str]:
    """Markdown's backticks as what they mean."""
    return [tag("code", part) if at % 2 else part for at, part in enumerate(text.split("`"))]
