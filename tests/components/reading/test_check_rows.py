from __future__ import annotations

import base64
import io
import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from components.reading.assign_split import splits_of
from components.reading.check_rows import Rows, check
from components.reading.find_files import read_file
from components.reading.raw_batch import Batch
from components.reading.row_ids import row_ids, value_bits
from tasks import Category, Feature, Image, Number, Text

WEIGHT, POWER = Number("weight"), Number("power", when_missing="keep")
ORIGIN = Category("origin", (1, 2, 3), names=("USA", "Europe", "Japan"), when_missing="keep")
SIDE = Category("side", ("left", "right"), when_missing="keep")
REVIEW = Text("review", when_missing="keep")
PICTURE = Image("picture", (2, 3))


def batch(**columns: pa.Array) -> Batch:
    arrays = {name: values if isinstance(values, pa.Array) else pa.array(values) for name, values in columns.items()}
    count = max(map(len, arrays.values()))
    return Batch(columns=arrays, numbers=np.arange(2, 2 + count), source="cars.csv", unit="line")


def one(feature: Feature, *values: object) -> Rows:
    return check([feature], None, batch(**{feature.name: pa.array(list(values))}))


def sentences(rows: Rows) -> list[str]:
    return [row.sentence for row in rows.rejected]


@pytest.mark.parametrize(
    ("text", "number"),
    [("3504", 3504.0), (" 3.5 ", 3.5), ("+1e3", 1000.0), (".5", 0.5), ("5.", 5.0), ("-0", 0.0), ("1E-3", 0.001)],
)
def test_numerals(text: str, number: float) -> None:
    for values in ([text], [text, "?"]):  # what can be cast at once, and what cannot
        assert one(POWER, *values).columns["power"][0].as_py() == pytest.approx(number)


@pytest.mark.parametrize("token", ["", "?", "NA", "NaN", "nan", "null", "NULL", " na ", None])
def test_tokens_for_missing(token: str | None) -> None:
    rows = one(POWER, "1", token)
    assert rows.columns["power"].to_pylist() == [1.0, None]
    assert sentences(one(WEIGHT, "1", token)) == ["weight is missing"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("abc", "weight is not a number: 'abc'"),
        ("1,5", "weight is a number with a comma (write 3.5, and 1234): '1,5'"),
        ("1_000", "weight is not a number: '1_000'"),
        ("0x1F", "weight is not a number: '0x1F'"),
        ("12 34", "weight is not a number: '12 34'"),
        ("1\x002", "weight is not a number: '1\\x002'"),
        ("--5", "weight is not a number: '--5'"),
        ("+-5", "weight is not a number: '+-5'"),
        ("x" * 100, f"weight is not a number: '{'x' * 37}...'"),
        ("inf", "weight is not finite: 'inf'"),
        ("-Infinity", "weight is not finite: '-Infinity'"),
        ("1e39", "weight does not fit into 32 bits: '1e39'"),
        (math.inf, "weight is not finite: inf"),
        ([1.0], "weight is not a number: a value of type list<item: double>"),
    ],
)
def test_what_is_no_number(value: object, sentence: str) -> None:
    rows = one(WEIGHT, value)
    assert sentences(rows) == [sentence]
    assert len(rows) == 0
    assert rows.rejected[0].position == "cars.csv line 2"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        *[("1", 1), (" 2 ", 2), ("3.0", 3), ("Japan", 3), (2, 2), (3.0, 3), (True, 1), ("7", 7), ("-9", -9)],
        *[("", None), ("?", None), (None, None), (math.nan, None)],
    ],
)
def test_integer_categories(value: object, code: int | None) -> None:
    rows = one(ORIGIN, value)
    assert rows.columns["origin"].to_pylist() == [code]
    assert rows.columns["origin"].type == pa.int64()
    assert rows.rejected == []


@pytest.mark.parametrize("text", ["1.5", "japan", "1_0", "inf", "1e30", "²"])
def test_what_is_no_integer(text: str) -> None:
    assert sentences(one(ORIGIN, "1", text)) == [f"origin is not an integer: {text!r}"]
    assert sentences(one(ORIGIN, 1.5)) == ["origin is not an integer: '1.5'"]


def test_string_categories_keep_values_they_do_not_know_for_validation_to_judge() -> None:
    rows = one(SIDE, "left", " right", "up", "", None, "NA")
    assert rows.columns["side"].to_pylist() == ["left", "right", "up", None, None, "NA"]
    assert sentences(one(SIDE, b"left", b"\xff")) == ["side is not UTF-8 text: '\\\\xff'"]


