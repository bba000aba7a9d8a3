"""The page of all runs: what it tells of each, that it is up to date, and that nothing in it can run."""

from __future__ import annotations

import html
import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from components.storage.atomic_files import read_json, write_json
from pipelines.__main__ import main
from pipelines.local import run_record
from pipelines.runs_page import gather, write


def make(runs: Path, task: str = "auto_mpg", status: str = "done", **facts: Any) -> Path:
    """A run as it would have left its papers."""
    record = run_record.Record.new(runs, task, {"model": "mlp", "data": "sample"})
    model, blessing = record.path / "train" / "model", record.path / "evaluate" / "blessing"
    model.mkdir(parents=True)
    blessing.parent.mkdir()
    write_json(model / "history.json", {"loss": [9.0, 5.00004, None], "val_loss": [8.0, 6.0, 7.0], "mae": [1, 2, 3]})
    write_json(model / "training.json", {"settings": {"train.epochs": 3, "model.units": 64}})
    write_json(
        blessing, {"bars": [{"metric": "mae", "higher_is_better": False}], "intervals": {"mae": [1, 2], "r2": None}}
    )
    record.update(
        metrics={"mae": 1.5}, parameters={"seed": 7, "overrides": {"train.epochs": "3"}}, blessed=True,
        artifacts={"train/model": str(model), "evaluate/blessing": str(blessing)}, **facts,
    )  # fmt: skip
    record.close(status)
    return record.path


def rows(page: Path) -> list[dict[str, Any]]:
    text = page.read_text()
    return list(json.loads(text.partition(write.DATA)[2].partition("</script>")[0]))


def test_a_run_is_told_by_its_own_papers(tmp_path: Path) -> None:
    make(tmp_path, pushed="/serving/auto_mpg/2", version=2)
    (row,) = rows(write.write(tmp_path))
    assert row["curves"] == {"loss": [[1, 9.0], [2, 5.0], [3, None]], "val_loss": [[1, 8.0], [2, 6.0], [3, 7.0]]}
    assert row["settings"] == {"seed": 7, "train.epochs": "3", "model.units": 64}
    assert (row["metric"], row["higher"], row["metrics"], row["intervals"]) == (
        "mae",
        False,
        {"mae": 1.5},
        {"mae": [1, 2]},
    )
    assert (row["verdict"], row["version"], row["served"]) == ("pushed", 2, "/serving/auto_mpg/2")
    assert row["report"] == ""  # it has none


@pytest.mark.parametrize(
    ("facts", "verdict"),
    [
        ({"status": "failed"}, "failed"),
        ({"status": "rejected", "blessed": False, "reasons": ["mae"]}, "rejected"),
        ({"status": "done", "blessed": True, "pushed": "/s/1", "nothing_new": True}, "nothing new"),
        ({"status": "done", "blessed": False, "pushed": "/s/1", "reasons": ["mae"]}, "forced"),
        ({"status": "done", "blessed": True, "pushed": "", "reasons": []}, "blessed"),
        ({"status": "rejected", "blessed": True, "pushed": "", "reasons": ["held back"]}, "rejected"),
    ],
)  # fmt: skip
def test_the_verdict_is_what_came_of_the_run(facts: dict[str, Any], verdict: str) -> None:
    assert gather.verdict(facts) == verdict


def test_curves_are_thinned_to_their_ends(tmp_path: Path) -> None:
    path = make(tmp_path)
    write_json(path / "train" / "model" / "history.json", {"loss": list(range(1001))})
    curve = rows(write.write(tmp_path))[0]["curves"]["loss"]
    assert len(curve) <= gather.POINTS + 1
    assert (curve[0], curve[-1]) == ([1, 0.0], [1001, 1000.0])


def test_a_page_is_made_anew_of_what_has_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first, _ = make(tmp_path), make(tmp_path)
    write.write(tmp_path)
    read = []
    monkeypatch.setattr(write.run_record, "load", lambda path: read.append(path.name) or run_record_load(path))
    make(tmp_path)
    assert [row["run"] for row in rows(write.write(tmp_path))] == ["auto_mpg-1", "auto_mpg-2", "auto_mpg-3"]
    assert read == ["auto_mpg-3"]
    write_json(first / "run.json", {**read_json(first / "run.json"), "status": "failed"})
    shutil.rmtree(tmp_path / "auto_mpg-2")
    assert [(row["run"], row["verdict"]) for row in rows(write.write(tmp_path))] == [
        ("auto_mpg-1", "failed"), ("auto_mpg-3", "blessed"),
    ]  # fmt: skip


run_record_load = run_record.load


@pytest.mark.parametrize("page", ["", "<html>", '<script type="application/json" id="runs">[{</script>'])
def test_a_page_that_is_none_of_ours_and_a_damaged_record_spoil_nothing(tmp_path: Path, page: str) -> None:
    make(tmp_path)
    (make(tmp_path) / "run.json").write_text("[]")
    (make(tmp_path) / "evaluate" / "blessing").write_text("{")
    (tmp_path / "index.html").write_text(page)
    assert [row["verdict"] for row in rows(write.write(tmp_path))] == ["blessed", "damaged", "blessed"]


def test_what_got_into_a_record_stays_text(tmp_path: Path) -> None:
    make(tmp_path, data="</script><script>alert(1)</script>")
    text = write.write(tmp_path).read_text()
    assert text.count("<script") == 2
    assert "alert(1)" in text
    assert "script-src 'sha256-" in text
    assert rows(tmp_path / "index.html")[0]["data"] == "</script><script>alert(1)</script>"


def test_runs_html_says_where_the_page_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(tmp_path)
    assert main(["runs", "--html", "--runs", str(tmp_path)]) == 0
    assert capsys.readouterr().out == f"{tmp_path / 'index.html'}\n"
    assert main(["runs", "--html", "--runs", str(tmp_path / "none")]) == 2
    assert "There is no directory" in capsys.readouterr().err


@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium to draw the page with")
def test_a_browser_draws_the_list(tmp_path: Path) -> None:
    make(tmp_path, data="<b>bold</b>.csv")
    page = write.write(tmp_path)
    command = ["chromium", "--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    done = subprocess.run(
        [*command, "--virtual-time-budget=5000", "--dump-dom", f"file://{page}"],
        capture_output=True, text=True, timeout=120, check=True,
        env={**os.environ, "HOME": str(tmp_path)},
    )  # fmt: skip
    (line,) = re.findall(r"<tbody><tr>.*?</tr></tbody>", done.stdout)
    words = html.unescape(re.sub(r"<[^>]+>", " ", line)).split()
    assert words[3:8] == ["auto_mpg", "mlp", "b>.csv", "mae", "1.5"]
    assert words[-2:] == ["0", "blessed"]
    assert "loss — , validation 7" in " ".join(words).replace("—,", "— ,")  # the curve is drawn


def test_a_trial_of_a_search_is_not_judged_and_a_pruned_one_has_its_curve_so_far(tmp_path: Path) -> None:
    trial = make(tmp_path, search="auto_mpg-1a2b3c4d")
    facts = {**read_json(trial / "run.json"), "blessed": None}
    assert gather.verdict(facts) == "not judged"
    pruned = make(tmp_path, status="pruned")
    write_json(pruned / "run.json", {**read_json(pruned / "run.json"), "artifacts": {}})
    row = rows(write.write(tmp_path))[1]
    assert (row["verdict"], row["curves"]["val_loss"]) == ("pruned", [[1, 8.0], [2, 6.0], [3, 7.0]])
