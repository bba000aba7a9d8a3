"""Fits on rows in memory beside fits on the same rows on disk, at four times the budget: seconds, peak memory, weights.

.venv/bin/python benchmarks/rows_on_disk.py --data-dir DIR [--rows 1000000]
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

ROOT = Path(__file__).parents[1]
SEED = 0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data-dir", required=True, metavar="DIR")
    parser.add_argument("--rows", type=int, default=1_000_000, metavar="N", help="of the table; default: %(default)s")
    given = parser.parse_args()
    with TemporaryDirectory() as folder:
        place = Path(folder)
        table = cars(place / "cars.csv", given.rows)
        pictures = ["--data", "real", "--data-dir", str(Path(given.data_dir).absolute())]
        print(f"{'':<34}{'rows':>10}{'budget MiB':>12}{'fit s':>9}{'rows/s':>10}{'peak MiB':>10}")
        for task, data, width in (("auto_mpg", ["--data", str(table)], 9), ("fashion_mnist", pictures, 28 * 28)):
            compare(place, task, data, width)


def cars(path: Path, count: int) -> Path:
    """Rows like Auto MPG's."""
    random = np.random.default_rng(SEED)
    weight, power = random.uniform(1600, 5200, count), random.uniform(46, 230, count)
    columns = {
        "mpg": np.maximum(1, 46 - weight / 160 - power / 40 + random.normal(0, 2, count)),
        "cylinders": random.choice([4, 6, 8], count), "displacement": random.uniform(68, 455, count),
        "horsepower": power, "weight": weight, "acceleration": random.uniform(8, 25, count),
        "model_year": random.integers(70, 83, count), "origin": random.integers(1, 4, count),
    }  # fmt: skip
    np.savetxt(path, np.stack([*columns.values()], axis=1), "%.5g", ",", header=",".join(columns), comments="")
    return path


def compare(place: Path, task: str, data: list[str], width: int) -> None:
    """Both fits; the steps before are done once."""
    found = []
    budget = 1000.0
    for name in ("in memory", "on disk"):
        words = [
            "run",
            task,
            *data,
            "--set",
            "train.epochs=2",
            "--set",
            f"train.memory={budget}",
            "--no-push",
            "--json",
        ]
        run = [sys.executable, "-m", "pipelines", *words, "--runs", str(place / "runs"), "--serving", str(place)]
        done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, check=False)
        told = json.loads(done.stdout)
        if told["error"]:
            raise SystemExit(told["error"])
        directory = place / "runs" / told["run"]
        facts = json.loads((directory / "train/model/training.json").read_text())
        log = (directory / "logs" / "train.log").read_text()
        peak = int(re.findall(r"peak memory: ([\d,]+) MiB", log)[-1].replace(",", ""))
        rows = facts["rows"] + facts["rows_watched"]
        speed = 2 * rows / facts["fit_seconds"]
        limit = "" if "lie on disk" not in log else f"{budget * 1024:.0f}"
        print(f"{task + ' ' + name:<34}{rows:>10,}{limit:>12}{facts['fit_seconds']:>9.1f}{speed:>10,.0f}{peak:>10,}")
        found.append((speed, told["metrics"]))
        budget = rows * width * 4 / 4 / 2**30  # float32, a quarter
    assert found[0][1] == found[1][1], "the metrics differ"
    print(f"{task}: the metrics are the same; on disk {found[1][0] / found[0][0]:.0%} of the rows a second")


if __name__ == "__main__":
    main()
