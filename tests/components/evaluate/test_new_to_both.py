"""Neither model is judged by rows from which it, or the other, has learned."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from components.evaluate import blessing
from components.evaluate import step as evaluate
from components.evaluate.new_to_both import comparable
from components.evaluate.report import verdict_page
from components.serving import trained_until, versions
from components.serving.provenance import provenance
from tasks import Bar, Date, Number, Splits, Task

DAY = 86_400.0


def frame(days: int = 80) -> pd.DataFrame:
    """A row a day from 1970 on; the champion is right where it has learned from the row, the challenger nearly."""
    label = np.arange(days) % 7.0
    answers = {"prediction": label + 0.1, "champion": label + np.where(np.arange(days) < 40, 0.0, 1.0)}
    return pd.DataFrame({"row": range(days), "label": label, "time": np.arange(days) * DAY, **answers})


def statistics(**last: str) -> dict[str, Any]:
    columns = {split: {"count": 1, "last": date} for split, date in last.items()}
    return {"columns": {"when": columns}, "splits": {"by": "when"}, "rows": {}}


@pytest.fixture
def rentals(plane: Task) -> Task:
    return dataclasses.replace(
        plane, features=(Date("when"), Number("a")), slices=(), gate=(Bar("mae", 0.5),),
        splits=Splits(by="when", eval="1 week", test="1 week"),
    )  # fmt: skip


def served(folder: Path, papers: dict[str, Any], **origin: Any) -> versions.Version:
    """A pushed version with such papers."""
    (folder / "model").mkdir(parents=True)
    (folder / "model" / "saved_model.pb").write_bytes(b"x")
    return versions.add(folder / "serving", "rentals", folder / "model", {"provenance.json": origin, **papers})


def judged(task: Task, champion: versions.Version | None) -> dict[str, Any]:
    found = evaluate.compared(task, champion, frame())
    return blessing.document(
        task, found.rows, task="rentals", model_name="m", model_sha256="x", champion="1:x",
        against=found.against, rows=len(found.rows), **found.facts,
    )  # fmt: skip


def test_a_champion_that_has_seen_older_test_rows_is_judged_by_the_newer_ones(rentals: Task, tmp_path: Path) -> None:
    document = judged(rentals, served(tmp_path, {}, trained_until={"when": "1970-02-09"}))
    assert document["rows"] == 40  # the champion learned up to the 40th day
    assert document["older_rows"] == 40
    assert document["bars"][0]["champion"] == pytest.approx(1.0)  # 0.5 on all, of which it knew half by heart
    assert document["blessed"]
    told = verdict_page.gate(document)
    assert (
        "Left out: 40 test rows that are not newer than what the champion learned from, which goes up to 1970-02-09"
        in told
    )


def test_rows_of_the_very_moment_are_not_new() -> None:
    found = comparable(frame(32), "1970-01-02")
    assert found.rows["row"].tolist() == list(range(2, 32))
    assert comparable(frame(3), "").rows["row"].tolist() == [0, 1, 2]


@pytest.mark.parametrize(("until", "newer"), [("1970-03-21", 0), ("1970-02-20", 29)])
def test_where_too_few_rows_are_new_to_both_nothing_is_pushed_by_itself(
    rentals: Task, tmp_path: Path, until: str, newer: int
) -> None:
    document = judged(rentals, served(tmp_path, {}, trained_until={"when": until}))
    assert not document["blessed"]
    assert document["reasons"] == [
        f"The serving model learned from rows up to {until}, and of the test rows, up to 1970-03-21, {newer} of 30 "
        "that it takes are newer. So they cannot be compared. Run again with newer rows, or push the new one with "
        "--force REASON."
    ]
    assert document["bars"][0]["champion"] is None
    told = verdict_page.gate(document)
    assert "Judged on 80 test rows. Champion: version 1, not compared." in told
    assert "Left out" not in told


def test_of_a_champion_whose_rows_were_split_by_content_the_statistics_tell(rentals: Task, tmp_path: Path) -> None:
    papers = {"statistics.json": statistics(train="1970-02-01", eval="1970-02-09", test="1970-03-01")}
    assert judged(rentals, served(tmp_path, papers))["older_rows"] == 40
    assert "older_rows" not in judged(rentals, served(tmp_path / "other", {"statistics.json": {"columns": {}}}))


def test_rows_split_by_content_are_all_compared(plane: Task, tmp_path: Path) -> None:
    champion = served(tmp_path, {}, trained_until={"when": "1970-02-09"})
    assert len(evaluate.compared(plane, champion, frame()).rows) == 80


def test_the_provenance_says_until_when_and_a_warm_start_knows_what_its_weights_knew() -> None:
    given: dict[str, Any] = {
        "run": "r", "inputs": "i", "champion": "", "force": "", "parameters": {}, "label_values": (),
    }  # fmt: skip
    judgement = {"task": "rentals", "model_sha256": "x"}
    data = statistics(train="2026-01-31T18:00Z", eval="2026-01-31T18:00:01Z", test="2026-03-01")
    made = provenance(judgement, data, {}, **given)
    assert made["trained_until"] == {"when": "2026-01-31T18:00:01Z"}
    warm = provenance(judgement, data, {}, **given, began_with="2026-02-15")
    assert warm["trained_until"] == {"when": "2026-02-15"}
    assert provenance(judgement, data, {}, **given, began_with="2025-02-15")["trained_until"] == made["trained_until"]
    by_content = provenance(judgement, {**data, "splits": {"hash": "x"}}, {}, **given)
    assert "trained_until" not in by_content


def test_the_latest_of_dates() -> None:
    assert trained_until.latest("2026-01-31T18:00Z", "", "2026-01-31T18:00:01Z") == "2026-01-31T18:00:01Z"
    assert trained_until.latest("", "") == ""
