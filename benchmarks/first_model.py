"""Seconds from a user's own data to a pushed model, by two commands: a table, texts, and pictures in folders.

.venv/bin/python benchmarks/first_model.py

The data are rows of the samples of auto_mpg, imdb_padded and flowers, as files that a stranger would bring.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

import tasks

TEXTS = 5000


def rows(task: str) -> pd.DataFrame:
    return pd.concat([frame for part in tasks.get(task).sample() for frame in part.read()], ignore_index=True)


def write_data(folder: Path) -> dict[str, tuple[str, list[str]]]:
    """What is brought: the name of the new task, the data, and the label where it must be said."""
    rows("auto_mpg").to_csv(folder / "cars.csv", index=False)
    rows("imdb_padded").head(TEXTS).to_json(folder / "reviews.jsonl", orient="records", lines=True)
    for number, (content, kind) in enumerate(rows("flowers").itertuples(index=False)):
        (folder / "petals" / kind).mkdir(parents=True, exist_ok=True)
        (folder / "petals" / kind / f"{number}.jpg").write_bytes(content)
    return {
        "a table": ("cars", ["--data", "cars.csv", "--label", "mpg"]),
        "texts": ("reviews", ["--data", "reviews.jsonl", "--label", "label"]),
        "pictures": ("petals", ["--data", "petals"]),
    }


def timed(folder: Path, *words: str) -> tuple[float, str]:
    environment = {**os.environ, "SLUICE_WARM": "0", "SLUICE_TASKS": ""}
    command, began = [sys.executable, "-m", "pipelines", *words], time.monotonic()
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with exit status {done.returncode}:\n{done.stdout}{done.stderr}")
    return time.monotonic() - began, done.stdout


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    print("| from | sluice new, s | sluice run, s | metrics |\n|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        for title, (name, words) in write_data(folder).items():
            first, _ = timed(folder, "new", name, *words)
            second, said = timed(folder, "run", name, "--data", words[1], "--json")
            run = json.loads(said)
            assert run["pushed"], run
            metric, value = next(one for one in run["metrics"].items() if one[0] in ("accuracy", "mae"))
            print(f"| {title} | {first:.1f} | {second:.0f} | {metric} {value:.3f} |", flush=True)


if __name__ == "__main__":
    main()
