"""What a check says that finds something."""

from __future__ import annotations


class BrokenPromiseError(Exception):
    """A task does not keep what every task promises; the text says which, what was expected and what was found."""


def demand(kept: object, sentence: str) -> None:
    if not kept:
        raise BrokenPromiseError(sentence)
