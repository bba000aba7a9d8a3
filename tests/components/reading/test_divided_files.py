"""A large file read in spans gives the rows of the file read as a whole, wherever it is cut."""

from __future__ import annotations

import gzip
import random
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.reading import find_files, line_boundaries
from components.reading.find_files import FilePart, divided, read_file

NAMES = ["a", "b"]
# Each kind of row, good and bad; some of them over several lines.
PIECES = (
    b"1,2", b"", b'"x\ny",3', b'"he said ""no""\r\n\r\n",4', b"5", b"6,7,8", b'9"9,10', b'11,"\n\n\n"', b"12,\xc3\xa9",
    b"13,\xff", b'"",""', b"14,a" + b"b" * 90,
)  # fmt: skip
BREAKS = (b"\n", b"\r\n", b"\r")


def rows(path: Path, part: FilePart) -> list[tuple[object, ...]]:
    found: list[tuple[object, ...]] = []
    for batch in read_file(str(path), NAMES, span=part.span):
        columns = [column(batch.columns.get(name, pa.array([], pa.string()))) for name in NAMES]
        found += zip(batch.numbers.tolist(), *columns, strict=True)
        found += [(row.number, row.position, row.sentence, row.row) for row in batch.rejected]
    return sorted(found, key=lambda row: (row[0], len(row)))


def column(values: pa.Array) -> list[object]:
    text = pa.types.is_string(values.type)  # which is not checked yet, so it may hold anything
    return (values.view(pa.binary()) if text else values).to_pylist()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Sizes of a few rows in place of megabytes."""
    monkeypatch.setattr(find_files, "LARGE", 1)
    return monkeypatch


@pytest.mark.parametrize("seed", range(60))
def test_csv_in_spans_is_csv_as_a_whole(small: pytest.MonkeyPatch, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    lines = [chance.choice(PIECES) for _ in range(chance.randrange(1, 60))]
    end = chance.choice(BREAKS)
    mark, blank = chance.choice([b"", b"\xef\xbb\xbf"]), end * chance.choice([0, 0, 3])
    content = mark + blank + b"b,c,a" + end + end.join(b"0," + line for line in lines) + end * chance.randrange(2)
    if chance.random() < 0.2:
        content += b'77,"never closed' + end + b"78,79,80" + end
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    whole = rows(path, FilePart(name=str(path)))
    small.setattr(line_boundaries, "BLOCK", chance.randrange(20, 200))
    for size in (1, 30, 200, 10_000):
        small.setattr(find_files, "SPAN_BYTES", size)
        parts = divided(FilePart(name=str(path), version="v"), NAMES)
        assert [row for part in parts for row in rows(path, part)] == whole, (size, [part.span for part in parts])
        assert {part.version for part in parts} == {"v"}


@pytest.mark.parametrize("seed", range(20))
def test_json_lines_in_spans(small: pytest.MonkeyPatch, tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    pieces = ['{"a": 1, "b": "x"}', '{"b": "é\\n"}', "", "no object", "[1]", '{"a": 2, "b": null, "c": 3}', "{"]
    lines = ['{"a": 0, "b": "0"}', *(chance.choice(pieces) for _ in range(chance.randrange(60)))]
    path = tmp_path / "x.jsonl"
    path.write_text(chance.choice(["\n", "\r\n"]).join(lines), newline="")
    whole = rows(path, FilePart(name=str(path)))
    small.setattr(line_boundaries, "BLOCK", chance.randrange(20, 200))
    for size in (1, 50, 10_000):
        small.setattr(find_files, "SPAN_BYTES", size)
        parts = divided(FilePart(name=str(path)), NAMES)
        # Where a block has no value for a column, the column has another type: the values are the same.
        read = [row for part in parts for row in rows(path, part)]
        assert [tuple(map(str, row)) for row in read] == [tuple(map(str, row)) for row in whole]


def test_parquet_by_row_groups(small: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"a": list(range(100)), "b": list("xy" * 50)}), path, row_group_size=9)
    whole = rows(path, FilePart(name=str(path)))
    for size, count in ((1, 12), (10**9, 1)):
        small.setattr(find_files, "SPAN_BYTES", size)
        parts = divided(FilePart(name=str(path)), NAMES)
        assert len(parts) == count
        assert [row for part in parts for row in rows(path, part)] == whole


def test_what_stays_whole(small: pytest.MonkeyPatch, tmp_path: Path) -> None:
    small.setattr(find_files, "SPAN_BYTES", 10)
    small.setattr(line_boundaries, "BLOCK", 12)
    content = b"a,b\n" + b"1,2\n" * 50
    (tmp_path / "x.csv.gz").write_bytes(gzip.compress(content))
    (tmp_path / "x.csv").write_bytes(content)
    assert len(divided(FilePart(name=str(tmp_path / "x.csv.gz")), NAMES)) == 1
    assert len(divided(FilePart(name=str(tmp_path / "x.csv")), NAMES)) > 10
    small.setattr(find_files, "LARGE", 1000)
    assert divided(FilePart(name=str(tmp_path / "x.csv")), NAMES) == [FilePart(name=str(tmp_path / "x.csv"))]
