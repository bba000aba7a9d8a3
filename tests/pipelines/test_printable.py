"""Nothing that a user, a file or a run names can command the terminal that it is shown in."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from pipelines import printable
from pipelines.__main__ import main
from pipelines.local.progress_display import Display

HOSTILE = "\x1b]0;title\x07\x1b[2Jgone\u202e\x9b31m"


@pytest.mark.parametrize(
    "words",
    [
        ("show", HOSTILE),
        ("predict", "auto_mpg", f"{HOSTILE}.csv"),
        ("run", HOSTILE),
        ("run", "auto_mpg", "--force", " ", "--set", HOSTILE),
        ("run", "auto_mpg", HOSTILE),
    ],
)
def test_what_was_typed_is_shown_and_commands_nothing(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path))
    status = 0
    try:
        status = main([*words])
    except SystemExit as stopped:  # argparse itself
        status = int(stopped.code or 0)
    assert status == 2
    out, said = capfd.readouterr()
    assert not printable.COMMANDS.search(out + said)
    assert "sluice" in said


def test_a_file_name_that_is_no_text_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with printable.standard_streams():
        print("caf\udce9\ttab")
    assert capsys.readouterr().out == "caf\\udce9\ttab\n"


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_the_display_moves_the_cursor_itself_and_lets_no_step_do_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", printable.Shown(terminal))
    display = Display()
    display.begin("ingest", tmp_path / "ingest.log")
    (tmp_path / "ingest.log").write_text(f"» reading {HOSTILE}.csv\n")
    display.tick()
    display.say(HOSTILE)
    written = terminal.getvalue()
    assert "\r\x1b[K" in written
    assert "\\x1b]0;title\\x07" in written
    assert "\x1b]" not in written
    assert "\x1b[2J" not in written
