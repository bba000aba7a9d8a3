"""Seconds that a report's explanations take (importance, words): best of three for each run given.

.venv/bin/python benchmarks/explain.py runs/auto_mpg-1 runs/imdb_padded-1
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import pandas as pd

import tasks
from components.evaluate import predictions
from components.evaluate.explain import explain
from components.evaluate.report import report
from components.evaluate.report.sample_rows_page import texts_shown
from components.examples.parse import Split
from pipelines.local import run_record


def seconds(run: Path) -> tuple[int, float]:
    """Test rows, and the time of the quickest try."""
    facts = run_record.load(run.absolute())
    task, made = tasks.get(facts["task"]), facts["artifacts"]
    frame, test = pd.read_parquet(made["evaluate/predictions"]), Split(made["ingest/examples"], "test")
    served = predictions.ServedModel(f"{made['train/model']}/serving")
    samples = predictions.raw_rows(task, test, set(report.worth_showing(task, frame)))
    tries = []
    for _ in range(3):
        began = time.perf_counter()
        explain(task, served, test, frame, texts_shown(task, frame, samples))
        tries.append(time.perf_counter() - began)
    return len(frame), min(tries)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path, help="directories of finished runs")
    for run in parser.parse_args().runs:
        rows, took = seconds(run)
        print(f"{run.name}: {rows:,} test rows, {took:.2f} s")


if __name__ == "__main__":
    main()
