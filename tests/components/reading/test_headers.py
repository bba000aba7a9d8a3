"""A file's own header, where it is no name of a feature."""

from __future__ import annotations

import io
from pathlib import Path

import pandas as pd
import pytest

from components.reading.find_files import FilePart
from components.reading.headers import asked, renamed
from components.reading.source_rows import part_batches
from tasks import Bar, InputError, Model, Number, Part, Task, Text, Train

COLUMNS = (
    Number("bill_mm", column="Bill length (mm)"),
    Number("mass"),
    Text("note", column="Note", when_missing="keep"),
)


def read(path: Path, content: str | bytes) -> dict[str, list[object]]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    (batch,) = part_batches(FilePart(name=str(path)), COLUMNS)
    return {name: values.to_pylist() for name, values in batch.columns.items()}


def parquet(frame: pd.DataFrame) -> bytes:
    out = io.BytesIO()
    frame.to_parquet(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", "Note;mass;Bill length (mm)\nlame;4;1.5\n"),
        ("x.csv", "bill_mm,note,mass\n1.5,lame,4\n"),
        ("x.jsonl", '{"Bill length (mm)": "1.5", "mass": "4", "note": "lame"}\n'),
        ("x.parquet", parquet(pd.DataFrame({"Bill length (mm)": ["1.5"], "mass": ["4"], "Note": ["lame"]}))),
    ],
)
def test_either_name_will_do(tmp_path: Path, name: str, content: str | bytes) -> None:
    assert read(tmp_path / name, content) == {"mass": ["4"], "bill_mm": ["1.5"], "note": ["lame"]}


def test_a_line_of_json_may_have_either() -> None:
    frames = [pd.DataFrame({"Bill length (mm)": [1.5, None], "bill_mm": [None, 2.5], "mass": [1, 2], "Note": ["", ""]})]
    (batch,) = part_batches(Part(name="frames", read=lambda: frames), COLUMNS)
    assert batch.columns["bill_mm"].to_pylist() == [1.5, 2.5]


def test_neither_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.csv has no column 'Bill length \(mm\)', nor 'bill_mm', and it is needed"):
        read(tmp_path / "x.csv", "mass,Note\n4,lame\n")


def test_what_may_be_absent_may_be_absent_under_both_names() -> None:
    needed, optional = asked(COLUMNS, ["note"])
    assert needed == ["Bill length (mm)", "bill_mm", "mass", "Note", "note"]
    assert "mass" not in optional
    assert list(renamed([], COLUMNS, ["note"])) == []


@pytest.mark.parametrize(
    ("features", "sentence"),
    [
        ((Number("a", column="b"), Number("b")), "No two columns can be called the same in a file.*Received: 'b'"),
        ((Number("a", column="X"), Number("b", column="X")), "Received: 'X'"),
    ],
)
def test_two_columns_cannot_be_called_the_same(features: tuple[Number, ...], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        Task(
            about="", features=features, label=Number("y"), sample=lambda: (), preprocess=lambda features: features,
            models={"mlp": Model(lambda: None, Train(epochs=1))}, gate=(Bar("mae", 1.0),),
        )  # fmt: skip


def test_a_header_is_text_without_blanks_around_it() -> None:
    with pytest.raises(ValueError, match=r"Number 'a': column is what files call it.*Received: ' b'\."):
        Number("a", column=" b")
