"""Seconds of wall time that the commands take which do not train, and of a first run: medians of the repeats.

Where nothing else is said the processes that the first run leaves loaded are there, and ended afterwards.

.venv/bin/python benchmarks/command_line.py [--repeats N]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROW = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin\n8,390,190,3850,8.5,70,USA\n"
WARM, COLD = {"SLUICE_WARM": "1"}, {"SLUICE_WARM": "0"}
COMMANDS = {
    "sluice --help": (["--help"], WARM),
    "sluice tasks": (["tasks"], WARM),
    "sluice run auto_mpg, unchanged": (["run", "auto_mpg"], WARM),
    "sluice runs": (["runs"], WARM),
    "sluice versions auto_mpg": (["versions", "auto_mpg"], WARM),
    "sluice predict auto_mpg row.csv": (["predict", "auto_mpg", "row.csv"], WARM),
    "the same, SLUICE_WARM=0": (["predict", "auto_mpg", "row.csv"], COLD),
}


def seconds(words: list[str], directory: str, environment: dict[str, str]) -> float:
    command = [str(Path(sys.executable).with_name("sluice")), *words]
    began = time.monotonic()
    subprocess.run(
        command, cwd=directory, env={**os.environ, "SLUICE_HOME": "", **environment}, capture_output=True, check=True
    )
    return time.monotonic() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=9)
    repeats = parser.parse_args().repeats
    with tempfile.TemporaryDirectory() as directory:
        Path(directory, "row.csv").write_text(ROW)
        print(f"{seconds(['run', 'auto_mpg'], directory, WARM):6.2f}  sluice run auto_mpg, first", flush=True)
        time.sleep(5)  # what the first run has left loads the rest
        try:
            for name, (words, environment) in COMMANDS.items():
                found = [seconds(words, directory, environment) for _ in range(repeats)]
                print(f"{statistics.median(found):6.2f}  {name} ({min(found):.2f} to {max(found):.2f})", flush=True)
        finally:
            seconds(["stop"], directory, WARM)


if __name__ == "__main__":
    main()
