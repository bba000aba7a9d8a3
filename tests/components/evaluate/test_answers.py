"""Predictions of a file in a frame that is about as large as its numbers, and the same as pandas reads."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.evaluate import answers, metrics

SIDES = np.array(["right", "left", None], np.dtype("O"))


def write(path: Path, rows: int, classes: int = 10, together: int = 1000) -> None:
    """As `predictions.write` does, some rows together."""
    random, writer = np.random.default_rng(0), None
    for _ in range(0, rows, together):
        given = pa.array(random.random(together * classes, np.float32))
        table = pa.table({
            "row": random.integers(-(1 << 63), 1 << 63, together), "label": random.integers(0, classes, together),
            "slice_side": pa.array(random.choice(SIDES, together), pa.string()),
            "prediction": pa.FixedSizeListArray.from_arrays(given, classes),
            "champion": random.random(together, np.float32),
        })  # fmt: skip
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    assert writer is not None
    writer.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    write(tmp_path / "predictions.parquet", 3000, together=100)
    return tmp_path / "predictions.parquet"


def test_the_columns_are_those_that_pandas_reads(path: Path) -> None:
    found, expected = answers.read(path), pd.read_parquet(path)
    assert list(found) == list(expected)
    for name in ("row", "label", "champion"):
        pd.testing.assert_series_equal(found[name], expected[name], check_exact=True)
    assert found["slice_side"].astype(object).fillna("").tolist() == expected["slice_side"].fillna("").tolist()
    np.testing.assert_array_equal(metrics.matrix(found["prediction"]), np.stack(list(expected["prediction"])))
    assert metrics.matrix(found["prediction"]).dtype == np.float32


def test_some_rows_of_it(path: Path) -> None:
    frame = answers.read(path)
    whole, places = metrics.matrix(frame["prediction"]), np.array([2999, 4, 4, 1000])
    for some in (frame.iloc[places], frame.iloc[7:9], frame[frame["label"] > 3], frame.iloc[:0]):
        np.testing.assert_array_equal(metrics.matrix(some["prediction"]), whole[some.index])
    np.testing.assert_array_equal(np.asarray(frame.iloc[5]["prediction"], np.float32), whole[5])


def test_slices_are_those_of_plain_text(path: Path) -> None:
    frame, plain = answers.read(path), pd.read_parquet(path)
    found = {name: rows.index.tolist() for name, rows in metrics.groups(frame, "side")}
    assert found == {name: rows.index.tolist() for name, rows in metrics.groups(plain, "side")}
    assert list(found) == ["left", "right", "missing"]


def test_all_numbers_are_in_memory_once(tmp_path: Path) -> None:
    write(tmp_path / "many.parquet", 200_000, together=20_000)
    before = pa.total_allocated_bytes()
    tracemalloc.start()
    frame = answers.read(tmp_path / "many.parquet")
    numbers = metrics.matrix(frame["prediction"])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert numbers.nbytes == 200_000 * 10 * 4
    assert most < 2 * numbers.nbytes  # with the ids, labels and slices; a list a row takes four times as much
    assert pa.total_allocated_bytes() - before < numbers.nbytes / 10
