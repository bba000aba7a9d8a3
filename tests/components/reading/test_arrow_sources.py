"""What a task's own sources may give besides data frames, and how the documented ones are read."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.dataset as ds
import pytest
from repository import ROOT

from components.reading.check_rows import check
from components.reading.data_frames import read_frames
from components.reading.source_rows import part_batches
from components.reading.sources import snapshot, source_parts
from tasks import Bar, Category, Date, Feature, Image, InputError, Model, Number, Part, Task, Text, Train

TABLE = pa.table({"a": [1, 2, None], "b": ["x", "y", "z"], "more": [0, 0, 0]})
ROWS = [(1, 1, "x"), (2, 2, "y"), (3, None, "z")]


class Capsule:
    """Another library's table: nothing of pyarrow's but the protocol."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class OneBatch:
    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return TABLE.to_batches()[0].__arrow_c_array__(requested_schema)


def rows(found: Any) -> list[tuple[Any, ...]]:
    made = []
    for batch in read_frames(found, "cars", ["a", "b"]):
        assert list(batch.columns) == ["a", "b"]
        made += list(
            zip(batch.numbers.tolist(), *(values.to_pylist() for values in batch.columns.values()), strict=True)
        )
    return made


@pytest.mark.parametrize(
    "make",
    [
        lambda: TABLE,
        lambda: [TABLE],
        lambda: TABLE.to_batches(max_chunksize=2),
        lambda: iter(TABLE.to_batches(max_chunksize=2)),
        lambda: TABLE.to_reader(max_chunksize=1),
        lambda: ds.dataset(TABLE),
        lambda: Capsule(TABLE),
        lambda: [OneBatch()],
        lambda: [TABLE.slice(0, 1), TABLE.slice(1).to_pandas()],
        lambda: TABLE.to_pandas(),
        lambda: pa.table({name: pa.chunked_array([column]) for name, column in zip("ab", TABLE.columns, strict=False)}),
    ],
)
def test_the_same_rows_however_they_come(make: Callable[[], Any]) -> None:
    assert [(n, None if pd.isna(a) else a, b) for n, a, b in rows(make())] == ROWS


def test_a_data_set_reads_the_wanted_columns_only(tmp_path: Path) -> None:
    ds.write_dataset(TABLE, tmp_path, format="parquet")
    read: list[list[str]] = []

    class Watched:
        schema, scanner = TABLE.schema, staticmethod(lambda: None)

        def to_batches(self, columns: list[str], batch_size: int) -> Iterator[pa.RecordBatch]:
            read.append(columns)
            return ds.dataset(tmp_path).to_batches(columns=columns, batch_size=batch_size)

    assert rows(Watched()) == ROWS
    assert read == [["a", "b"]]


def test_large_batches_are_divided() -> None:
    table = pa.table({"a": range(40_000), "b": ["x"] * 40_000})
    batches = list(read_frames(table.combine_chunks(), "cars", ["a", "b"]))
    assert [len(batch) for batch in batches] == [16_384, 16_384, 7_232]
    assert [int(batch.numbers[0]) for batch in batches] == [1, 16_385, 32_769]


@pytest.mark.parametrize(
    ("given", "received"),
    [
        (None, "NoneType"),
        ("cars.csv", "str"),
        ({"a": [1]}, "dict"),
        ([{"a": 1}], "dict"),
        ([[1, "x"]], "list"),
        (7, "int"),
    ],
)
def test_what_is_no_table(given: object, received: str) -> None:
    with pytest.raises(InputError, match=rf"cars: read must give data frames, or what speaks Arrow: .* {received}\."):
        list(read_frames(given, "cars", ["a"]))


@pytest.mark.parametrize(
    "make", [lambda: TABLE, lambda: ds.dataset(TABLE), lambda: [OneBatch()], lambda: TABLE.to_pandas()]
)
def test_a_column_that_is_not_there(make: Callable[[], Any]) -> None:
    with pytest.raises(InputError, match=r"cars has no column 'weight', and it is needed\. Found: 'a', 'b', 'more'"):
        list(read_frames(make(), "cars", ["a", "weight"]))


def typed(feature: Feature, values: Any) -> list[Any]:
    name = feature.name
    found = []
    for batch in read_frames(values, "cars", [name]):
        checked = check([feature], None, batch)
        assert checked.rejected == []
        found += checked.columns[name].to_pylist()
    return found


@pytest.mark.parametrize(
    ("dtype", "values", "expected"),
    [
        ("Int64", [1, None, 3], [1.0, None, 3.0]),
        ("UInt8", [1, None, 3], [1.0, None, 3.0]),
        ("Float32", [1.5, None, 3], [1.5, None, 3.0]),
        ("float16", [1.5, 2, 3], [1.5, 2.0, 3.0]),
        ("boolean", [True, None, False], [1.0, None, 0.0]),
        (pd.ArrowDtype(pa.int8()), [1, None, 3], [1.0, None, 3.0]),
        (pd.ArrowDtype(pa.decimal128(5, 2)), [Decimal("1.5"), None, 3], [1.5, None, 3.0]),
        ("category", [1, 2, 1], [1.0, 2.0, 1.0]),
        ("object", [1, None, 2.5], [1.0, None, 2.5]),
    ],
    ids=str,
)
def test_the_dtypes_of_numbers(dtype: Any, values: list[Any], expected: list[Any]) -> None:
    frame = pd.DataFrame({"a": pd.Series(values, dtype=dtype)})
    assert typed(Number("a", when_missing="keep"), frame) == expected


