"""Keeping native libraries' own words off the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.printable import Shown


@contextmanager
def only_our_words() -> Iterator[None]:
    """Python's stderr stays; what native libraries write to the descriptor (TensorFlow's greetings) is dropped."""
    saved, python = os.dup(2), sys.stderr
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
    try:
        with open(saved, "w", buffering=1, encoding=python.encoding, errors="backslashreplace", closefd=False) as ours:
            sys.stderr = Shown(ours)
            yield
    finally:
        sys.stderr = python
        os.dup2(saved, 2)
        os.close(saved)
