"""How fast and in how much memory `sluice predict` answers rows of auto_mpg's shape, from start to end of the command.

    sluice run auto_mpg                   # once, so that there is a version to ask
    .venv/bin/python benchmarks/predict.py [--rows 1000000] [--serving serving]

Prints a row for each way in and out: seconds, rows per second, and the peak of its resident memory.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
from ingest import write_csv  # its neighbour in this directory


def ask(serving: Path, source: Path, answers: Path) -> tuple[float, int]:
    """Seconds, and the peak in MiB, of a process that answers the file."""
    command = [sys.executable, "-m", "pipelines", "predict", "auto_mpg", str(source)]
    command += ["--serving", str(serving), "--output", str(answers)]
    started = time.monotonic()
    process = subprocess.Popen(command, cwd=Path(__file__).parents[1])
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"{' '.join(command)} ended with exit status {process.returncode}")
    return time.monotonic() - started, usage.ru_maxrss // 1024


def write_parquet(cars: Path, target: Path) -> None:
    """Piece by piece: what this process holds when it starts another counts as the other's peak too."""
    pieces = pa_csv.open_csv(cars, convert_options=pa_csv.ConvertOptions(null_values=["?"]))
    with pq.ParquetWriter(target, pieces.schema) as writer:
        for piece in pieces:
            writer.write_batch(piece)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--serving", type=Path, default=Path("serving"))
    args = parser.parse_args()
    print("| rows | in | out | seconds | rows a second | peak MiB |\n|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        cars, one = Path(folder, "cars.csv"), Path(folder, "one.csv")
        write_csv(cars, args.rows, 0.015, 0.0, False)
        write_csv(one, 1, 0.0, 0.0, False)
        write_parquet(cars, cars.with_suffix(".parquet"))
        for rows, source, ending in (
            (1, one, ".jsonl"),
            (args.rows, cars, ".jsonl"),
            (args.rows, cars, ".parquet"),
            (args.rows, cars.with_suffix(".parquet"), ".parquet"),
        ):
            seconds, peak = ask(args.serving.absolute(), source, Path(folder, f"answers{ending}"))
            shown = f"{rows:,} | {source.suffix[1:]} | {ending[1:]} | {seconds:.1f} | {rows / seconds:,.0f} | {peak}"
            print(f"| {shown} |", flush=True)


if __name__ == "__main__":
    main()
