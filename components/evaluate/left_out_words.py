"""Which words of a text moved its prediction: the served model is asked again without each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
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
WORD = re.compile(r"\w+(?:['’]\w+)*")


def moved(feature: Text, row: Mapping[str, Any], ask: Callable[[Mapping[str, Array]], Array]) -> Moved:
    """The words that raised the answer most, and those that lowered it most, with by how much.

    Of several classes the answer is the probability of the one that was chosen.
    """
    text = bytes(row[feature.name]).decode(errors="replace")
    words = list(dict.fromkeys(word.lower() for word in WORD.findall(text)))[:MOST_WORDS]
    texts = [text, *(without(text, word) for word in words)]
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


def without(text: str, word: str) -> str:
    """The text without the word, wherever it stands and however it is capitalised."""
    return re.sub(rf"\s*(?<!\w){re.escape(word)}(?!\w)", "", text, flags=re.IGNORECASE)
