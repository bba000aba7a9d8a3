"""How fast and in how much memory ingest takes a CSV file of auto_mpg's shape.

    python benchmarks/ingest.py [--rows 1000000] [--missing 0.015] [--broken 0] [--quoted] [--beam ARG]...

Prints rows per second, peak memory before and after, and the sizes of what was read and written.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HEADER = "mpg,cylinders,displacement,horsepower,weight,acceleration,model_year,origin\n"


def write_csv(path: Path, rows: int, missing: float, broken: float, quoted: bool) -> None:
    generator = np.random.default_rng(0)
    line = "{:.1f},{},{:.1f},{},{},{:.1f},{},{}\n"
    if quoted:
        line = ",".join(f'"{field}"' for field in line.strip().split(",")) + "\n"
    with path.open("w") as file:
        file.write(HEADER)
        for start in range(0, rows, 100_000):
            count = min(100_000, rows - start)
            weight = generator.integers(1600, 5200, count)
            power = [str(value) for value in generator.integers(46, 230, count)]
            for index in np.flatnonzero(generator.random(count) < missing):
                power[index] = "?"
            for index in np.flatnonzero(generator.random(count) < broken):
                power[index] = "abc"
            columns = (
                np.clip(46 - weight / 150 + generator.normal(size=count), 8, 50),
                generator.choice([4, 6, 8], count),
                np.clip(generator.normal(200, 60, count), 60, 500),
                power,
                weight,
                np.clip(generator.normal(15, 3, count), 5, 40),
                generator.integers(70, 83, count),
                generator.integers(1, 4, count),
            )
            file.writelines(line.format(*row) for row in zip(*columns, strict=True))


def peak_mib(of: int = resource.RUSAGE_SELF) -> int:
    return resource.getrusage(of).ru_maxrss // 1024


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--rows", type=int, default=1_000_000)
    arguments.add_argument("--missing", type=float, default=0.015)
    arguments.add_argument("--broken", type=float, default=0.0)
    arguments.add_argument("--quoted", action="store_true")
    arguments.add_argument("--beam", action="append", default=[])
    given = arguments.parse_args()

    from pipelines import lazy_imports

    lazy_imports.install()
    import tasks
    from components.ingest import step as ingest
    from components.reading import source_rows, sources

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "cars.csv"
        write_csv(path, given.rows, given.missing, given.broken, given.quoted)
        before, started = peak_mib(), time.monotonic()
        task = tasks.get("auto_mpg")
        parts = sources.source_parts(task, str(path))
        hashed = time.monotonic()
        examples = Path(scratch) / "examples"
        pieces = source_rows.for_workers(parts, task.columns)
        found = ingest.ingest(task, pieces, examples, given.beam)
        seconds = time.monotonic() - hashed
        written = sum(file.stat().st_size for file in examples.rglob("*") if file.is_file())
        result = {
            "rows": given.rows,
            "seconds": round(seconds, 2),
            "rows_per_second": round(given.rows / seconds),
            "microseconds_per_row": round(seconds / given.rows * 1e6, 2),
            "seconds_to_hash_the_file": round(hashed - started, 2),
            "peak_mib_before": before,
            "peak_mib": peak_mib(),
            "peak_mib_of_a_worker": peak_mib(resource.RUSAGE_CHILDREN),
            "csv_mib": path.stat().st_size >> 20,
            "examples_mib": written >> 20,
            "split": found["rows"],
            "rejected": found["rejected"]["count"],
            "tensorflow": type(sys.modules.get("tensorflow")).__name__,
        }
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
