"""Which words of a text moved its prediction: the served model is asked again without each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tasks import Text

Array = NDArray[Any]
Moved = list[tuple[str, float]]
# Distinct words of a text that are tried, from its beginning.
MOST_WORDS = 150
TOLD = 4
NEGLIGIBLE = 1e-4
WORD_AND_BLANKS_BEFORE = re.compile(r"\s*(\w+(?:['’]\w+)*)")


def moved(feature: Text, row: Mapping[str, Any], ask: Callable[[Mapping[str, Array]], Array]) -> Moved:
    """The words that raised the answer most, and those that lowered it most, with by how much.

    Of several classes the answer is the probability of the one that was chosen.
    """
    text = bytes(row[feature.name]).decode(errors="replace")
    found = places(text)
    words = list(found)[:MOST_WORDS]
    texts = [text, *(without(text, found[word]) for word in words)]
    columns = {name: _column([value] * len(texts)) for name, value in row.items()}
    answers = ask(columns | {feature.name: _column([one.encode() for one in texts])})
    if answers.ndim == 2:
        answers = answers[:, answers[0].argmax()]
    changes = sorted(zip(words, (answers[0] - answers[1:]).tolist(), strict=True), key=lambda pair: pair[1])
    lowered = [pair for pair in changes[:TOLD] if pair[1] <= -NEGLIGIBLE]
    raised = [pair for pair in changes[: -TOLD - 1 : -1] if pair[1] >= NEGLIGIBLE]
    return raised + lowered


def _column(values: list[Any]) -> Array:
    return np.array(values, np.dtype("O") if isinstance(values[0], bytes) else None)


def places(text: str) -> dict[str, list[tuple[int, int]]]:
    """Each word in lower case, in the order of the text, with where it and the blanks before it begin and end."""
    found: dict[str, list[tuple[int, int]]] = {}
    for match in WORD_AND_BLANKS_BEFORE.finditer(text):
        found.setdefault(match[1].lower(), []).append(match.span())
    return found


def without(text: str, places: Sequence[tuple[int, int]]) -> str:
    """The text without these places, which are in its order."""
    starts, ends = [0, *(end for _, end in places)], [*(start for start, _ in places), len(text)]
    return "".join(text[start:end] for start, end in zip(starts, ends, strict=True))
