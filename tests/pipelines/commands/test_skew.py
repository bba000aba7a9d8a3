"""`sluice skew` as cron meets it: exit statuses, text, JSON, and the webhook."""

from __future__ import annotations

import json
from pathlib import Path

import asked_cars
import pytest
from asked_cars import cars
from webhooks import listening

from pipelines.command_line import parser
from pipelines.commands import skew
from tasks import InputError


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    asked_cars.push(tmp_path / "serving", cars())
    asked_cars.log(tmp_path / "fine.jsonl", cars())
    asked_cars.log(tmp_path / "heavy.jsonl", cars(weight=9000), cars()["mpg"] + 30)
    ids = [f"car-{at}" for at in range(400)]
    cars()[["mpg"]].assign(plate=ids).to_csv(tmp_path / "labels.csv", index=False)
    return tmp_path


def told(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    status = skew.main(parser().parse_args(["skew", "auto_mpg", *words]))
    return status, capsys.readouterr().out


def test_within_the_limits(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = told(capsys, "fine.jsonl")
    assert status == 0
    assert out.splitlines()[0] == "auto_mpg version 1: asked 400 rows, trained on 400"
    assert out.splitlines()[-1] == "within the task's limits"
    (home / "nothing.jsonl").touch()
    status, out = told(capsys, "nothing.jsonl")
    assert (status, out.splitlines()[-1]) == (0, "nothing was asked of it")


def test_beyond_a_limit_the_status_is_3(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = told(capsys, "heavy.jsonl")
    assert status == 3
    line = out.splitlines()[-1]
    assert line.startswith("weight: The values have drifted since the serving model was trained. Expected a Kolmogorov")
    assert line.endswith("Received: 1.000.")


def test_a_metric_beyond_its_bar_too(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, out = told(capsys, "heavy.jsonl", "--labels", "labels.csv", "--key", "plate", "--json")
    assert status == 3
    found = json.loads(out)
    assert found["beyond"][-1] == "mae 30 is above the bar 2.5 (interval 30 to 30), on 400 rows with a label."
    [metric] = found["metrics"]
    assert (metric["rows"], metric["at_gate"], metric["at_gate_interval"]) == (400, 1.25, [1.0, 1.5])
    status, out = told(capsys, "fine.jsonl", "--labels", "labels.csv", "--key", "plate")
    assert status == 0
    [mae] = [line.split() for line in out.splitlines() if line.startswith("mae")]
    assert mae[-7:] == ["1.25", "1", "to", "1.5", "≤", "2.5", "holds"]


def test_a_webhook_is_told_of_skew_alone(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with listening() as hook:
        told(capsys, "fine.jsonl", "--notify", hook.url)
        assert hook.heard == []
        told(capsys, "heavy.jsonl", "--notify", hook.url)
    [said] = hook.bodies()
    assert (said["event"], said["exit_status"], said["task"], said["version"]) == ("skewed", 3, "auto_mpg", 1)
    assert said["text"].startswith("auto_mpg version 1:\nweight: The values have drifted")


def test_a_key_without_labels(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(InputError, match="--key is the column of the ids in --labels FILE"):
        told(capsys, "fine.jsonl", "--key", "plate")