def test_a_label_may_be_given_by_value_or_name_and_is_refused_otherwise() -> None:
    label = Category("kind", (0, 1), names=("Bag", "Boot"))
    rows = check([POWER], label, batch(power=[1.0] * 5, kind=["Bag", "1", "Shoe", "2", None]))
    assert rows.columns["kind"].to_pylist() == [0, 1]
    assert sentences(rows) == ["kind is not an integer: 'Shoe'", "kind is none of 0, 1: 2", "kind is missing"]


def test_text() -> None:
    rows = check([REVIEW], None, batch(review=pa.array([b"fine", b"\xff\xfe", "ünï".encode(), b"", b"a\x00b", None])))
    assert rows.columns["review"].to_pylist() == ["fine", "ünï", None, "a\x00b", None]
    assert sentences(rows) == ["review is not UTF-8 text: '\\\\xff\\\\xfe'"]
    assert sentences(one(REVIEW, 5)) == ["review is not text: a value of type int64"]


def png(height: int, width: int, mode: str = "L") -> bytes:
    from PIL import Image as Picture

    file = io.BytesIO()
    Picture.new(mode, (width, height), 7 if mode == "L" else (7, 7, 7)).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    "value",
    [
        b"\x07" * 6,
        png(2, 3),
        png(2, 3, "RGB"),
        base64.b64encode(b"\x07" * 6).decode(),
        [7] * 6,
        "[[7, 7, 7], [7, 7, 7]]",
    ],
)
def test_the_same_picture_is_the_same_pixels_in_any_form(value: object) -> None:
    assert one(PICTURE, value).columns["picture"].to_pylist() == [b"\x07" * 6]


@pytest.mark.parametrize(
    ("value", "received"),
    [
        (b"12345", "5 bytes that are neither 6 pixels nor a PNG or JPEG file"),
        (png(3, 2), "a PNG of 3 x 2 pixels"),
        ("no base64", "text that is not base64"),
    ],
)
def test_what_is_no_picture(value: object, received: str) -> None:
    assert sentences(one(PICTURE, value)) == [f"picture is no image of 2 x 3 grey pixels: {received}"]
    assert len(one(PICTURE, png(2, 3)[:40]).rejected) == 1
    unchecked = pa.array([b"\xff"], pa.binary()).cast(pa.string(), safe=False)
    assert len(check([PICTURE], None, batch(picture=unchecked)).rejected) == 1
    assert len(one(PICTURE, [7, 300, 1, 1, 1, 1]).rejected) == 1


def test_of_several_faults_the_first_columns_is_told_and_good_rows_stay_in_order() -> None:
    found = check([WEIGHT, ORIGIN], None, batch(weight=["1", "x", "3", ""], origin=["1", "y", "z", "2"]))
    assert [(row.number, row.sentence) for row in found.rejected] == [
        (3, "weight is not a number: 'x'"),
        (4, "origin is not an integer: 'z'"),
        (5, "weight is missing"),
    ]
    assert found.rejected[0].row == '{"weight": "x", "origin": "y"}'
    assert found.numbers.tolist() == [2]
    assert found.columns["weight"].to_pylist() == [1.0]


def test_a_column_that_was_not_read_is_missing() -> None:
    rows = check([POWER, ORIGIN], None, batch(origin=["1"]))
    assert rows.columns["power"].to_pylist() == [None]


def test_no_rows() -> None:
    empty = Batch(columns={}, numbers=np.empty(0, np.int64), source="x")
    rows = check([WEIGHT, ORIGIN, SIDE, REVIEW, PICTURE], None, empty)
    assert len(rows) == 0
    assert [str(values.type) for values in rows.columns.values()] == ["float", "int64", "string", "string", "binary"]


def test_row_ids_are_stable_for_ever() -> None:
    # Never change these: splits, caches and the comparison of models rest on them.
    columns = {
        "b": pa.array([1.5, None, -0.0], pa.float32()),
        "a": pa.array([1, 2, None], pa.int64()),
        "c": pa.array(["left", None, "ü"], pa.string()),
    }
    assert [f"{value:016x}" for value in row_ids(columns, 3)] == ROW_IDS
    assert [f"{value:016x}" for value in row_ids({"a": pa.array([b"\x00\x01"], pa.binary())}, 1)] == [PIXELS_ID]


ROW_IDS = ["35819cf5e75f98bb", "0a505ebaa92ff1c5", "3cd18121070282f1"]
PIXELS_ID = "b30add599860ed6c"


