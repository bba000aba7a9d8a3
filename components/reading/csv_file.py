"""CSV: a header, any column order, quoted line ends; a line with the wrong number of fields is set aside."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv

from components.examples.rejected import Rejected, SetAside
from components.reading.line_boundaries import RETURN, Block, Blocks, Broken, Span, quoted_spans
from components.reading.raw_batch import Batch, broken, find_columns
from tasks import InputError

DELIMITERS = ",;\t|"
WRONG_NUMBER = "wrong number of fields"


def read_csv(
    stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str], within: Span | None = None
) -> Iterator[Batch]:
    rows = Blocks(stream, within.end if within and not within.begin else None)
    delimiter = rows.delimiter = _delimiter(rows, source, needed)
    header: list[str] = []
    wanted: list[str] = []
    for block in rows:
        if not header:
            block, header = _header(block, source, delimiter)
            wanted = find_columns(source, header, needed, optional)
            if within and within.begin:
                rows.jump(within)
                continue
        if isinstance(block, Broken):
            yield broken(source, block)
        elif block.ends.size:
            yield _batch(block, source, delimiter, header, wanted)


def csv_spans(stream: BinaryIO, source: str, needed: Sequence[str], size: int) -> list[Span]:
    rows = Blocks(stream)
    rows.delimiter = _delimiter(rows, source, needed)
    return list(rows.spans(size))


def _delimiter(rows: Blocks, source: str, needed: Sequence[str]) -> str:
    """The delimiter under which the first line that is not blank names most of the needed columns."""
    rows.skip_mark()
    rows.skip_blank_lines()
    start = rows.first_line()
    if start[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InputError(f"{source} is UTF-16 text. Expected UTF-8; save it again as 'CSV UTF-8'.")
    if start.lstrip()[:1] in (b"{", b"["):
        raise InputError(f"{source} holds JSON, not CSV. Expected a first line that names the columns.")
    if not start.strip():
        raise InputError(f"{source} is empty. Expected a first line that names the columns, and rows.")
    line = start.decode("utf-8", errors="replace")
    return max(DELIMITERS, key=lambda mark: len(set(field_names(line, mark)) & set(needed)))


def field_names(line: str, delimiter: str) -> list[str]:
    """What a header's line says with this delimiter."""
    found = csv.reader([line], delimiter=delimiter, skipinitialspace=True)
    try:
        return [name.strip() for name in next(found, [])]
    except csv.Error:  # a quote that stays open, or a name without end
        return []


def _header(block: Block | Broken, source: str, delimiter: str) -> tuple[Block, list[str]]:
    """The names in the first line that is not blank, and the block without it."""
    unreadable = InputError(f"{source} has a first line that cannot be read. Expected the names of the columns.")
    if isinstance(block, Broken):
        raise unreadable
    at = int((~_blank(block)).argmax())
    names = field_names(block.text(at), delimiter)
    if not names:
        raise unreadable
    behind = int(block.ends[at]) + 1
    starts, ends = block.starts[at + 1 :] - behind, block.ends[at + 1 :] - behind
    return Block(block.data[behind:], starts, ends, block.lines[at + 1 :]), names


def _blank(block: Block) -> np.ndarray:
    length = block.ends - block.starts
    array = np.frombuffer(block.data, np.uint8)
    return (length == 0) | ((length == 1) & (array[block.starts] == RETURN))


def _batch(block: Block, source: str, delimiter: str, header: list[str], wanted: list[str]) -> Batch:
    at = [header.index(name) for name in wanted]
    whole = ~_blank(block)
    aside: tuple[SetAside, ...] = ()
    try:
        table = _parse(block.data, delimiter, len(header), at).filter(pa.array(whole))
    except (pa.ArrowInvalid, UnicodeDecodeError):
        fields = _count_fields(block, delimiter)
        wrong = np.flatnonzero(whole & (fields != len(header)))
        aside = (
            SetAside(
                WRONG_NUMBER,
                block.lines[wrong],
                lambda at: _wrong(block, source, int(wrong[at]), int(fields[wrong[at]]), len(header)),
            ),
        )
        whole &= fields == len(header)
        table = _parse(_only(block, whole), delimiter, len(header), at)
    found = np.flatnonzero(whole)
    if table.num_rows != len(found):
        raise InputError(
            f"{source} cannot be read as CSV near line {block.lines[0]}: expected {len(found)} rows in the lines from "
            f"there, received {table.num_rows}."
        )
    return Batch(
        columns={name: _one(column) for name, column in zip(wanted, table.columns, strict=True)},
        numbers=block.lines[found],
        source=source,
        unit="line",
        raw=lambda index: block.text(found[index]),
        aside=aside,
    )


def _parse(data: bytes, delimiter: str, width: int, wanted: list[int]) -> pa.Table:
    """The wanted columns as unchecked strings."""
    names = [str(index) for index in range(width)]
    chosen = [names[index] for index in wanted]
    if not data:
        return pa.table({name: pa.array([], pa.string()) for name in chosen})
    return pa_csv.read_csv(
        pa.BufferReader(data),
        pa_csv.ReadOptions(column_names=names, use_threads=False, block_size=len(data) + 1),
        pa_csv.ParseOptions(delimiter=delimiter, newlines_in_values=True, ignore_empty_lines=False),
        pa_csv.ConvertOptions(
            column_types=dict.fromkeys(chosen, pa.string()), include_columns=chosen, check_utf8=False
        ),
    )


def _count_fields(block: Block, delimiter: str) -> np.ndarray:
    array = np.frombuffer(block.data, np.uint8)
    marks = np.flatnonzero(array == ord(delimiter))
    if b'"' in block.data:
        opens, closes, _ = quoted_spans(block.data, array, ord(delimiter))
        inside = np.searchsorted(opens, marks) - 1
        marks = marks[(inside < 0) | (marks > closes[inside])] if opens.size else marks
    counts: np.ndarray = np.searchsorted(marks, block.ends) - np.searchsorted(marks, block.starts) + 1
    return counts


def _only(block: Block, rows: np.ndarray) -> bytes:
    spans = zip(block.starts[rows].tolist(), block.ends[rows].tolist(), strict=True)
    return b"".join(block.data[start : end + 1] for start, end in spans)


def _wrong(block: Block, source: str, index: int, fields: int, width: int) -> Rejected:
    line = int(block.lines[index])
    received = f"{fields} instead of {width}"
    return Rejected(line, f"{source} line {line}", WRONG_NUMBER, received, block.text(index))


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks or [pa.array([], column.type)])
