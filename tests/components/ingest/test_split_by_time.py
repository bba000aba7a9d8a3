"""Rows split by their date: into which split, what becomes of rows without one, and what cannot be."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from components.examples.tfrecord import serialized_examples_of
from components.ingest import row_dates
from components.ingest import step as ingest
from components.ingest.worker import Schema, write_part
from components.reading import assign_split
from components.reading.sources import source_parts
from components.validate import step as validate
from tasks import Bar, Date, InputError, Model, Number, Part, Split, Splits, Task, Train
from transforms import iso_dates

SPLITS = Splits(by="when", eval="1 day", test="2 days")


def rentals(*parts: Part, splits: Splits = SPLITS, when_missing: Any = "reject") -> Task:
    return Task(
        about="Rentals",
        features=(Date("when", when_missing=when_missing), Number("warmth")),
        label=Number("rentals"),
        sample=lambda: parts,
        preprocess=lambda features: features,
        models={"mlp": Model(lambda: None, Train(epochs=1))},  # type: ignore[arg-type, return-value]
        gate=(Bar("mae", 1.0),),
        splits=splits,
    )


def day(number: int, split: Split | None = None, **changes: Any) -> Part:
    """Four hours of a day of January."""
    start = datetime(2026, 1, number)
    when = [(start + timedelta(hours=6 * hour)).isoformat() for hour in range(4)]
    frame = pd.DataFrame({"when": when, "warmth": [1.0, 2.0, 3.0, 4.0], "rentals": [number] * 4}).assign(**changes)
    return Part(name=f"day {number}", read=lambda: [frame], split=split)


def split(folder: Path, *parts: Part, **task: Any) -> dict[str, Any]:
    return ingest.ingest(rentals(*parts, **task), parts, folder, [])


def records(folder: Path, name: str) -> set[bytes]:
    return set(serialized_examples_of(map(str, sorted((folder / name).glob("examples-*.tfrecord.gz")))))


def test_the_newest_days_judge_and_those_before_are_watched(tmp_path: Path) -> None:
    found = split(tmp_path, day(5), day(1), day(4), day(2), day(3))  # in any order
    assert found["rows"] == {"train": 8, "eval": 4, "test": 8}
    assert found["split_dates"] == {"eval": "2026-01-03", "test": "2026-01-04"}
    when = found["columns"]["when"]
    assert [(when[name]["first"], when[name]["last"]) for name in ("train", "eval", "test")] == [
        ("2026-01-01", "2026-01-02T18:00Z"), ("2026-01-03", "2026-01-03T18:00Z"), ("2026-01-04", "2026-01-05T18:00Z"),
    ]  # fmt: skip


def test_days_are_added_and_no_row_comes_back_into_test(tmp_path: Path) -> None:
    learned: set[bytes] = set()
    for newest in range(5, 9):
        folder = tmp_path / str(newest)
        split(folder, *map(day, range(1, newest + 1)))
        judging = records(folder, "test")
        assert len(judging) == 8
        assert not judging & learned
        assert records(folder, "train") >= learned - records(folder, "eval")
        learned = records(folder, "train") | records(folder, "eval")


def test_dates_that_the_task_fixes_ask_for_no_newest_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(row_dates, "newest", lambda *_: pytest.fail("the data were read twice"))
    fixed = Splits(by="when", eval="2026-01-02", test="2026-01-02T12:00")
    assert split(tmp_path, day(1), day(2), splits=fixed)["rows"] == {"train": 4, "eval": 2, "test": 2}


def test_a_row_without_a_date_is_set_aside_and_the_newest_is_that_of_those_with_one(tmp_path: Path) -> None:
    lacking = day(9, when=["", "2026-01-02", "2026-02-30", "2026-01-03"])
    found = split(tmp_path, day(1), lacking, when_missing="keep")
    assert found["split_dates"]["test"] == "2026-01-02"
    assert found["rows"] == {"train": 0, "eval": 4, "test": 2}
    assert found["rejected"]["reasons"] == {
        "when is missing, by which rows are split": 1,
        "when is no ISO date or time (write 2026-11-24, 2026-11-24T18:03 or 2026-11-24T18:03:00+01:00)": 1,
    }
    assert sum(found["columns"]["when"][name]["missing"] for name in ("train", "eval", "test")) == 0


def test_data_that_grow_between_the_first_look_and_the_second(tmp_path: Path) -> None:
    latest = row_dates.newest(Date("when"), day(1))
    assert latest == iso_dates.microseconds("2026-01-01T18:00")
    schema = Schema.of(rentals())
    write_part(schema, day(1), tmp_path, {}, latest)
    with pytest.raises(RuntimeError, match=r"The data changed while they were read\."):
        write_part(schema, day(3), tmp_path, {}, latest)


def test_a_part_that_cannot_be_read_is_told_once(tmp_path: Path) -> None:
    def broken() -> Any:
        raise OSError("the tape is torn")

    with pytest.raises(RuntimeError, match="day 2 could not be ingested: the tape is torn"):
        split(tmp_path, day(1), Part(name="day 2", read=broken))


def test_data_that_name_their_own_splits() -> None:
    task = rentals(day(1), day(2, split="test"))
    with pytest.raises(InputError, match=r"The data name their own splits \(test\), and the task splits .* by when\."):
        source_parts(task, "sample")


def test_the_rule_is_the_column_so_that_dates_may_move() -> None:
    task = rentals()
    rule = assign_split.rule(task.features, task.splits, [])
    assert rule == {"by": "when"}
    assert assign_split.rule(task.features, Splits(by="when", eval="2026-09-01", test="2026-10-01"), []) == rule
    known = {"splits": {"hash": "x"}, "columns": {"when": {"train": {"last": "2026-01-01"}}}}
    assert list(validate._split_rule({"splits": rule}, known)) == []  # the comparison leaves out what it learned from
    assert list(validate._split_rule({"splits": rule}, {"splits": {"hash": "x"}, "columns": {}}))


def test_an_empty_split_says_when_it_begins() -> None:
    found = {
        "rows": {"train": 0, "eval": 0, "test": 9}, "columns": {}, "rejected": {"reasons": {}},
        "split_dates": {"eval": "2026-01-03", "test": "2026-01-04"},
    }  # fmt: skip
    empty = [str(anomaly) for anomaly in validate._splits(rentals(), found)]
    assert empty == [
        f"The {name} split is empty. Expected rows in {name}. Received: none of 9 rows; eval begins 2026-01-03; test "
        "begins 2026-01-04."
        for name in ("train", "eval")
    ]


@pytest.mark.parametrize(
    ("features", "received"),
    [((Number("a"),), "there is none"), ((Date("day"), Number("a")), "day"), ((Number("when"),), "there is none")],
)
def test_a_column_that_is_no_date_of_the_task(features: tuple, received: str) -> None:
    with pytest.raises(ValueError, match=rf"Rows are split by a Date among the features: {received}\. Received: by="):
        Task(
            about="x", features=features, label=Number("y"), sample=lambda: (), preprocess=lambda features: features,
            models={"m": Model(lambda: None, Train(epochs=1))}, gate=(Bar("mae", 1.0),), splits=SPLITS,
        )  # fmt: skip
