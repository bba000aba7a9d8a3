"""A whole run, from the raw file to the pushed version, beside the plain Keras script of the same tutorial.

Seconds of wall time, in turn, medians of the repeats: the script with its imports and reading, its `fit` alone, and
ours with nothing kept from earlier runs and nothing loaded. The ratio is of the two wholes within one repeat. Ours has
the repeat's number for its seed, and both scores are the repeats' means. Behind it, the table of `second_try.py`.

.venv/bin/python benchmarks/notebooks.py --scripts DIR --data-dir DIR [--repeats N] [TASK/MODEL ...]
"""

from __future__ import annotations

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

SCRIPTS = {
    "fashion_mnist/mlp128": ["fashion_mlp128.py"],
    "fashion_mnist/mlp300_100": ["fashion_mlp300_100.py"],
    "imdb_padded/average": ["imdb_padded.py"],
    "imdb_multihot/dense": ["imdb_multihot.py"],
    "auto_mpg/mlp": ["auto_mpg.py"],
    "california_housing/mlp": ["california.py"],
    "california_housing/wide_deep": ["california.py", "wide_deep"],
}


COLD = {**os.environ, "SLUICE_WARM": "0"}


def timed(command: list[str], directory: str | Path) -> tuple[float, str]:
    began = time.monotonic()
    done = subprocess.run(
        command, cwd=directory, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=COLD
    )
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with exit status {done.returncode}")
    return time.monotonic() - began, done.stdout


def script(words: list[str], scripts: Path) -> tuple[float, float, float]:
    """Seconds in all, seconds of its fit, and its score."""
    whole, said = timed([sys.executable, *words], scripts)
    fit = re.search(r"fit=([0-9.]+)s", said)
    score = re.search(r"(?:accuracy|mae|mse)=([0-9.]+)", said, re.IGNORECASE)
    if fit is None or score is None:
        sys.exit(f"{words[0]} printed no fit=SECONDS and score. Received: {said!r}")
    return whole, float(fit[1]), float(score[1])


def ours(name: str, data_dir: Path, seed: int) -> tuple[float, float]:
    """Seconds of a first run, and its score."""
    task, _, model = name.partition("/")
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pipelines", "run", task, "--model", model, "--seed", str(seed), "--json"]
        seconds, said = timed([*command, "--data", "real", "--data-dir", str(data_dir)], directory)
    metrics = json.loads(said)["metrics"]
    metric = {"auto_mpg": "mae", "california_housing": "mse"}.get(task, "accuracy")
    return seconds, float(metrics[metric])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="TASK/MODEL", help="default: all")
    parser.add_argument("--scripts", required=True, type=Path)
    parser.add_argument("--data-dir", required=True, type=Path)
    parser.add_argument("--repeats", type=int, default=3, metavar="N")
    args = parser.parse_args()
    print("| task/model | script s | its fit s | its score | Sluice s | score | Sluice : script |", flush=True)
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in args.names or SCRIPTS:
        found = []
        for repeat in range(args.repeats):
            whole, fit, score = script(SCRIPTS[name], args.scripts)
            seconds, reached = ours(name, args.data_dir.absolute(), repeat)
            found.append((whole, fit, seconds, seconds / whole, score, reached))
        whole, fit, seconds, ratio = (statistics.median(column) for column in list(zip(*found, strict=True))[:4])
        score, reached = (statistics.mean(column) for column in list(zip(*found, strict=True))[4:])
        print(
            f"| {name} | {whole:.0f} | {fit:.0f} | {score:.4f} | {seconds:.0f} | {reached:.4f} | {ratio:.2f} |",
            flush=True,
        )
    if not args.names:
        print(flush=True)
        again = [sys.executable, Path(__file__).with_name("second_try.py"), "--repeats", str(args.repeats)]
        sys.exit(subprocess.run(again, check=False).returncode)


if __name__ == "__main__":
    main()
