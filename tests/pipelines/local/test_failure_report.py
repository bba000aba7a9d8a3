"""What the report of a failed run says, with and without a page of the evaluation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components.serving import report_outcome
from pipelines.local import failure_report

STEPS = [{"name": "evaluate", "status": "ran", "seconds": 3.5}, {"name": "push", "status": "failed", "seconds": 1}]
ABOUT: dict[str, Any] = {"run": "cars-3", "task": "cars", "model": "", "data": "<real>", "steps": STEPS}
MESSAGE = "The destination 's3://models' cannot be read.\nIt said: <no>"


def write(folder: Path, page: Path | None) -> str:
    failure_report.write(folder / "report.html", ABOUT, "push", MESSAGE, folder / "push.log", page)
    return (folder / "report.html").read_text()


def test_the_evaluation_s_page_says_what_came_of_it(tmp_path: Path) -> None:
    held = report_outcome.judged({"blessed": True})
    (tmp_path / "page").write_text(f"<html>{report_outcome.banner(held)}<p>mae 1.9</p></html>")
    written = write(tmp_path, tmp_path / "page")
    assert "<strong>✗ The step push failed</strong>" in written
    assert "&lt;no&gt;" in written
    assert "not pushed yet" not in written
    assert written.endswith("<p>mae 1.9</p></html>")


def test_without_one_it_is_the_steps_and_what_was_asked(tmp_path: Path) -> None:
    for page in (None, tmp_path / "none"):
        written = write(tmp_path, page)
        assert "<h1>cars-3 failed</h1>" in written
        assert "The destination &#x27;s3://models&#x27; cannot be read." in written
        assert "<td>evaluate</td><td>ran</td>" in written
        assert "<dd>&lt;real&gt;</dd>" in written
        assert str(tmp_path / "push.log") in written
        assert "model</dt>" not in written
