from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import random
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from loopback import answering

from components.examples import encode, tfrecord
from components.examples.rejected import told
from components.reading import line_boundaries, tfrecord_file
from components.reading.check_rows import check
from components.reading.data_frames import read_frames
from components.reading.find_files import file_parts, read_file
from components.reading.raw_batch import Batch
from components.reading.standard_input import read_stream
from tasks import Category, Feature, InputError, Number, Text

NAMES = ["a", "b"]


def read(path: Path, content: bytes, needed: list[str] = NAMES) -> list[Batch]:
    path.write_bytes(content)
    return list(read_file(str(path), needed))


def rows_of(batches: list[Batch]) -> list[tuple[object, ...]]:
    """Each row's number and values."""
    found = []
    for batch in batches:
        values = [
            column.cast(pa.binary()).to_pylist() if column.type == pa.string() else column.to_pylist()
            for column in batch.columns.values()
        ]
        numbers = batch.numbers.tolist()
        found += list(zip(numbers, *values, strict=True)) if values else []
    return found


def aside_of(batches: list[Batch]) -> list[tuple[int, str, str]]:
    return [(row.number, row.sentence, row.row) for batch in batches for row in told(batch.no_rows())]


@pytest.mark.parametrize(
    "content",
    [
        b"a,b\n1,x\n2,y\n",
        b"a,b\n1,x\n2,y",
        b"\xef\xbb\xbfa,b\r\n1,x\r\n2,y\r\n",
        b"a,b\r1,x\r2,y\r",
        b' a , "b"\n1,x\n"2","y"\n',
        b"a;b\n1;x\n2;y\n",
        b"a\tb\n1\tx\n2\ty\n",
        b"c,b,d,a\n9,x,9,1\n9,y,9,2\n",
    ],
)
def test_csv_in_its_many_forms(tmp_path: Path, content: bytes) -> None:
    assert rows_of(read(tmp_path / "x.csv", content)) == [(2, b"1", b"x"), (3, b"2", b"y")]
    assert rows_of(read(tmp_path / "x.csv.gz", gzip.compress(content))) == [(2, b"1", b"x"), (3, b"2", b"y")]


def test_lines_are_counted_as_an_editor_counts_them(tmp_path: Path) -> None:
    content = b'\n\na,b\n1,"x\ny"\n\n2,z\n3\n4,"p ""q""\r\n",5\n"5","w"\n'
    batches = read(tmp_path / "x.csv", content)
    assert rows_of(batches) == [(4, b"1", b"x\ny"), (7, b"2", b"z"), (11, b"5", b"w")]
    assert aside_of(batches) == [
        (8, "wrong number of fields: 1 instead of 2", "3"),
        (9, "wrong number of fields: 3 instead of 2", '4,"p ""q""\r\n",5'),
    ]
    assert batches[0].text(0) == '1,"x\ny"'
    assert told(batches[0].no_rows())[0].position == f"{tmp_path}/x.csv line 8"


@pytest.mark.parametrize(
    ("content", "rows", "aside"),
    [
        (b'a,b\n1,"x\n2,y\n3,z\n', [(3, b"2", b"y"), (4, b"3", b"z")], [(2, '1,"x')]),
        (b'a,b\n1,x"y\n2,5\'10"\n', [(2, b"1", b'x"y'), (3, b"2", b"5'10\"")], []),
        (b'a,b\n1,"x"y"\n2,z\n', [(2, b"1", b'xy"'), (3, b"2", b"z")], []),
        (b"a,b\n\x001,\x00\n", [(2, b"\x001", b"\x00")], []),
        (b"a,b\n1,\xff\n\xfe\n2,y\n", [(2, b"1", b"\xff"), (4, b"2", b"y")], [(3, "\\xfe")]),
        (b"a,b\n,\n,,,\n", [(2, b"", b"")], [(3, ",,,")]),
        (b"a,b\n1,x\r\r\n2,y\n", [(2, b"1", b"x"), (4, b"2", b"y")], []),
        (b"a,b\n" + b"1,2,3\n" * 3, [], [(2, "1,2,3"), (3, "1,2,3"), (4, "1,2,3")]),
        (b"a,b\n", [], []),
        (b'a,b\n1,""""\n', [(2, b"1", b'"')], []),
        (b'a,b\n1,"\n', [], [(2, '1,"')]),
    ],
)
def test_hostile_csv_loses_no_line(
    tmp_path: Path, content: bytes, rows: list[object], aside: list[tuple[int, str]]
) -> None:
    batches = read(tmp_path / "x.csv", content)
    assert rows_of(batches) == rows
    assert [(number, row) for number, _, row in aside_of(batches)] == aside


