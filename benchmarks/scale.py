"""Whole runs of a CSV file of auto_mpg's shape, one epoch each: how seconds and memory grow with rows, and cores.

    .venv/bin/python benchmarks/scale.py [--rows 10000,100000,1000000] [--cores 1,2]

Memory is that of all processes of a run together, sampled five times a second; what they share counts once. Start-up is
what a run of 250 rows takes. The last column is how often the time beyond start-up is that of the row above it.
"""

from __future__ import annotations

import argparse
import functools
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ingest import write_csv

STEPS = ("resolve", "ingest", "validate", "transform", "train", "evaluate", "rehearse", "push")
FEW = 250
SETTINGS = ("--set", "train.epochs=1", "--force", "measuring", "--json")


@dataclass
class Run:
    """What one run took."""

    rows: int
    cores: int
    whole: float
    steps: dict[str, float]
    fit: float
    peak_mib: int

    def cells(self) -> list[str]:
        steps = [f"{self.steps[name]:.1f}" for name in STEPS]
        at_fit = STEPS.index("train") + 1
        steps.insert(at_fit, f"{self.fit:.1f}")
        return [f"{self.rows:,}", str(self.cores), *steps, f"{self.whole:.1f}", f"{self.peak_mib:,}"]

    def timed(self) -> dict[str, float]:
        """What all cores should help with."""
        train = self.steps["train"] - self.fit
        return {
            "ingest": self.steps["ingest"], "transform": self.steps["transform"], "train without its fit": train,
            "whole": self.whole,
        }  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=numbers, default=[10**4, 10**5, 10**6], metavar="N,...")
    parser.add_argument("--cores", type=numbers, default=[len(os.sched_getaffinity(0))], metavar="N,...")
    given = parser.parse_args()
    titles = ["rows", "cores", *STEPS, "whole", "peak MiB", "times"]
    titles.insert(titles.index("train") + 1, "its fit")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|", flush=True)
    found = [one for cores in given.cores for one in growing([FEW, *given.rows], cores)]
    for one in found:
        for other in found:
            if one.rows == other.rows > FEW and one.cores < other.cores:
                times = {name: seconds / other.timed()[name] for name, seconds in one.timed().items()}
                told = ", ".join(f"{name} {ratio:.2f}" for name, ratio in times.items())
                print(f"{one.rows:,} rows with {other.cores} cores, times as fast as with {one.cores}: {told}")


def numbers(text: str) -> list[int]:
    return [int(number) for number in text.split(",")]


def growing(sizes: list[int], cores: int) -> Iterator[Run]:
    start = before = 0.0
    for rows in sizes:
        run = measured(rows, cores)
        beyond = run.whole - start
        ratio = f"{beyond / before:.1f}" if before > 0 else ""
        print(f"| {' | '.join([*run.cells(), ratio])} |", flush=True)
        if rows == FEW:
            start = run.whole
        else:
            before = beyond
        yield run


def measured(rows: int, cores: int) -> Run:
    with tempfile.TemporaryDirectory(prefix="sluice-scale-") as folder:
        path = Path(folder) / "cars.csv"
        write_csv(path, rows, missing=0.015, broken=0.0, quoted=False)
        some = sorted(os.sched_getaffinity(0))[:cores]
        began = time.monotonic()
        with (Path(folder) / "said").open("w+") as said, (Path(folder) / "log").open("w+") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "pipelines", "run", "auto_mpg", "--data", str(path), *SETTINGS],
                cwd=folder, env={**os.environ, "SLUICE_WARM": "0"}, stdout=said, stderr=log,
                preexec_fn=functools.partial(os.sched_setaffinity, 0, some),
            )  # fmt: skip
            peak = peak_mib(process)
            whole = time.monotonic() - began
            said.seek(0)
            log.seek(0)
            if process.returncode:
                sys.exit(f"A run of {rows:,} rows ended with exit status {process.returncode}:\n{log.read()}")
            told = json.load(said)
        facts = json.loads((Path(folder) / "runs" / told["run"] / "train/model/training.json").read_text())
        steps = {step["name"]: step["seconds"] for step in told["steps"]}
        return Run(rows, cores, whole, steps, facts["fit_seconds"], peak)


def peak_mib(process: subprocess.Popen[bytes]) -> int:
    """The most that the process and all that it has started hold together, until it ends."""
    known, peak = {process.pid}, 0
    while process.poll() is None:
        known = descendants(known)
        peak = max(peak, sum(map(held_kib, known)))
        time.sleep(0.2)
    return peak >> 10


def descendants(known: set[int]) -> set[int]:
    """Of the known processes those that are alive, and all below them."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(path.parent.name)] = int(path.read_text().rpartition(")")[2].split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue  # it has ended
    found = known & parents.keys()
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found


def held_kib(pid: int) -> int:
    """Its own memory, and its part of what it shares."""
    try:
        told = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return int(re.findall(r"^Pss:\s+(\d+) kB", told, re.MULTILINE)[0])


if __name__ == "__main__":
    main()
