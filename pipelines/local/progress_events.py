"""Progress as JSON lines, for programs that show it themselves."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

from pipelines.local.progress_display import Display

SECONDS = 0.5


class Events(Display):
    """One object a line: what begins, what it does now, how it ended."""

    def __init__(self) -> None:
        super().__init__(sys.stderr, quiet=True)

    def begin(self, step: str, log: Path) -> None:
        super().begin(step, log)
        self._tell(step=step, status="started", log=str(log))

    def tick(self, words: str = "") -> None:
        """Now and then also without news, so that a reader who has gone is noticed."""
        said = words or self.tail.newest()
        now = time.monotonic()
        if now - self.spoke >= SECONDS:
            self.spoke, self.words = now, said or self.words
            self._tell(step=self.step, status="running", seconds=round(now - self.began, 1), says=self.words)
        else:
            self.words = said or self.words

    def end(self, step: str, status: str, seconds: float = 0.0) -> None:
        self.step = ""
        self._tell(step=step, status=status, seconds=seconds)

    def say(self, text: str) -> None:
        self._tell(says=text)

    def _tell(self, **event: Any) -> None:
        self.stream.write(f"{json.dumps(event)}\n")
        self.stream.flush()
