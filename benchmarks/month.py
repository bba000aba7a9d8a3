"""A month of retraining on one machine: a file of cars a day, a drift, a broken file, days without news.

    python benchmarks/month.py             30 days, about five minutes on two cores
    python benchmarks/month.py --days 6    the same in short

Each day is one `sluice run auto_mpg --data 'cars-*.csv'` as cron would start it. What happened is asserted, and told in
a table. The cars are generated.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

COLUMNS = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin,mpg"
SETTINGS = ("--set", "train.epochs=40", "--set", "train.learning_rate=0.005", "--set", "train.schedule=cosine")
FIRST = date(2026, 6, 1)
MONTH = {
    1: "first", 6: "no file", 12: "drift", 13: "no file", 16: "a few broken rows", 20: "broken file", 21: "mended",
    27: "new machine",
}  # fmt: skip
SHORT = {1: "first", 2: "no file", 3: "new machine", 4: "drift", 5: "broken file", 6: "mended"}


@dataclass
class Happened:
    """A day, and what its run said."""

    day: int
    brings: str
    status: int
    seconds: float
    said: dict[str, Any]
    errors: str
    served: list[int] = field(default_factory=list)

    @property
    def outcome(self) -> str:
        if self.status == 1:
            return "stopped"
        if self.said["nothing_new"]:
            return "nothing new"
        return "pushed" if self.said["pushed"] else "rejected"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--days", type=int, choices=(6, 30), default=30)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="sluice-month-") as folder:
        days = play(Path(folder), MONTH if given.days == 30 else SHORT, given.days)
    print("\n".join(table(days)))
    check(days)
    print(f"{len(days)} days as expected")


def play(home: Path, plan: dict[int, str], length: int) -> list[Happened]:
    (home / "data").mkdir()
    days = []
    for day in range(1, length + 1):
        brings = plan.get(day, "cars")
        write(home / "data", day, brings, drifted=any(plan.get(past) == "drift" for past in range(1, day + 1)))
        if brings == "new machine":  # the versions are there, all that was kept of the runs is not
            (home / "runs").rename(home / f"runs-before-{day}")
        days.append(run(home, day, brings))
        print(row(days[-1]), file=sys.stderr, flush=True)
    return days


def write(folder: Path, day: int, brings: str, *, drifted: bool) -> None:
    """The day's file; a mended one takes the place of yesterday's."""
    if brings in ("no file", "new machine"):
        return
    when = FIRST + timedelta(days=day - (2 if brings == "mended" else 1))
    count = {"first": 700, "drift": 4000}.get(brings, 60)
    lines = list(cars(np.random.default_rng(day), count, heavier=drifted))
    if brings == "a few broken rows":
        lines[3:6] = ["8,nonsense,130,3504,12,70,1,18"] * 3
    if brings == "broken file":
        lines += ["8;307;130;3504;12;70;1;18"] * 800
    (folder / f"cars-{when}.csv").write_text("\n".join([COLUMNS, *lines]) + "\n")


def cars(random: np.random.Generator, count: int, *, heavier: bool) -> Any:
    """Cars whose consumption follows from their weight, power and year, and noise."""
    for _ in range(count):
        cylinders = int(random.choice([4, 6, 8], p=[0.2, 0.3, 0.5] if heavier else [0.5, 0.3, 0.2]))
        weight = random.normal(1200 + 300 * cylinders + (700 if heavier else 0), 250)
        power, year = random.normal(20 + 15 * cylinders, 8), random.integers(70, 83)
        mpg = 46 - 0.0065 * weight - 0.03 * power + 0.5 * (year - 76) + random.normal(0, 1)
        yield (
            f"{cylinders},{random.normal(45 * cylinders, 15):.1f},{power:.0f},{max(weight, 600):.0f},"
            f"{random.normal(16, 2):.1f},{year},{random.integers(1, 4)},{max(mpg, 5):.1f}"
        )


def run(home: Path, day: int, brings: str) -> Happened:
    words = ["run", "auto_mpg", "--data", str(home / "data" / "cars-*.csv"), "--json", *SETTINGS]
    places = ["--runs", str(home / "runs"), "--serving", str(home / "serving")]
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", *words, *places], capture_output=True, text=True, check=False
    )
    seconds = time.monotonic() - began
    assert done.returncode in (0, 1, 3), done.stderr
    served = sorted(int(path.name) for path in (home / "serving" / "auto_mpg").iterdir() if path.name.isdigit())
    return Happened(day, brings, done.returncode, seconds, json.loads(done.stdout), done.stderr, served)


def check(days: list[Happened]) -> None:
    """What must have happened, day by day."""
    before: list[int] = []
    for day in days:
        expected = {
            "no file": ["nothing new"],
            "new machine": ["nothing new"],
            "broken file": ["stopped"],
            "first": ["pushed"],
            "drift": ["pushed"],
        }
        assert day.outcome in expected.get(day.brings, ["pushed", "rejected"]), (day, "not as expected")
        drift = [sentence for sentence in day.said["warnings"] if "drifted" in sentence]
        aside = [sentence for sentence in day.said["warnings"] if "set aside" in sentence]
        if day.brings == "new machine":
            assert [step["name"] for step in day.said["steps"]] == ["resolve"]
        if day.brings in ("no file", "new machine"):
            assert day.seconds < 5, f"day {day.day} took {day.seconds:.1f} s to do nothing"
            assert {step["status"] for step in day.said["steps"][1:-1]} <= {"cached"}
        else:
            assert bool(drift) == (day.brings == "drift"), (day.day, day.said["warnings"])
        if day.brings == "drift":
            assert any(sentence.startswith("weight: ") for sentence in drift)
        if day.brings == "a few broken rows":
            assert aside, "three broken rows are set aside and told"
        if day.brings == "broken file":
            assert "were set aside" in day.errors
        assert day.served == before + [max(before, default=0) + 1] * (day.outcome == "pushed"), "only a push changes"
        before = day.served


def table(days: list[Happened]) -> list[str]:
    return [
        f"{'day':>3}  {'brings':<18} {'outcome':<12} {'seconds':>7}  {'mae':>5}  version  warnings",
        *map(row, days),
    ]


def row(day: Happened) -> str:
    mae = day.said["metrics"].get("mae")
    shown = f"{mae:.3f}" if mae is not None else ""
    warnings = "; ".join(sorted({sentence.partition(".")[0] for sentence in day.said["warnings"]}))
    return (
        f"{day.day:>3}  {day.brings:<18} {day.outcome:<12} {day.seconds:>7.1f}  {shown:>5}  {day.served[-1]:>7}  "
        f"{warnings[:110]}"
    )


if __name__ == "__main__":
    main()
