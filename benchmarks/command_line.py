"""Seconds of wall time that the commands take which do not train, and of a first run: best of three, in one go.

.venv/bin/python benchmarks/command_line.py
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time

COMMANDS = {
    "sluice --help": ["--help"],
    "sluice tasks": ["tasks"],
    "sluice run auto_mpg, unchanged": ["run", "auto_mpg"],
    "sluice runs": ["runs"],
    "sluice versions auto_mpg": ["versions", "auto_mpg"],
}


def seconds(words: list[str], directory: str) -> float:
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "pipelines", *words], cwd=directory, capture_output=True, check=True)
    return time.monotonic() - began


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        print(f"{seconds(['run', 'auto_mpg'], directory):6.2f}  sluice run auto_mpg, first")
        for name, words in COMMANDS.items():
            print(f"{min(seconds(words, directory) for _ in range(3)):6.2f}  {name}")


if __name__ == "__main__":
    main()
