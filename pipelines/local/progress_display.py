"""Progress on stderr: a live line for each step in a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import shutil
import sys
import time
from pathlib import Path
from typing import Any, TextIO

from components.progress import MARK
from pipelines.printable import Shown, printable

FRAMES = "⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏"
GREEN, RED, FAINT, PLAIN = "\x1b[32m", "\x1b[31m", "\x1b[2m", "\x1b[0m"
QUIET_SECONDS = 5.0
WIDTH = 10


class Display:
    """What a run tells while it goes on."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        # Escape sequences of its own go past what keeps those of others away.
        given: Any = stream or sys.stderr
        self.stream: TextIO = given.itself if isinstance(given, Shown) else given
        self.quiet = quiet
        self.live = not quiet and self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.colours = self.live and "NO_COLOR" not in os.environ
        self.step, self.words, self.tail = "", "", Tail(None)
        self.began = self.spoke = 0.0

    def begin(self, step: str, log: Path) -> None:
        self.step, self.words, self.tail = step, "", Tail(log)
        self.began = time.monotonic()
        self.spoke = self.began
        if not self.live:
            self._line(f"{step}: started")

    def tick(self, words: str = "") -> None:
        """Show what the step does now."""
        said = words or self.tail.newest()
        news = bool(said) and said != self.words
        self.words = said or self.words
        now = time.monotonic()
        if self.live:
            frame = FRAMES[int(now * 10) % len(FRAMES)]
            seconds = f"{now - self.began:.0f} s" if now - self.began >= 1 else ""
            self._redraw(f"  {frame} {self.step:<{WIDTH}} {seconds:>7}  {printable(self.words)}")
        elif news and now - self.spoke >= QUIET_SECONDS:
            self.spoke = now
            self._line(f"{self.step}: {printable(self.words)}")

    def end(self, step: str, status: str, seconds: float = 0.0) -> None:
        """The step is over: "ran", "cached" or "failed"."""
        self.step = ""
        took = f"{seconds:.1f} s"
        if self.live:
            self._redraw("")
            mark = self._in(RED, "✗") if status == "failed" else self._in(GREEN, "✓")
            text = self._in(FAINT, f"{'cached':>7}") if status == "cached" else f"{took:>7}"
            self._line(f"  {mark} {step:<{WIDTH}} {text}")
        else:
            ended = {"ran": f"done in {took}", "cached": "cached", "failed": f"failed after {took}"}
            self._line(f"{step}: {ended[status]}")

    def say(self, text: str) -> None:
        """A line that stays."""
        if self.live:
            self._redraw("")
        self._line(f"  {printable(text)}" if self.live else printable(text))

    def clear(self) -> None:
        """Leave no half line behind."""
        if self.live and self.step:
            self._redraw("")

    def _in(self, colour: str, text: str) -> str:
        return f"{colour}{text}{PLAIN}" if self.colours else text

    def _line(self, text: str) -> None:
        if self.quiet:
            return
        self.stream.write(f"{text}\n")
        self.stream.flush()

    def _redraw(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(f"\r\x1b[K{text[:width]}")
        self.stream.flush()


class Tail:
    """The newest marked line of a growing log."""

    def __init__(self, log: Path | None) -> None:
        self.log = log
        self.position = log.stat().st_size if log is not None and log.exists() else 0

    def newest(self) -> str:
        """Empty if nothing was said since the last time."""
        if self.log is None or not self.log.exists():
            return ""
        with self.log.open("rb") as file:
            file.seek(self.position)
            text = file.read()
        whole = text[: text.rfind(b"\n") + 1]
        self.position += len(whole)
        marked = [line for line in whole.decode(errors="replace").splitlines() if line.startswith(MARK)]
        return marked[-1][len(MARK) :].strip() if marked else ""
