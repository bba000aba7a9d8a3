"""Commands as somebody at a terminal gives them: what is loaded by one is ready for the next."""

import os
import subprocess
import sys
from pathlib import Path


def environment() -> dict[str, str]:
    """The same for all tests, as a warm process serves no other; pytest's own would name each test."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return {**kept, "SLUICE_WARM": "1"}


def sluice(*words: str, cwd: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "pipelines", *words]
    return subprocess.run(command, cwd=cwd, env=environment(), capture_output=True, text=True, check=False)


def stop(runs: Path) -> None:
    """End what these runs have kept."""
    assert sluice("stop", "--runs", str(runs), cwd=runs.parent).returncode == 0