def test_rows_across_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    content = b'a,b\r\n1,"x\r\ny"\r\n"2",""\r\n3,"a""b"\r\n4,"unclosed\r\n5,z\r\n'
    whole = read(tmp_path / "x.csv", content)
    for size in (1, 2, 3, 5, 7):
        monkeypatch.setattr(line_boundaries, "BLOCK", size)
        blocks = read(tmp_path / "x.csv", content)
        assert rows_of(blocks) == rows_of(whole)
        assert aside_of(blocks) == aside_of(whole) == [(6, "a quote opens that is never closed", '4,"unclosed')]
    monkeypatch.setattr(line_boundaries, "LONGEST", 6)
    assert [number for number, _, _ in aside_of(read(tmp_path / "x.csv", b"a,b\n1,x\n" + b"9" * 99 + b"\n2,y\n"))] == [
        3
    ]
    assert rows_of(read(tmp_path / "x.csv", b"a,b\n1,x\n" + b"9" * 99 + b"\n2,y\n")) == [
        (2, b"1", b"x"),
        (4, b"2", b"y"),
    ]


def test_a_field_of_20_mib_is_set_aside_and_the_next_line_is_read(tmp_path: Path) -> None:
    batches = read(tmp_path / "x.csv", b"a,b\n1," + b"x" * (20 << 20) + b"\n2,y\n")
    assert rows_of(batches) == [(3, b"2", b"y")]
    assert [sentence for _, sentence, _ in aside_of(batches)] == ["the line is longer than 16 MiB"]


def test_ten_thousand_columns(tmp_path: Path) -> None:
    header = ",".join(["a", "b", *(f"c{i}" for i in range(9998))]).encode()
    assert rows_of(read(tmp_path / "x.csv", header + b"\n1,x" + b"," * 9998 + b"\n")) == [(2, b"1", b"x")]


def test_random_csv_is_read_as_pythons_own_module_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    generator = random.Random(0)
    for block in (7, 64, 1 << 20):
        monkeypatch.setattr(line_boundaries, "BLOCK", block)
        for _ in range(60):
            table = [
                ["".join(generator.choices('xy", \n;', k=generator.randrange(6))) for _ in NAMES] for _ in range(9)
            ]
            text = io.StringIO()
            csv.writer(text, quoting=generator.choice([csv.QUOTE_ALL, csv.QUOTE_MINIMAL])).writerows([NAMES, *table])
            found = rows_of(read(tmp_path / "x.csv", text.getvalue().encode()))
            assert [[a.decode(), b.decode()] for _, a, b in found] == table  # type: ignore[attr-defined]


