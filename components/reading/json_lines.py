"""JSON lines: one object a line; a line that is none is set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from components.examples.rejected import Rejected, SetAside
from components.reading.line_boundaries import Block, Blocks, Broken, Span
from components.reading.raw_batch import Batch, broken, find_columns
from components.reading.single_values import apart
from tasks import InputError

NOT_JSON = "the line is not a JSON object"
SHOWN = 60
Lists = Mapping[str, Mapping[int, Any]]


def read_json_lines(
    stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str], within: Span | None = None
) -> Iterator[Batch]:
    rows = Blocks(stream, within.end if within else None)
    known: set[str] = set()
    line = b""
    if within and within.begin:
        rows.jump(within)  # what the first lines must be, the worker of the first span has asked
        known, line = set(needed), b"{"
    else:
        rows.skip_mark()
        rows.skip_blank_lines()
    for block in rows:
        if isinstance(block, Broken):
            line = line or block.text[:SHOWN].encode()
            yield broken(source, block)
            continue
        objects, aside = _objects(block, source)
        line = line or _first_line(block)
        if not known and not objects and line[:1] not in (b"", b"{"):
            shown = line[:SHOWN].decode("utf-8", errors="backslashreplace")
            raise InputError(
                f"{source} does not hold JSON lines. Expected one JSON object a line. Received: {shown!r}."
            )
        if not known and objects:
            # A later line may leave out what is missing in it; the first ones must show every column once.
            known = set().union(*(value for _, value in objects))
            find_columns(source, sorted(known), needed, optional)
        yield _batch(block, source, objects, aside, needed)
    if not line:
        raise InputError(f"{source} is empty. Expected one JSON object a line.")


def json_spans(stream: BinaryIO, source: str, needed: Sequence[str], size: int) -> list[Span]:
    return list(Blocks(stream).spans(size))


def _first_line(block: Block) -> bytes:
    """The first that is not blank, and of that the beginning."""
    lines = (block.row(index).strip() for index in range(len(block.ends)))
    return next(filter(None, lines), b"")[:SHOWN]


def _objects(block: Block, source: str) -> tuple[list[tuple[int, dict[str, Any]]], tuple[SetAside, ...]]:
    objects: list[tuple[int, dict[str, Any]]] = []
    strange: list[int] = []
    possible = _braced(block)
    for index in np.flatnonzero(possible).tolist():
        line = block.row(index).strip()
        if not line:
            continue
        try:
            objects.append((index, _object(line)))
        except (ValueError, RecursionError):
            strange.append(index)
    wrong = np.sort(np.concatenate([np.flatnonzero(~possible), np.array(strange, np.int64)]))
    aside = SetAside(NOT_JSON, block.lines[wrong], lambda at: _strange(block, source, int(wrong[at])))
    return objects, (aside,) if len(wrong) else ()


def _braced(block: Block) -> np.ndarray:
    """Lines that begin and end as an object does, or with white space, which only a closer look can tell."""
    array = np.frombuffer(block.data, np.uint8)
    first, last = np.zeros(256, bool), np.zeros(256, bool)
    first[list(b"{ \t\r\n\f\v")] = last[list(b"} \t\r\n\f\v")] = True
    found: np.ndarray = first[array[block.starts]] & last[array[np.maximum(block.ends - 1, block.starts)]]
    return found


def _object(line: bytes) -> dict[str, Any]:
    value = json.loads(line)
    if not isinstance(value, dict):
        raise ValueError(type(value).__name__)
    return value


def _strange(block: Block, source: str, index: int) -> Rejected:
    number, received = int(block.lines[index]), ""
    try:
        _object(block.row(index).strip())
    except (ValueError, RecursionError) as error:
        received = str(error)
    return Rejected(number, f"{source} line {number}", NOT_JSON, received, block.text(index))


def _batch(
    block: Block,
    source: str,
    objects: list[tuple[int, dict[str, Any]]],
    aside: tuple[SetAside, ...],
    names: Sequence[str],
) -> Batch:
    found = np.array([index for index, _ in objects], np.int64)
    columns, composites = columns_of([value for _, value in objects], names)
    return Batch(
        columns=columns,
        numbers=block.lines[found],
        source=source,
        unit="line",
        raw=lambda index: block.text(found[index]),
        aside=aside,
        composites=composites,
    )


def columns_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> tuple[dict[str, pa.Array], Lists]:
    """The named values of each row, and which of them are lists or objects."""
    columns: dict[str, pa.Array] = {}
    composites: dict[str, dict[int, Any]] = {}
    for name in names:
        values, found = apart([row.get(name) for row in rows])
        columns[name] = as_array(values)
        composites |= {name: found} if found else {}
    return columns, composites


def as_array(values: list[Any]) -> pa.Array:
    """One column of any single values: numbers and booleans as such; where kinds are mixed, all as text."""
    kinds = {type(value) for value in values} - {type(None)}
    if kinds == {bool}:
        return pa.array(values, pa.bool_())
    if bool in kinds and kinds <= {bool, int, float}:
        values = [int(value) if isinstance(value, bool) else value for value in values]
        kinds = {type(value) for value in values} - {type(None)}
    if kinds <= {int, float}:
        try:
            return pa.array(values, pa.int64() if kinds == {int} else pa.float64())
        except (OverflowError, pa.ArrowInvalid):
            kinds = {int, float, str}
    if kinds == {bytes}:
        return pa.array(values, pa.binary())
    return pa.array([_text(value) for value in values], pa.binary()).cast(pa.string(), safe=False)


def _text(value: Any) -> bytes | None:
    if value is None:
        return None
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", errors="surrogatepass")
