"""The report of a run that failed: what failed, in a sentence, over the page that a step has written, if any."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from components.evaluate.report.html import Markup, document, facts, section, table, tag
from components.serving import report_outcome
from components.serving.report_outcome import Outcome
from components.storage import atomic_files


def write(target: Path, about: Mapping[str, Any], step: str, message: str, log: Path, page: Path | None) -> None:
    """`about` is the run's record."""
    sentence, *more = message.splitlines()
    outcome = Outcome("bad", f"✗ The step {step} failed", sentence, [line for line in more if line.strip()])
    if page is not None and page.is_file() and report_outcome.BEGIN in page.read_bytes():
        report_outcome.settle(page, target, outcome)
        return
    head = [tag("h1", f"{about['run']} failed"), Markup(report_outcome.banner(outcome))]
    rows = [(each["name"], each["status"], each["seconds"]) for each in about["steps"]]
    known = {name: about[name] for name in ("task", "model", "data", "command") if about.get(name)}
    sections = [
        section("Steps", table(["step", "status", "seconds"], rows)),
        section("Run", facts({**known, "log": str(log)})),
    ]
    atomic_files.write_bytes(target, document(f"{about['run']} failed", head, sections).encode(errors="replace"))
