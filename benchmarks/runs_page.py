"""The page of 500 runs: seconds to write it, and milliseconds until Chromium shows it, best of five.

.venv/bin/python benchmarks/runs_page.py
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from components.storage.atomic_files import write_json
from pipelines.local import run_record
from pipelines.runs_page import write

RUNS, TRIES = 500, 5
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "support"))


def make(runs: Path, number: int) -> None:
    """A run with curves of a hundred epochs, as it would have left its papers."""
    record = run_record.Record.new(runs, "auto_mpg", {"model": "mlp", "data": "sample"})
    model, blessing = record.path / "train" / "model", record.path / "evaluate" / "blessing"
    model.mkdir(parents=True)
    blessing.parent.mkdir()
    loss = [9 / (1 + at) + number / RUNS for at in range(100)]
    write_json(model / "history.json", {"loss": loss, "val_loss": loss[::-1]})
    write_json(model / "training.json", {"settings": {"train.epochs": 100, "model.units": number}})
    write_json(blessing, {"bars": [{"metric": "mae", "higher_is_better": False}], "intervals": {"mae": [1, 2]}})
    record.update(
        metrics={"mae": 1.5, "mse": 3.0, "r2": 0.9}, parameters={"seed": number, "overrides": {}}, blessed=True,
        artifacts={"train/model": str(model), "evaluate/blessing": str(blessing)},
    )  # fmt: skip
    record.close("done")


def written(runs: Path) -> float:
    began = time.perf_counter()
    write.write(runs)
    return time.perf_counter() - began


def shown(page: Path, folder: Path) -> list[float]:
    """Milliseconds from the navigation to the first paint; the script that makes the rows has run by then."""
    from browser import browsing

    paint = 'performance.getEntriesByName("first-contentful-paint")[0]'
    with browsing(folder) as tab:
        tab.do("Page.enable")
        times = []
        for _ in range(TRIES):
            tab.do("Page.navigate", url=page.as_uri())
            tab.do("Page.bringToFront")
            tab.wait_for(f"document.querySelectorAll('#list tbody tr').length >= {RUNS}")
            tab.do("Page.captureScreenshot")  # without a screen nothing is painted unless asked for
            times.append(float(tab.wait_for(f"{paint} && {paint}.startTime")))
        return times


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    with tempfile.TemporaryDirectory() as directory:
        runs = Path(directory) / "runs"
        for number in range(RUNS):
            make(runs, number)
        print(f"{written(runs):.2f} s to write the page of {RUNS} runs")
        make(runs, RUNS)
        print(f"{written(runs):.2f} s to write it again after one more run")
        print(f"{min(shown(runs / write.NAME, Path(directory) / 'profile')):.0f} ms until Chromium shows it")


if __name__ == "__main__":
    main()