@pytest.mark.parametrize(
    "dtype", ["string", "string[python]", "category", "object", pd.ArrowDtype(pa.string())], ids=str
)
def test_the_dtypes_of_texts_and_categories(dtype: Any) -> None:
    frame = pd.DataFrame({"a": pd.Series(["x", None, "y"], dtype=dtype)})
    assert typed(Text("a", when_missing="keep"), frame) == ["x", None, "y"]
    assert typed(Category("a", ("x", "y"), when_missing="keep"), frame) == ["x", None, "y"]


@pytest.mark.filterwarnings("error")
def test_times_with_a_zone_and_an_index_of_times() -> None:
    hours = pd.date_range("2026-11-24", periods=2, freq="h", tz="Europe/Berlin", name="when")
    frame = pd.DataFrame({"a": [1, 2]}, index=hours)
    expected = [moment.to_pydatetime() for moment in hours.tz_convert("UTC")]
    assert typed(Date("when"), frame) == expected
    assert typed(Date("when"), frame.reset_index()) == expected
    assert typed(Number("a"), frame) == [1.0, 2.0]


def test_named_levels_of_an_index_are_columns_and_a_column_of_that_name_comes_first() -> None:
    index = pd.MultiIndex.from_tuples([("x", 1), ("y", 2)], names=["shop", None])
    frame = pd.DataFrame({"a": [1, 2]}, index=index)
    assert typed(Text("shop"), frame) == ["x", "y"]
    both = pd.DataFrame({"a": [1, 2]}, index=pd.Index([8, 9], name="a"))
    assert typed(Number("a"), both) == [1.0, 2.0]
    with pytest.raises(InputError, match="has no column 'index'"):
        typed(Number("index"), pd.DataFrame({"a": [1, 2]}, index=[8, 9]))


def test_extension_types_and_pictures_as_hugging_face_keeps_them() -> None:
    coded = pa.array(['{"k": 1}', None], pa.json_())
    assert typed(Text("a", when_missing="keep"), pa.table({"a": coded})) == ['{"k": 1}', None]
    pictures = pa.array([{"bytes": b"abcdef", "path": "one.png"}, {"bytes": b"ghijkl", "path": None}])
    assert typed(Image("a", (2, 3)), pa.table({"a": pictures})) == [b"abcdef", b"ghijkl"]


def documented(name: str) -> Callable[[Path | None], list[Part]]:
    page = (ROOT / "docs" / "arrow.md").read_text()
    (source,) = re.findall(rf"^```python {name}\n(.*?)^```", page, re.M | re.S)
    module: dict[str, Any] = {}
    exec(compile(source, "docs/arrow.md", "exec"), module)
    real: Callable[[Path | None], list[Part]] = module["real"]
    return real


def task(real: Callable[[Path | None], list[Part]]) -> Task:
    return Task(
        about="Cars",
        features=(Number("weight"), Text("name", when_missing="keep")),
        label=Number("mpg"),
        sample=lambda: (),
        real=real,
        preprocess=lambda features: features,
        models={"mlp": Model(lambda: None, Train(epochs=1))},  # type: ignore[arg-type, return-value]
        gate=(Bar("mae", 1.0),),
    )


def read(cars: Task, folder: Path) -> tuple[str, list[tuple[Any, ...]]]:
    parts = source_parts(cars, "real", str(folder))
    found = []
    for part in parts:
        for batch in part_batches(part, cars.columns):
            checked = check(cars.features, cars.label, batch)
            assert checked.rejected == []
            found += list(zip(*(checked.columns[column.name].to_pylist() for column in cars.columns), strict=True))
    return snapshot(parts), found


CARS = [(1500.0, "one", 30.0), (2500.0, None, 20.0)]


def test_a_hugging_face_data_set_on_disk(tmp_path: Path) -> None:
    """In the layout of `save_to_disk`: shards as Arrow streams, and a fingerprint."""
    table = pa.table(dict(zip(["weight", "name", "mpg"], zip(*CARS, strict=True), strict=True)))
    for number, row in enumerate(table.to_batches(max_chunksize=1)):
        with (
            pa.OSFile(str(tmp_path / f"data-{number:05}-of-00002.arrow"), "wb") as file,
            pa.ipc.new_stream(file, row.schema) as out,
        ):
            out.write_batch(row)
    (tmp_path / "state.json").write_text(json.dumps({"_fingerprint": "ddd2c641"}))
    before, found = read(task(documented("hugging_face")), tmp_path)
    assert found == CARS
    (tmp_path / "state.json").write_text(json.dumps({"_fingerprint": "0b5e17aa"}))
    assert read(task(documented("hugging_face")), tmp_path)[0] != before


def test_a_database_through_adbc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    database = sqlite3.connect("cars.db")
    database.execute("CREATE TABLE cars (id INTEGER, weight REAL, name TEXT, mpg REAL, changed TEXT)")
    rows_ = [(number, *car, "2026-11-24") for number, car in enumerate(CARS)]
    database.executemany("INSERT INTO cars VALUES (?, ?, ?, ?, ?)", rows_)
    database.commit()
    cars = task(documented("adbc"))
    before, found = read(cars, tmp_path)
    assert found == CARS
    assert read(cars, tmp_path) == (before, CARS)
    database.execute("UPDATE cars SET mpg = 31, changed = '2026-11-25' WHERE id = 0")
    database.commit()
    database.close()
    after, found = read(cars, tmp_path)
    assert after != before
    assert found[0] == (1500.0, "one", 31.0)
