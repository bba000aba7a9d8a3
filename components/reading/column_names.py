"""What columns a file has, and its rows with all of them: for who does not know them yet."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from components.reading.csv_file import DELIMITERS, field_names, read_csv
from components.reading.find_files import READERS, Reader, file_names, opened, read_file
from components.reading.json_lines import read_json_lines
from components.reading.line_boundaries import Blocks
from components.reading.parquet import read_parquet
from tasks import InputError

# So many lines of JSON show every key.
LINES = 1000


def table(pattern: str, limit: int) -> tuple[pa.Table, int]:
    """The first rows of a path or glob, all columns as they are read, and how many files there are."""
    paths = file_names(pattern)
    names = column_names(paths[0])
    found: list[pa.RecordBatch] = []
    count = 0
    for path in paths:
        for batch in read_file(path, names, names):
            columns = [batch.columns.get(name, pa.nulls(len(batch))) for name in names]
            found.append(pa.record_batch(columns, names=names))
            count += len(batch)
            if count >= limit:
                return _one(found, names, limit), len(paths)
    if not count:
        raise InputError(f"{pattern} has no rows. Expected some to learn from.")
    return _one(found, names, limit), len(paths)


def column_names(path: str) -> list[str]:
    """The names of a file's columns, in its order; InputError if there are none."""
    with opened(path) as (stream, reader):
        if reader not in NAMES:
            known = ", ".join(sorted(ending for ending, reader in READERS.items() if reader in NAMES))
            raise InputError(f"The columns of {path} cannot be guessed. Expected a file of these endings: {known}.")
        names = NAMES[reader](stream)
    if not names or not any(any(letter.isalpha() for letter in name) for name in names):
        raise InputError(f"{path} does not begin with the names of its columns. Received: {', '.join(names[:5])}.")
    if twice := [name for name in names if names.count(name) > 1]:
        raise InputError(f"{path} has {names.count(twice[0])} columns named {twice[0]!r}. Expected one of each name.")
    return names


def _of_csv(stream: BinaryIO) -> list[str]:
    rows = Blocks(stream)
    rows.skip_mark()
    rows.skip_blank_lines()
    line = rows.first_line().decode("utf-8", errors="replace")
    return max((field_names(line, mark) for mark in DELIMITERS), key=len)


def _of_json_lines(stream: BinaryIO) -> list[str]:
    names: dict[str, None] = {}
    for line, _ in zip(stream, range(LINES), strict=False):
        try:
            names |= dict.fromkeys(map(str, json.loads(line)))
        except (ValueError, TypeError):
            continue
    return list(names)


def _of_parquet(stream: BinaryIO) -> list[str]:
    return list(pq.ParquetFile(stream).schema_arrow.names)


NAMES: dict[Reader, Callable[[BinaryIO], list[str]]] = {
    read_csv: _of_csv,
    read_json_lines: _of_json_lines,
    read_parquet: _of_parquet,
}


def _one(batches: list[pa.RecordBatch], names: list[str], limit: int) -> pa.Table:
    """Kinds may differ from batch to batch; then the column is text."""
    columns = []
    for at in range(len(names)):
        pieces = [batch.column(at) for batch in batches]
        kinds = {piece.type for piece in pieces if piece.type != pa.null()}
        kind = kinds.pop() if len(kinds) == 1 else pa.string()
        columns.append(pa.chunked_array([piece.cast(kind) for piece in pieces], kind))
    return pa.table(columns, names=names).slice(0, limit)
