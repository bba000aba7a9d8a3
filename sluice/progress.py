"""A run's progress where the caller sits: in a notebook's cell, a terminal, or a log."""

from __future__ import annotations

import html
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipelines.local.progress_display import Display

MARKS = {"ran": "✓", "cached": "✓", "failed": "✗", "running": "…"}


def here(*, quiet: bool) -> Display:
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    if not quiet and type(shell).__name__ == "ZMQInteractiveShell":
        return Cell()
    return Display(quiet=quiet)


def show(display: Display, event: Mapping[str, Any]) -> None:
    """One line of what `--progress json` tells."""
    if "step" not in event:
        display.say(event["says"])
    elif event["status"] == "started":
        display.begin(event["step"], Path(event["log"]))
    elif event["status"] == "running":
        display.tick(event["says"])
    else:
        display.end(event["step"], event["status"], event["seconds"])


class Cell(Display):
    """A table below a notebook's cell, one line a step, that is drawn anew as the run goes on."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        from IPython.display import display  # type: ignore[import-not-found,unused-ignore]

        self.lines: dict[str, tuple[str, str, str]] = {}
        self.said: list[str] = []
        self.handle = display(self, display_id=True)

    def begin(self, step: str, log: Path) -> None:
        self.step, self.began = step, time.monotonic()
        self._set(step, "running", "", "")

    def tick(self, words: str = "") -> None:
        self._set(self.step, "running", f"{time.monotonic() - self.began:.0f} s", words)

    def end(self, step: str, status: str, seconds: float = 0.0) -> None:
        self.step = ""
        self._set(step, status, "cached" if status == "cached" else f"{seconds:.1f} s", "")

    def say(self, text: str) -> None:
        self.said.append(text)
        self.handle.update(self)

    def _set(self, step: str, status: str, seconds: str, words: str) -> None:
        self.lines[step] = (MARKS[status], seconds, words)
        self.handle.update(self)

    def __repr__(self) -> str:
        lines = [f"{mark} {step:<10} {took:>7}  {words}" for step, (mark, took, words) in self.lines.items()]
        return "\n".join(line.rstrip() for line in [*lines, *self.said])

    def _repr_html_(self) -> str:
        return f'<pre style="line-height: 1.3">{html.escape(repr(self))}</pre>'
