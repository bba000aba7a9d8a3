from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from components.examples.rejected import Rejected, grouped
from components.examples.statistics import Statistics
from components.storage import atomic_files
from components.validate import step as validate
from tasks import Bar, Category, Date, Model, Number, Part, Splits, Task, Train


def task(**changes: Any) -> Task:
    given: dict[str, Any] = {
        "about": "Boats",
        "features": (
            Number("length", minimum=0, maximum=100, when_missing="keep"),
            Category("hull", ("wood", "steel"), when_missing="keep"),
        ),
        "label": Category("sinks", (0, 1)),
        "sample": lambda: (Part(name="none", read=lambda: ()),),
        "preprocess": lambda features: features,
        "models": {"mlp": Model(lambda: None, Train(epochs=1))},  # type: ignore[arg-type, return-value]
        "gate": (Bar("accuracy", 0.5),),
    }
    return Task(**(given | changes))


def statistics(rows: int = 100, aside: list[Rejected] | None = None, **columns: list[Any]) -> dict[str, Any]:
    """Of a hundred good rows, 64 in train, 16 in eval and 20 in test, but for the columns given."""
    values: Mapping[str, list[Any]] = {
        "length": [float(number % 7) for number in range(rows)],
        "hull": ["wood" if number % 3 else "steel" for number in range(rows)],
        "sinks": [number % 2 for number in range(rows)],
    } | columns
    types = {"length": pa.float32(), "hull": pa.string(), "sinks": pa.int64()}
    found = Statistics(task().columns)
    sizes = [rows * 64 // 100, rows * 16 // 100]
    splits = np.repeat(np.array([0, 1, 2], np.int8), [*sizes, rows - sum(sizes)])
    found.add(splits, {name: pa.array(values[name], types[name]) for name in values})
    found.aside.add(grouped(aside or []))
    return json.loads(json.dumps(found.summary()))


def check(found: dict[str, Any], before: dict[str, Any] | None = None, **changes: Any) -> list[tuple[str, str]]:
    return [(anomaly.severity, str(anomaly)) for anomaly in validate.check(task(**changes), found, before)]


def aside(count: int, reason: str = "length is not a number", received: str = "'x'") -> list[Rejected]:
    return [Rejected(n, f"boats.csv line {n}", reason, received, "x,wood,1") for n in range(2, 2 + count)]


def test_good_data() -> None:
    assert check(statistics()) == []


def test_an_empty_split() -> None:
    assert check(statistics(rows=4)) == [
        ("error", "The eval split is empty. Expected rows in eval. Received: none of 4 rows."),
    ]
    assert check(statistics(rows=4), splits=Splits(train=0.8, eval=0.0, test=0.2)) == []
    assert check(statistics(rows=0)) == [
        ("error", "No rows are left to learn from. Expected rows in every split. Received: none."),
    ]


def test_rows_set_aside_below_and_above_the_share_that_is_borne() -> None:
    [(severity, _)] = check(statistics(aside=aside(5)))
    assert severity == "warning"
    [(severity, many)] = check(statistics(aside=[*aside(6), *aside(3, "hull is missing", "")]))
    assert severity == "error"
    assert many == (
        "9 of 109 rows were set aside. Expected at most 0.05 of all rows. Received: 0.0826: 6 x length is not a number "
        "(such as 'x' in boats.csv line 2: 'x,wood,1'); 3 x hull is missing (such as boats.csv line 2: 'x,wood,1')."
    )
    assert check(statistics(aside=aside(9)), max_rejected=0.1)[0][0] == "warning"
    assert check(statistics(aside=aside(90, "also in the test split", ""))) == []


def test_all_rows_broken_is_told_once_and_completely() -> None:
    found = check(statistics(rows=0, aside=aside(50)))
    assert [severity for severity, _ in found] == ["error"] * 2
    assert found[0][1].startswith("50 of 50 rows were set aside")


def test_numbers_outside_their_range() -> None:
    lengths = [1.0] * 50 + [2.0] * 49
    assert check(statistics(length=[-0.5, *lengths])) == [
        ("error", "length: A number in train is too small. Expected at least 0. Received: -0.5.")
    ]
    assert check(statistics(length=[*lengths, 101.0])) == [
        ("error", "length: A number in test is too large. Expected at most 100. Received: 101.")
    ]
    assert check(statistics(length=[0.0, 100.0] * 50)) == []


@pytest.mark.parametrize("bound", [0.7, 0.1, -0.3, 1e-7, 16777217, 1e39])
def test_a_number_on_its_bound_is_within(bound: float) -> None:
    on = [float(np.float32(min(bound, 3e38)))] * 100
    for limits in ({"minimum": min(bound, 3e38)}, {"maximum": bound}):
        features = (Number("length", **limits), Category("hull", ("wood", "steel")))
        assert [one for one in check(statistics(length=on), features=features) if one[0] == "error"] == []


def test_a_number_beside_its_bound_is_told_apart_from_it() -> None:
    features = (Number("length", minimum=0.7, maximum=0.9), Category("hull", ("wood", "steel")))
    below, above = (float(np.nextafter(np.float32(at), np.float32(to))) for at, to in ((0.7, 0), (0.9, 1)))
    assert check(statistics(length=[below, *[0.8] * 98, above]), features=features) == [
        ("error", "length: A number in train is too small. Expected at least 0.7. Received: 0.6999999."),
        ("error", "length: A number in test is too large. Expected at most 0.9. Received: 0.90000004."),
    ]


def test_values_outside_a_category() -> None:
    hulls = ["wood", "steel"] * 49
    assert check(statistics(hull=["Wood", *hulls, "?"])) == [
        ("error", "hull: 2 rows have an unknown value. Expected one of 'wood', 'steel'. Received: 'Wood', '?'.")
    ]


def test_missing_and_constant_columns() -> None:
    assert check(statistics(length=[None] * 100)) == [
        ("error", "length: Every value is missing. Expected some values. Received: none.")
    ]
    assert check(statistics(length=[7.0] * 100, hull=["wood"] * 100)) == [
        ("warning", "length: All 64 values in train are the same. Expected several values. Received: 7.0."),
        ("warning", "hull: All 64 values in train are the same. Expected several values. Received: 'wood'."),
    ]


def test_labels() -> None:
    found = check(statistics(sinks=[1] * 100))
    assert found[0] == ("error", "sinks: All 64 values in train are the same. Expected several values. Received: 1.")
    assert found[1:] == [
        ("warning", f"sinks: A class is absent from {split}. Expected rows of every class. Received: no 0.")
        for split in ("train", "eval", "test")
    ]


def test_drift_is_a_warning_with_the_distance_its_value_and_threshold() -> None:
    before = statistics(rows=10_000)
    assert check(statistics(rows=1000), before) == []
    assert check(before, before) == []
    [(severity, sentence)] = check(statistics(rows=1000, hull=["wood", "steel", "steel", "steel"] * 250), before)
    assert severity == "warning"
    assert sentence.startswith(
        "hull: The values have drifted since the serving model was trained. Expected a total variation distance of at "
    )
    assert sentence.endswith("Received: 0.417.")
    [(_, sentence)] = check(statistics(rows=1000, length=[float(n % 7) + 3 for n in range(1000)]), before)
    assert "Kolmogorov-Smirnov distance" in sentence
    [(_, sentence)] = check(statistics(rows=1000, length=[None, 1.0, None, 3.0, 5.0] * 200), before)
    assert "missing values" in sentence


def test_few_rows_are_no_proof_of_drift() -> None:
    before = statistics(rows=10_000)
    assert check(statistics(rows=25, hull=["wood", "steel", "steel", "steel", "steel"] * 5), before) == []


@pytest.fixture
def boats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task of that name, as a file of the tasks folder would be."""
    import sys
    import types

    import tasks

    module = types.ModuleType("tasks.boats")
    module.TASK = task()  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tasks.boats", module)
    monkeypatch.setattr(tasks, "names", lambda: ["boats"])
    return tmp_path


def run(folder: Path, champion: str = "") -> list[dict[str, str]]:
    try:
        validate.run(
            task="boats",
            destination=str(folder / "serving"),
            champion=champion,
            statistics=str(folder / "statistics.json"),
            anomalies=str(folder / "out" / "anomalies.json"),
        )
    finally:
        found: list[dict[str, str]] = atomic_files.read_json(folder / "out" / "anomalies.json")
    return found


def test_the_step_compares_with_the_champions_statistics(boats: Path) -> None:
    atomic_files.write_json(
        boats / "statistics.json", statistics(rows=1000, hull=["wood", "steel", "steel", "steel"] * 250)
    )
    atomic_files.write_json(boats / "serving/boats/3/assets.extra/statistics.json", statistics(rows=10_000))
    (boats / "serving/boats/3/saved_model.pb").write_bytes(b"model")
    assert run(boats) == []
    assert run(boats, "4:abc") == []
    [found] = run(boats, "3:abc")
    assert (found["column"], found["severity"]) == ("hull", "warning")
    assert sorted(found) == ["column", "expected", "received", "severity", "what"]


def test_the_step_stops_on_errors_after_writing_them(boats: Path) -> None:
    atomic_files.write_json(boats / "statistics.json", statistics(rows=0, aside=aside(50)))
    with pytest.raises(ValueError, match="The data breaks the task's schema:\n  50 of 50 rows") as stopped:
        run(boats)
    assert len(atomic_files.read_json(boats / "out" / "anomalies.json")) == 2
    assert len(str(stopped.value).splitlines()) == 3


def test_a_long_list_of_errors_is_cut() -> None:
    anomaly = validate.Anomaly("a", "error", "b", "c", "d")
    assert len(validate.listed([anomaly] * 30).splitlines()) == 11
    assert validate.listed([anomaly] * 30).endswith("and 21 more")


def test_that_few_rows_are_all_alike_is_told_with_their_number() -> None:
    few = check(statistics(rows=10, sinks=[1] * 10))
    said = "sinks: All 6 values in train are the same. Expected several values, and more rows to learn from than 6."
    assert ("error", f"{said} Received: 1.") in few


def of_dates(first: int, last: int, missing: int = 0) -> dict[str, Any]:
    """The statistics of days of January 2026."""
    column, start = Date("when"), 1_767_225_600_000_000
    days = [start + 86_400_000_000 * day for day in np.linspace(first, last, 300).astype(int).tolist()]
    gathered = Statistics((column,))
    values = pa.array([*days, *[None] * missing], pa.int64()).cast(pa.timestamp("us", "UTC"))
    gathered.add(np.zeros(len(values), np.int8), {"when": values})
    return gathered.summary()["columns"]["when"]


def told_of(column: Date, now: dict[str, Any], before: dict[str, Any] | None = None) -> list[tuple[str, str]]:
    of_column = [*validate._column(task(), column, now), *(validate._drift(column, before, now) if before else ())]
    return [(anomaly.severity, str(anomaly)) for anomaly in of_column]


def test_dates_before_their_minimum_and_after_their_maximum() -> None:
    assert told_of(Date("when", minimum="2026-01-02", maximum="2026-01-31"), of_dates(1, 30)) == []
    assert told_of(Date("when", minimum="2026-01-03", maximum="2026-01-30T12:00"), of_dates(1, 30)) == [
        ("error", "when: A date in train is too early. Expected from 2026-01-03 on. Received: 2026-01-02."),
        ("error", "when: A date in train is too late. Expected at most 2026-01-30T12:00. Received: 2026-01-31."),
    ]


def test_the_same_date_in_every_row_is_told_and_one_that_moves_on_is_no_drift() -> None:
    [(severity, told)] = told_of(Date("when"), of_dates(5, 5))
    assert severity == "warning"
    assert told.endswith("Received: '2026-01-06'.")
    assert told_of(Date("when"), of_dates(100, 200), before=of_dates(1, 30)) == []
    [(severity, told)] = told_of(Date("when"), of_dates(1, 30, missing=300), before=of_dates(1, 30))
    assert severity == "warning"
    assert "difference of the shares of missing values" in told