def test_random_bytes_never_crash_and_every_line_is_accounted_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    generator = random.Random(1)
    for _ in range(400):
        monkeypatch.setattr(line_boundaries, "BLOCK", generator.choice([5, 1 << 20]))
        body = bytes(generator.choices(b'1x,,,"""\n\n\n\r\x00\xff ', k=generator.randrange(60)))
        batches = read(tmp_path / "x.csv", b"a,b\n" + body)
        seen = [number for batch in batches for number in batch.numbers] + [n for n, _, _ in aside_of(batches)]
        assert len(seen) == len(set(seen))
        lines = body.replace(b"\r\n", b"\n").replace(b"\r", b"\n").split(b"\n")
        starts = {number for number, line in enumerate(lines, 2) if line}
        assert set(seen) <= starts
        if b'"' not in body:
            assert set(seen) == starts


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.csv", b"", "is empty"),
        ("x.csv", b"\n\n", "is empty"),
        ("x.csv.gz", gzip.compress(b"", mtime=0), "is empty"),
        ("x.csv.gz", gzip.compress(b"a,b\n1,2\n" * 99, mtime=0)[:-20], "is damaged or cut off"),
        ("x.csv", b"a,c\n1,2\n", "has no column 'b', and it is needed. Found: 'a', 'c'."),
        ("x.csv", b"a,B\n1,2\n", "Did you mean"),
        ("x.csv", b"18.0,8\n1,2\n", "has no columns 'a', 'b', and they are needed. Found: '18.0', '8'."),
        ("x.csv", b"a,b,a\n1,2,3\n", "has 2 columns named 'a'"),
        ("x.csv", b'{"a": 1}\n', "holds JSON, not CSV"),
        ("x.csv", "a,b\n1,2\n".encode("utf-16"), "is UTF-16 text"),
        ("x.csv", b"PAR1....", "is a Parquet file, which its ending does not say"),
        ("x.csv", b"PK\x03\x04....", "is a zip archive or a spreadsheet"),
        ("x.csv", b'"a,b\n1,2\n', "has a first line that cannot be read"),
        ("x.csv", b"a,b" + b"x" * 200_000 + b"\n", "has"),
        ("x.parquet", b"a,b\n1,2\n", "is not a Parquet file"),
        ("x.parquet", b"PAR1 and no more", "cannot be read as Parquet"),
        ("x.jsonl", b"a,b\n1,2\n", "does not hold JSON lines"),
        ("x.json", b'[{"a": 1}]', "does not hold JSON lines"),
        ("x.jsonl", b'{"a": 1, "c": 2}\n', "has no column 'b'"),
        ("x.jsonl", b"\n", "is empty"),
        ("x.tfrecord", b"a,b\n1,2\n1,2\n1,2\n", "record 1 has no valid length"),
        ("x.tfrecord", tfrecord.framed([b"\x0a\x00"])[:-2], "the file ends within record 1"),
        ("x.tfrecord", tfrecord.framed([b"\x0a\x00"]), "has no columns 'a', 'b'"),
        ("x.txt", b"a,b\n1,2\n", "has an ending that says no known format"),
    ],
)
def test_what_cannot_be_read_is_told(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message.replace(".", "\\.").replace("[", "\\[")):
        read(tmp_path / name, content)


