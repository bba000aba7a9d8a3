"""Words that moved a single answer, found by leaving them out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest

from components.evaluate.left_out_words import MOST_WORDS, TOLD, moved, places, without
from tasks import Text

Array = np.ndarray[Any, Any]
REVIEW = Text("review")


def score(columns: Mapping[str, Array]) -> Array:
    """A tenth for each `good`, two tenths less for a `bad`, and what a number beside the text says."""
    texts = [text.decode().lower() for text in columns["review"]]
    assert len({len(values) for values in columns.values()}) == 1
    return np.array([0.1 * text.count("good") - 0.2 * text.count("bad") for text in texts]) + columns["bonus"]


def row(text: str) -> dict[str, Any]:
    return {"review": text.encode(), "bonus": np.float32(0.5)}


def test_words_that_raise_and_words_that_lower_the_answer() -> None:
    found = moved(REVIEW, row("Good film, good cast. Bad end."), score)
    assert found == [("good", pytest.approx(0.2)), ("bad", pytest.approx(-0.2))]
    assert moved(REVIEW, row("A film"), score) == []
    assert moved(REVIEW, row(""), score) == []


def test_of_several_classes_the_chosen_one_counts() -> None:
    def classes(columns: Mapping[str, Array]) -> Array:
        first = score(columns)
        return np.stack([1 - first, first], axis=1)

    assert moved(REVIEW, row("good good good"), classes) == [("good", pytest.approx(0.3))]


def test_no_more_words_than_can_be_afforded_are_tried_and_few_are_told() -> None:
    asked = []

    def counting(columns: Mapping[str, Array]) -> Array:
        asked.append(len(columns["review"]))
        return np.array([len(text) for text in columns["review"]], float)

    found = moved(REVIEW, row(" ".join(f"w{at:04}" for at in range(1000))), counting)
    assert asked == [MOST_WORDS + 1]
    assert len(found) == TOLD


@pytest.mark.parametrize(
    ("text", "word", "left"),
    [
        ("It was good, GOOD!", "good", "It was,!"),
        ("goodness me", "me", "goodness"),
        ("don't, do not, do", "do", "don't, not,"),
        ("It's Anna's", "anna's", "It's"),
        ("schön ist schön", "schön", " ist"),
        ("a.b (c)", "b", "a. (c)"),
    ],
)
def test_a_word_is_left_out_wherever_it_stands(text: str, word: str, left: str) -> None:
    assert without(text, places(text)[word]) == left
