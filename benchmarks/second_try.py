"""The second try: a task has run, something is changed, and the clock runs until the verdict.

Seconds of wall time, medians of the repeats, each in a project directory of its own with a copy of the Auto MPG task
and its synthetic sample. A fit is what the run says its fit took; `beyond` is the rest. The processes that the first
run leaves loaded are used, and ended afterwards; `--cold` does without.

.venv/bin/python benchmarks/second_try.py [--repeats N] [--cold]
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TASK = Path(__file__).parent.parent / "tasks" / "auto_mpg.py"
# What is changed: words added to the command, or a line of the task's file and what becomes of it.
TRIES: dict[str, tuple[list[str], str, str]] = {
    "nothing": ([], "", ""),
    "--set train.learning_rate": (["--set", "train.learning_rate=0.002"], "", ""),
    "a line of the model": ([], 'activation="relu"', 'activation="elu"'),
    "a line of preprocess": ([], "(1, 2, 3))\n    return", "(1, 3, 2))\n    return"),
    "the gate": ([], 'Bar("mae", 2.5, tolerance=0.1', 'Bar("mae", 2.4, tolerance=0.1'),
}

# Its runs lie below its own directory.
HERE = {**os.environ, "SLUICE_HOME": ""}


def timed(project: Path, words: list[str], warm: bool) -> tuple[float, float]:
    """Seconds from the command to the verdict, and of those the fit's; 0 where none was needed."""
    command = [sys.executable, "-m", "pipelines", "run", "second_try", "--json", *words]
    environment = {**HERE, "SLUICE_WARM": "1" if warm else "0"}
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=project, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    )
    seconds = time.monotonic() - began
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with exit status {done.returncode}")
    told = json.loads(done.stdout)
    trained = any(step["name"] == "train" and step["status"] == "ran" for step in told["steps"])
    training = project / "runs" / told["run"] / "train" / "model" / "training.json"
    return seconds, json.loads(training.read_text())["fit_seconds"] if trained else 0.0


def tried(change: tuple[list[str], str, str], warm: bool) -> tuple[float, float, float]:
    """Seconds of a first run, and of the one after the change, and its fit's."""
    words, line, instead = change
    with tempfile.TemporaryDirectory() as folder:
        project = Path(folder)
        (project / "tasks").mkdir()
        task = project / "tasks" / "second_try.py"
        source = TASK.read_text().replace("sluice run auto_mpg", "sluice run second_try")
        task.write_text(source)
        try:
            first, _ = timed(project, [], warm)
            changed = source.replace(line, instead)
            if line and changed == source:
                sys.exit(f"{TASK} has no {line!r} any more; the benchmark has to be told what to change instead.")
            task.write_text(changed)
            return first, *timed(project, words, warm)
        finally:
            stop = [sys.executable, "-m", "pipelines", "stop"]
            subprocess.run(stop, cwd=project, env=HERE, check=True, capture_output=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    parser.add_argument("--cold", action="store_true", help="keep nothing loaded between the two runs")
    given = parser.parse_args()
    print("| changed | first run s | second try s | its fit s | beyond s |", flush=True)
    print("|---|---|---|---|---|", flush=True)
    for name, change in TRIES.items():
        found = [tried(change, not given.cold) for _ in range(given.repeats)]
        first, second, fit = (statistics.median(column) for column in zip(*found, strict=True))
        beyond = statistics.median(one[1] - one[2] for one in found)
        print(f"| {name} | {first:.1f} | {second:.1f} | {fit:.1f} | {beyond:.1f} |", flush=True)


if __name__ == "__main__":
    main()