def test_files_by_path_and_glob(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for day in (2, 1):
        (tmp_path / f"day={day}").mkdir()
        (tmp_path / f"day={day}" / "cars.csv").write_text(f"a,b\n{day},x\n")
    (tmp_path / "cars[1].csv").write_text("a,b\n1,x\n")
    monkeypatch.chdir(tmp_path)
    assert [part.name for part in file_parts("day=*/*.csv")] == ["day=1/cars.csv", "day=2/cars.csv"]
    assert [part.name for part in file_parts(f"{tmp_path}/**/cars.csv")] == [
        f"{tmp_path}/day=1/cars.csv",
        f"{tmp_path}/day=2/cars.csv",
    ]
    [part] = file_parts("cars[1].csv")
    assert part.version == hashlib.sha256(b"a,b\n1,x\n").hexdigest()
    first = file_parts("day=1/cars.csv")[0].version
    (tmp_path / "day=1" / "cars.csv").write_text("a,b\n1,y\n")
    assert file_parts("day=1/cars.csv")[0].version != first
    for wrong, message in {
        "none.csv": "There is no file 'none.csv'",
        "day=*/*.parquet": "No file matches 'day=*/*.parquet'",
        "day=1": "day=1 is a directory. Expected files: a glob such as 'day=1/*.csv'",
        "nothing://x/*.csv": "nothing://x/\\*.csv cannot be read",
    }.items():
        with pytest.raises(InputError, match=message.replace("*/*", ".*").replace("/*.csv'", "/.*csv'")):
            file_parts(wrong)


def test_files_of_a_remote_file_system() -> None:
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe({"/bucket/day=1/cars.csv": b"a,b\n1,x\n", "/bucket/day=2/cars.csv.gz": gzip.compress(b"a,b\n2,y\n")})
    parts = file_parts("memory://bucket/day=*/cars*")
    assert [part.name for part in parts] == ["memory:///bucket/day=1/cars.csv", "memory:///bucket/day=2/cars.csv.gz"]
    assert all(part.version for part in parts)
    assert [rows_of(list(read_file(part.name, NAMES))) for part in parts] == [[(2, b"1", b"x")], [(2, b"2", b"y")]]


def test_json_lines(tmp_path: Path) -> None:
    lines = ['{"a": 1, "b": "x", "c": 0}', "", '{"a": 2.5}', "[1]", '{"a": "?", "b": 5}', '{"a": NaN, "b": null}', "{"]
    batches = read(tmp_path / "x.jsonl", "\n".join(lines).encode())
    assert rows_of(batches) == [(1, b"1", b"x"), (3, b"2.5", None), (5, b"?", b"5"), (6, b"NaN", None)]
    assert [(number, row) for number, _, row in aside_of(batches)] == [(4, "[1]"), (7, "{")]
    assert aside_of(batches)[0][1] == "the line is not a JSON object: list"
    [batch] = read(tmp_path / "x.jsonl", b'{"a": 1, "b": 1.5}\n{"a": 2}\n')
    assert [batch.columns["a"].to_pylist(), batch.columns["b"].to_pylist()] == [[1, 2], [1.5, None]]
    [batch] = read(
        tmp_path / "x.jsonl", b'{"a": 99999999999999999999, "b": "\\ud800"}\n{"a": 1, "b": {"b64": "eA=="}}\n'
    )
    assert batch.columns["a"].to_pylist() == ["99999999999999999999", "1"]
    assert batch.columns["b"].cast(pa.binary()).to_pylist() == [b"\xed\xa0\x80", None]
    assert batch.composites == {"b": {1: {"b64": "eA=="}}}
    deep = b'{"a": ' + b"[" * 100_000 + b"\n"
    assert aside_of(read(tmp_path / "x.jsonl", b'{"a": 1, "b": 1}\n' + deep))[0][0] == 2


def test_parquet(tmp_path: Path) -> None:
    table = pa.table({"b": ["x", None, "z"], "c": [1, 2, 3], "a": pa.array([1, 2, 3], pa.int8())})
    pq.write_table(table, tmp_path / "x.parquet", row_group_size=2)
    batches = list(read_file(str(tmp_path / "x.parquet"), NAMES))
    assert rows_of(batches) == [(1, 1, b"x"), (2, 2, None), (3, 3, b"z")]
    assert batches[0].text(0) == '{"a": 1, "b": "x"}'


def test_tfrecords(tmp_path: Path) -> None:
    import numpy as np

    columns = {"a": pa.array([1.5, None], pa.float32()), "b": pa.array(["x", "y"]), "c": pa.array([1, 2])}
    good = encode.encode(columns, np.array([1, 2], np.uint64))
    batches = read(tmp_path / "x.tfrecord", tfrecord.framed(good))
    assert rows_of(batches) == [(1, 1.5, b"x"), (2, None, b"y")]
    other = encode.encode({"a": pa.array(["?"]), "b": pa.array([7])}, np.array([3], np.uint64))
    batches = read(tmp_path / "x.tfrecord.gz", gzip.compress(tfrecord.framed([*good, b"no example", *other])))
    assert [(number, reason) for number, reason, _ in aside_of(batches)] == [(3, "the record is not a tf.Example")]
    assert [row[0] for row in rows_of(batches)] == [1, 2, 4]


def test_data_frames() -> None:
    frames = [pd.DataFrame({"b": ["x", 1], "a": [1, 2]}), pd.DataFrame({"a": [3.5], "b": [b"\xff"], "c": [0]})]
    batches = list(read_frames(iter(frames), "rows", NAMES))
    assert rows_of(batches) == [(1, 1, b"x"), (2, 2, b"1"), (3, 3.5, b"\xff")]
    with pytest.raises(InputError, match="rows has no column 'b'"):
        list(read_frames([pd.DataFrame({"a": [1]})], "rows", NAMES))


@pytest.mark.parametrize("compress", [bytes, gzip.compress])
def test_standard_input_tells_its_format_by_how_it_begins(compress: object) -> None:
    table = io.BytesIO()
    pq.write_table(pa.table({"a": ["1"], "b": ["x"]}), table)
    for content in (b"a,b\n1,x\n", b'{"a": "1", "b": "x"}\n', table.getvalue()):
        [batch] = read_stream(io.BytesIO(compress(content)), NAMES)  # type: ignore[operator]
        assert [column.to_pylist() for column in batch.columns.values()] == [["1"], ["x"]]
    with pytest.raises(InputError, match="standard input is empty"):
        list(read_stream(io.BytesIO(b""), NAMES))


def test_optional_columns_may_be_absent() -> None:
    [batch] = read_stream(io.BytesIO(b"a\n1\n"), NAMES, optional=["b"])
    assert list(batch.columns) == ["a"]
    with pytest.raises(InputError, match="has none of the columns a, b"):
        list(read_stream(io.BytesIO(b"c\n1\n"), NAMES, optional=NAMES))


def test_a_file_that_grows_while_it_is_read_stops_the_run(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("a,b\n1,x\n")
    batches = read_file(str(path), NAMES)
    next(batches)
    path.write_text("a,b\n1,x\n2,y\n")
    with pytest.raises(RuntimeError, match="was changed while it was read"):
        list(batches)


def test_rows_show_bytes_as_json_can_hold_them() -> None:
    [batch] = read_frames([pd.DataFrame({"a": [b"\x00\xff"], "b": [1.5]})], "rows", NAMES)
    assert json.loads(batch.text(0)) == {"a": {"b64": "AP8="}, "b": 1.5}
    broken = pa.array([b"\xff"], pa.binary()).cast(pa.string(), safe=False)
    assert Batch(columns={"a": broken}, numbers=batch.numbers, source="x").text(0) == '{"a": {"b64": "/w=="}}'


class _Web(BaseHTTPRequestHandler):
    """Serves one table, with a tag or without."""

    content, tag = b"a,b\n1,2\n", ""

    def log_message(self, *_: object) -> None:
        pass

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(self.content)))
        if self.tag:
            self.send_header("ETag", self.tag)
        self.end_headers()

    def do_GET(self) -> None:
        self.do_HEAD()
        self.wfile.write(self.content)


