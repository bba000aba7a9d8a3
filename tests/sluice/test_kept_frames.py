"""A frame that is given as data is a file of its rows, whatever library it is of."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sluice import start_run
from tasks import InputError

TABLE = pa.table({"weight": [1500, 2500], "name": ["one", None]})


def test_tables_and_frames_with_an_index(tmp_path: Path) -> None:
    indexed = TABLE.to_pandas().set_index("name")
    for given in (TABLE, TABLE.to_reader(), TABLE.to_pandas(), indexed):
        kept = pq.read_table(start_run._data(given, tmp_path))
        assert {name: kept.column(name).to_pylist() for name in ("weight", "name")} == TABLE.to_pydict()
    plain = pd.DataFrame({"weight": [1]}, index=[7])
    assert pq.read_table(start_run._data(plain, tmp_path)).column_names == ["weight"]


def test_the_same_rows_are_the_same_file(tmp_path: Path) -> None:
    first = start_run._data(TABLE, tmp_path)
    assert start_run._data(pa.table(TABLE.to_pydict()), tmp_path) == first
    assert start_run._data(TABLE.slice(1), tmp_path) != first


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"a": [1]}, "a DataFrame or an Arrow table. Received: dict."),
        (pd.Series([1], name="a").to_numpy(), "Received: ndarray."),
        (pd.DataFrame({"a": [1, "x"]}), "The DataFrame cannot be written as Parquet:"),
        (pa.table({"a": pa.array([1]), "b": pa.nulls(1, pa.month_day_nano_interval())}), "The Table cannot be written"),
    ],
)
def test_what_is_no_table(tmp_path: Path, given: object, sentence: str) -> None:
    with pytest.raises(InputError) as caught:
        start_run._data(given, tmp_path)
    assert sentence in str(caught.value)
