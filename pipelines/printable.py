"""Text for a terminal: names, reasons and data are shown, and command nothing there."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# Control characters but for tab and line feed, those that turn the direction of writing, and halves of characters.
COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def printable(text: str) -> str:
    """What would command a terminal as its escape sequence in Python's spelling."""
    return COMMANDS.sub(lambda found: found[0].encode("unicode_escape", "backslashreplace").decode(), text)


class Shown:
    """A text stream that shows such characters instead of passing them on; else the stream itself."""

    def __init__(self, stream: Any) -> None:
        self.itself = stream

    def write(self, text: str) -> int:
        self.itself.write(printable(text))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.itself, name)


@contextmanager
def standard_streams() -> Iterator[None]:
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = Shown(sys.stdout), Shown(sys.stderr)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = before