@pytest.mark.parametrize("tags", [("", ""), ('"1"', '"2"')])
def test_new_content_at_the_same_address_is_noticed(tags: tuple[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    with answering(ThreadingHTTPServer(("127.0.0.1", 0), _Web)) as server:
        url = f"http://127.0.0.1:{server.server_address[1]}/cars.csv"
        monkeypatch.setattr(_Web, "tag", tags[0])
        (first,), (again,) = file_parts(url), file_parts(url)
        monkeypatch.setattr(_Web, "tag", tags[1])
        monkeypatch.setattr(_Web, "content", b"a,b\n1,3\n")
        (other,) = file_parts(url)
    assert first.version == again.version != other.version


@pytest.mark.parametrize("damage", [b'{"a": 1, "b', b"\0\0\0", b"<html>", b"[1, 2]", b'{"a": 1} {"b": 2}'])
def test_a_damaged_json_line_is_set_aside_wherever_it_stands(tmp_path: Path, damage: bytes) -> None:
    good = [b'{"a": 1, "b": "x"}', b'{"a": 2, "b": "y"}']
    for at in (0, 1, 2):
        lines = [*good[:at], damage, *good[at:]]
        batches = read(tmp_path / "x.jsonl", b"\n".join(lines))
        assert [values[1:] for values in rows_of(batches)] == [(1, b"x"), (2, b"y")]
        assert [number for number, _, _ in aside_of(batches)] == [at + 1]


@pytest.mark.parametrize("blank", [b"\n", b"\r\n", b"\r"])
@pytest.mark.parametrize("block", [7, 1 << 20])
def test_what_comes_after_five_thousand_blank_lines_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, blank: bytes, block: int
) -> None:
    monkeypatch.setattr(line_boundaries, "BLOCK", block)
    table = [(5002, b"1", b"x"), (5003, b"2", b"y")]
    objects = b'{"a": "?", "b": "?"}\n{"a": "1", "b": "x"}\n{"a": "2", "b": "y"}\n'
    for name, content in {"x.csv": b"a,b\n1,x\n2,y\n", "x.jsonl": objects}.items():
        assert rows_of(read(tmp_path / name, blank * 5000 + content))[-2:] == table
        assert rows_of(list(read_stream(io.BytesIO(blank * 5000 + content), NAMES)))[-2:] == table


def test_a_delimiter_is_known_by_columns_that_stand_late_in_a_long_header(tmp_path: Path) -> None:
    for mark in (b";", b"\t", b","):
        header = mark.join([*(b"column_%04d" % i for i in range(900)), b"a", b"b"])
        content = header + b"\n" + mark.join([*([b"0"] * 900), b"1", b"x"]) + b"\n"
        assert rows_of(read(tmp_path / "x.csv", content)) == [(2, b"1", b"x")]


def test_files_within_an_archive_keep_their_version_and_are_found_by_glob(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.zip", "w") as archive:
        archive.writestr("one.csv", "a,b\n1,x\n")
        archive.writestr("two.csv", "a,b\n2,y\n")
    glob = f"zip://*.csv::{tmp_path}/x.zip"
    parts = file_parts(glob)
    assert [part.name for part in parts] == [f"zip://one.csv::{tmp_path}/x.zip", f"zip://two.csv::{tmp_path}/x.zip"]
    assert parts == file_parts(glob)
    assert parts[0].version != parts[1].version
    assert rows_of([batch for part in parts for batch in read_file(part.name, NAMES)]) == [
        (2, b"1", b"x"),
        (2, b"2", b"y"),
    ]


def test_files_behind_a_cache_are_found_by_glob() -> None:
    import fsspec

    fsspec.filesystem("memory").pipe({"/cached/one.csv": b"a,b\n1,x\n", "/cached/two.csv": b"a,b\n2,y\n"})
    parts = file_parts("simplecache::memory://cached/*.csv")
    assert parts == file_parts("simplecache::memory://cached/*.csv")
    assert [rows_of(list(read_file(part.name, NAMES))) for part in parts] == [[(2, b"1", b"x")], [(2, b"2", b"y")]]


def test_a_parquet_column_whose_name_is_no_text_is_told(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1], "bb": ["x"]}), tmp_path / "x.parquet", store_schema=False)
    content = (tmp_path / "x.parquet").read_bytes().replace(b"bb", b"\xff\xfe")
    with pytest.raises(InputError, match="has a column whose name is not UTF-8"):
        read(tmp_path / "x.parquet", content)


