"""Every task's models on the real data, mean of several seeds, against what the tutorials reach.

.venv/bin/python benchmarks/parity.py --data-dir DIR [TASK/MODEL ...] [--seeds 0 1 2]
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import tasks

# task/model: metric, bar, whether more is better
BARS = {
    "fashion_mnist/mlp128": ("accuracy", 0.875, True),
    "fashion_mnist/mlp300_100": ("accuracy", 0.880, True),
    "fashion_mnist/cnn": ("accuracy", 0.915, True),
    "imdb_hub/hub": ("accuracy", 0.865, True),
    "imdb_padded/average": ("accuracy", 0.872, True),
    "imdb_multihot/dense": ("accuracy", 0.860, True),
    "auto_mpg/mlp": ("mae", 2.0, False),
    "california_housing/mlp": ("mse", 0.40, False),
    "california_housing/wide_deep": ("mse", 0.42, False),
    "california_housing/wide_deep_two_inputs": ("mse", 0.42, False),
    "california_housing/wide_deep_aux": ("mse", 0.42, False),
    "california_housing/wide_deep_subclassed": ("mse", 0.42, False),
}


def gate(name: str, metric: str) -> str:
    bar = next(bar for bar in tasks.get(name.partition("/")[0]).gate if bar.metric == metric)
    return f"{'at least' if BARS[name][2] else 'at most'} {bar.bar:g}"


def run(task: str, model: str, seed: int, data_dir: str, runs: Path) -> dict[str, float]:
    """One whole run into an empty serving directory, so that no champion plays a part."""
    command = [sys.executable, "-m", "pipelines", "run", task, "--model", model, "--seed", str(seed), "--json"]
    command += ["--data", "real", "--data-dir", data_dir, "--runs", str(runs), "--serving", tempfile.mkdtemp()]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode not in (0, 3):
        sys.exit(f"{' '.join(command)} ended with exit status {done.returncode}")
    metrics: dict[str, float] = json.loads(done.stdout)["metrics"]
    return metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TASK/MODEL", help="default: all")
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--runs", type=Path, help="keep the runs here (default: a temporary directory)")
    args = parser.parse_args()
    runs = args.runs or Path(tempfile.mkdtemp())
    print("| task/model | metric | mean | by seed | tutorials' bar | gate |\n|---|---|---|---|---|---|", flush=True)
    missed = 0
    for name in args.names or BARS:
        metric, bar, more = BARS[name]
        values = [run(*name.split("/"), seed, args.data_dir, runs)[metric] for seed in args.seeds]
        mean = sum(values) / len(values)
        missed += mean < bar if more else mean > bar
        shown = ", ".join(f"{value:.4f}" for value in values)
        print(f"| {name} | {metric} | {mean:.4f} | {shown} | {bar:g} | {gate(name, metric)} |", flush=True)
    sys.exit(f"{missed} below their bar" if missed else 0)


if __name__ == "__main__":
    main()
