from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from components.reading.check_rows import Rows, check
from components.reading.raw_batch import Batch
from components.reading.row_ids import row_ids
from tasks import Date

WHEN, MAYBE = Date("when"), Date("when", when_missing="keep")
NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


def read(raw: pa.Array, feature: Date = MAYBE, **composites: object) -> Rows:
    batch = Batch(columns={"when": raw}, numbers=np.arange(2, 2 + len(raw)), source="days.csv", **composites)
    return check([feature], None, batch)


@pytest.mark.parametrize(
    "raw",
    [
        pa.array(["2026-11-24T12:00"]),
        pa.array([" 2026-11-24 12:00:00Z "]),
        pa.array([b"2026-11-24T13:00+01:00"]),
        pa.array(["2026-11-24T12:00:00.0"], pa.large_string()),
        pa.array(["2026-11-24T12:00"], pa.string_view()),
        pa.array(["2026-11-24T12:00"]).dictionary_encode(),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("ns")),
        pa.array([NOON], pa.timestamp("us", "UTC")),
        pa.array([NOON], pa.timestamp("ms", "Europe/Berlin")),
        pa.array([NOON.replace(tzinfo=None)], pa.timestamp("s")),
        pa.Array.from_pandas(pd.Series(pd.to_datetime(["2026-11-24 12:00"]))),
        pa.Array.from_pandas(pd.Series(pd.to_datetime(["2026-11-24 13:00"])).dt.tz_localize("Europe/Berlin")),
    ],
    ids=lambda raw: str(raw.type),
)
def test_the_same_moment_however_it_is_held(raw: pa.Array) -> None:
    rows = read(raw)
    assert rows.rejected == []
    assert rows.columns["when"].to_pylist() == [NOON]
    expected = row_ids({"when": pa.array([NOON], pa.timestamp("us", "UTC"))}, 1)
    assert rows.ids.tolist() == expected.tolist()


def test_the_hash_of_a_date_stays_as_it_is() -> None:
    """Stable for ever: splits and caches rest on it."""
    assert row_ids({"when": pa.array([NOON, None], pa.timestamp("us", "UTC"))}, 2).tolist() == [
        1445066529561372757, 4558077235332954641,
    ]  # fmt: skip


def test_days_are_their_midnights() -> None:
    for kind in (pa.date32(), pa.date64()):
        found = read(pa.array([date(2026, 11, 24), date(1969, 12, 31), None], kind)).columns["when"].to_pylist()
        assert found == [datetime(2026, 11, 24, tzinfo=UTC), datetime(1969, 12, 31, tzinfo=UTC), None]


@pytest.mark.parametrize("token", ["", "?", "NA", "nan", "NaT", "None", "null", " ", None])
def test_what_stands_for_a_missing_date(token: str | None) -> None:
    raw = pa.array(["2026-11-24", token])
    assert read(raw).columns["when"].null_count == 1
    assert [row.sentence for row in read(raw, WHEN).rejected] == ["when is missing"]
    assert read(pa.nulls(1)).columns["when"].to_pylist() == [None]


@pytest.mark.parametrize(
    ("raw", "received"),
    [
        (pa.array(["24.11.2026"]), "'24.11.2026'"),
        (pa.array(["2026-02-30"]), "'2026-02-30'"),
        (pa.array([b"\xff\xfe"]), "'\\\\xff\\\\xfe'"),
        (pa.array([1795000000]), "1795000000"),
        (pa.array([1795000000.5]), "1795000000.5"),
        (pa.array([[NOON]]), "[datetime.datetime"),
        (pa.array([12], pa.time32("s")), "datetime.time"),
        (pa.array([253_402_300_800], pa.timestamp("s")), "253,402,300,800 seconds since 1970"),
        (pa.array([10**15], pa.timestamp("s")), "1,000,000,000,000,000 seconds"),
    ],
)
def test_what_is_no_date_is_set_aside(raw: pa.Array, received: str) -> None:
    (row,) = read(raw).rejected
    assert row.number == 2
    assert row.sentence.startswith("when is n")
    assert received in row.sentence


def test_a_list_where_a_date_is_meant_and_base64() -> None:
    composites = {"when": {0: ["2026-11-24"], 1: {"b64": "MjAyNi0xMS0yNFQxMjowMA=="}}}
    rows = read(pa.nulls(2, pa.string()), composites=composites)
    assert rows.columns["when"].to_pylist() == [NOON]
    assert rows.rejected[0].sentence == "when is not one value: '[\"2026-11-24\"]'"