def test_the_home_of_nobody_is_a_file_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"There is no file '~nobody-of-that-name/x\.csv'"):
        file_parts("~nobody-of-that-name/x.csv")


def test_a_file_that_is_cut_off_is_told_whatever_its_format(tmp_path: Path) -> None:
    record = tf_example(a=[b"1"], b=[b"x"])
    pq.write_table(pa.table({"a": list(range(9000)), "b": ["x"] * 9000}), tmp_path / "x.parquet")
    contents = {
        "x.csv.gz": gzip.compress(b"a,b\n" + b"1,x\n" * 9000),
        "x.jsonl.gz": gzip.compress(b'{"a": 1, "b": "x"}\n' * 9000),
        "x.tfrecord": tfrecord.framed([record] * 9000),
        "x.tfrecord.gz": gzip.compress(tfrecord.framed([record] * 9000)),
        "x.parquet": (tmp_path / "x.parquet").read_bytes(),
    }
    for name, content in contents.items():
        with pytest.raises(InputError, match=r"is damaged or cut off|cannot be read as"):
            read(tmp_path / name, content[: len(content) * 9 // 10 + 1])


def test_a_record_longer_than_any_row_is_passed_over(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tfrecord_file, "LONGEST", 1 << 20)
    records = [tf_example(a=[b"1"], b=[text]) for text in (b"x", b"x" * (5 << 20), b"z")]
    batches = read(tmp_path / "x.tfrecord.gz", gzip.compress(tfrecord.framed(records)))
    assert rows_of(batches) == [(1, b"1", b"x"), (3, b"1", b"z")]
    assert aside_of(batches) == [(2, "the record is longer than 1 MiB", "")]


def test_several_values_are_no_value(tmp_path: Path) -> None:
    records = [tf_example(a=[b"1"], b=[b"x", b"y"]), tf_example(a=[b"2"], b=[b"z"]), tf_example(a=[], b=[])]
    for more in ([], [b"damaged"]):
        [batch] = read(tmp_path / "x.tfrecord", tfrecord.framed([*records, *more]))
        rows = check([Number("a"), Text("b")], None, batch)
        assert rows.columns["b"].to_pylist() == ["z"]
        assert [row.sentence for row in rows.rejected][:2] == ['b is not one value: \'["x", "y"]\'', "a is missing"]


@pytest.mark.parametrize("value", [["x"], [], {"b": 1}, {"b64": 5}, {"b64": "eA==", "more": 1}])
@pytest.mark.parametrize("feature", [Text("b"), Category("b", ("x", "y")), Category("b", (1, 2)), Number("b")])
def test_a_list_or_an_object_is_no_value(tmp_path: Path, feature: Feature, value: object) -> None:
    [batch] = read(tmp_path / "x.jsonl", json.dumps({"a": 1, "b": value}).encode())
    [row] = check([Number("a"), feature], None, batch).rejected
    assert row.reason == "b is not one value"


def test_base64_as_serving_requests_carry_it_is_decoded(tmp_path: Path) -> None:
    values = [{"b64": "eA=="}, "y", {"b64": "?"}, {"b64": "/w=="}]
    lines = [json.dumps({"a": 1, "b": value}) for value in values]
    [batch] = read(tmp_path / "x.jsonl", "\n".join(lines).encode())
    for feature in (Text("b"), Category("b", ("x", "y"))):
        rows = check([Number("a"), feature], None, batch)
        assert rows.columns["b"].to_pylist() == ["x", "y"]
        assert [row.reason for row in rows.rejected] == ["b is not base64", "b is not UTF-8 text"]
    [row, *_] = check([Number("a"), Number("b")], None, batch).rejected
    assert row.sentence == 'b is not one value: \'{"b64": "eA=="}\''


def tf_example(**values: list[bytes]) -> bytes:
    """A tf.Example of byte strings."""

    def field(number: int, content: bytes) -> bytes:
        length, size = len(content), b""
        while length > 127:
            length, size = length >> 7, size + bytes([length & 127 | 128])
        return bytes([number << 3 | 2]) + size + bytes([length]) + content

    lists = {name: field(1, b"".join(field(1, value) for value in found)) for name, found in values.items()}
    return field(1, b"".join(field(1, field(1, name.encode()) + field(2, one)) for name, one in lists.items()))