def test_minus_zero_is_zero_and_missing_is_neither() -> None:
    zero, minus, missing = value_bits(pa.array([0.0, -0.0, None], pa.float32()))
    assert zero == minus == 0
    assert missing != 0


def test_a_row_is_the_same_from_every_format() -> None:
    features = [WEIGHT, POWER, ORIGIN, SIDE]
    text = batch(weight=["3504", "3.7"], power=["", "1e2"], origin=["1", "Japan"], side=["left", ""])
    frame = pd.DataFrame(
        {"weight": [3504, 3.7], "power": [None, 100.0], "origin": [1.0, 3.0], "side": ["left", None]}
    ).astype({"side": "category"})
    typed = batch(**{name: pa.Array.from_pandas(frame[name]) for name in frame})
    single = batch(
        weight=pa.array([3504, 3.7], pa.float32()),
        power=pa.array([None, 100], pa.int8()),
        origin=pa.array([1, 3], pa.uint8()),
        side=pa.array(["left", None], pa.large_string()),
    )
    assert len({check(features, None, form).ids.tobytes() for form in (text, typed, single)}) == 1
    other = check(features[::-1], None, text)
    assert other.ids.tolist() == check(features, None, text).ids.tolist()


def test_a_boolean_is_the_same_from_every_format(tmp_path: Path) -> None:
    features = [WEIGHT, POWER, Category("new", (0, 1)), Category("sold", ("true", "false"))]
    table = {"weight": [True, False], "power": [None, True], "new": [False, True], "sold": [True, False]}
    pd.DataFrame(table).astype({"power": "boolean"}).to_parquet(tmp_path / "cars.parquet")
    lines = [json.dumps(dict(zip(table, row, strict=True))) for row in zip(*table.values(), strict=True)]
    (tmp_path / "cars.jsonl").write_text("\n".join(lines))
    ids = []
    for name in ("cars.parquet", "cars.jsonl"):
        [found] = read_file(str(tmp_path / name), list(table), [])
        rows = check(features, None, found)
        assert {column: values.to_pylist() for column, values in rows.columns.items()} == {
            "weight": [1.0, 0.0], "power": [None, 1.0], "new": [0, 1], "sold": ["true", "false"],
        }  # fmt: skip
        ids.append(rows.ids.tolist())
    assert ids[0] == ids[1]


def test_a_boolean_among_numbers_is_one_of_them(tmp_path: Path) -> None:
    (tmp_path / "cars.jsonl").write_text('{"weight": 3.5}\n{"weight": true}\n{"weight": 2}\n{"weight": false}\n')
    [found] = read_file(str(tmp_path / "cars.jsonl"), ["weight"], [])
    assert check([WEIGHT], None, found).columns["weight"].to_pylist() == [3.5, 1.0, 2.0, 0.0]


def test_the_label_is_no_part_of_the_identity() -> None:
    rows = check([POWER], Number("y"), batch(power=["1", "1"], y=["1", "2"]))
    assert rows.ids[0] == rows.ids[1]


def test_a_million_rows_have_a_million_ids_and_fall_into_their_shares() -> None:
    ids = row_ids({"a": pa.array(np.arange(1_000_000, dtype=np.float32))}, 1_000_000)
    assert len(np.unique(ids)) == 1_000_000
    shares = np.bincount(splits_of(ids, (0.64, 0.16, 0.20))) / 1_000_000
    np.testing.assert_allclose(shares, [0.64, 0.16, 0.20], atol=0.002)


def test_shares_at_their_ends() -> None:
    ids = np.array([0, 2**64 - 1], np.uint64)
    assert splits_of(ids, (1.0, 0.0, 0.0)).tolist() == [0, 0]
    assert splits_of(ids, (0.64, 0.16, 0.0)).tolist() == [0, 1]
    assert splits_of(ids, (0.5, 0.0, 0.5)).tolist() == [0, 2]


@pytest.mark.parametrize("digits", ["\u0661", "\uff11", "\u0967", "1_0"])
def test_digits_are_those_of_ascii_in_every_kind_of_column(digits: str) -> None:
    assert sentences(one(WEIGHT, digits)) == [f"weight is not a number: {digits!r}"]
    assert sentences(one(ORIGIN, digits)) == [f"origin is not an integer: {digits!r}"]


def test_a_column_of_lists_has_no_single_values() -> None:
    for feature in (WEIGHT, ORIGIN, SIDE, REVIEW):
        assert len(one(feature, ["left"], ["1", "2"]).rejected) == 2
