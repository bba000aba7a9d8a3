"""A run whose training would fail stops while rows are read, with the status of a wrong input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from repository import ROOT


@pytest.mark.slow
def test_a_wrong_name_of_an_input_stops_the_run_at_once(tmp_path: Path) -> None:
    (tmp_path / "tasks").mkdir()
    right = (ROOT / "tasks" / "auto_mpg.py").read_text()
    wrong = right.replace('name="features"', 'name="feature"')
    assert wrong != right
    (tmp_path / "tasks" / "my_cars.py").write_text(wrong)
    head = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin,mpg\n"
    rows = (
        f"4,{90 + at % 50},{60 + at % 40},{2000 + at % 999},15,{70 + at % 12},1,{20 + at % 9}\n" for at in range(50_000)
    )
    (tmp_path / "cars.csv").write_text(head + "".join(rows))
    done = subprocess.run(
        [sys.executable, "-m", "pipelines", "run", "my_cars", "--data", "cars.csv", "--json"],
        cwd=tmp_path, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 2, done.stdout + done.stderr
    said = json.loads(done.stdout)
    assert "Expected some of: features. Received: feature." in said["error"]
    assert "Traceback" not in done.stderr
    ran = [step["name"] for step in said["steps"] if step["status"] == "ran"]
    assert ran[:1] == ["resolve"]
    assert "transform" not in ran  # which takes longer than to look, however slow the machine
    assert "Received: feature." in (tmp_path / "runs" / "my_cars-1" / "logs" / "check.log").read_text()
