"""Commands as somebody at a terminal gives them: what is loaded by one is ready for the next."""

import os
import subprocess
import sys
from pathlib import Path


def sluice(*words: str, cwd: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Of one environment, as a warm process serves no other; pytest's own would name each test."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    return subprocess.run(
        [sys.executable, "-m", "pipelines", *words], cwd=cwd, env={**kept, "SLUICE_WARM": "1", **variables},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def stop(runs: Path) -> None:
    """End what these runs have kept."""
    assert sluice("stop", "--runs", str(runs), cwd=runs.parent).returncode == 0
