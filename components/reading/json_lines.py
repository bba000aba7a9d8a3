"""JSON lines: one object a line; a line that is none is set aside."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from components.examples.rejected import Rejected
from components.reading.line_boundaries import Block, Blocks, Broken
from components.reading.raw_batch import Batch, broken, find_columns
from tasks import InputError

NOT_JSON = "the line is not a JSON object"


def read_json_lines(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    rows = Blocks(stream)
    rows.skip_mark()
    start = rows.peek().lstrip()
    if not start:
        raise InputError(f"{source} is empty. Expected one JSON object a line.")
    if start[:1] != b"{":
        shown = start.splitlines()[0][:60].decode("utf-8", errors="backslashreplace")
        raise InputError(f"{source} does not hold JSON lines. Expected one JSON object a line. Received: {shown!r}.")
    known: set[str] = set()
    for block in rows:
        if isinstance(block, Broken):
            yield broken(source, block)
            continue
        objects, rejected = _objects(block, source)
        if not known and objects:
            # A later line may leave out what is missing in it; the first ones must show every column once.
            known = set().union(*(value for _, value in objects))
            find_columns(source, sorted(known), needed, optional)
        yield _batch(block, source, objects, rejected, needed)


def _objects(block: Block, source: str) -> tuple[list[tuple[int, dict[str, Any]]], list[Rejected]]:
    objects: list[tuple[int, dict[str, Any]]] = []
    rejected: list[Rejected] = []
    for index, (start, end) in enumerate(zip(block.starts.tolist(), block.ends.tolist(), strict=True)):
        line = block.data[start:end].strip()
        if not line:
            continue
        try:
            value = json.loads(line)
            reason = "" if isinstance(value, dict) else type(value).__name__
        except (ValueError, RecursionError) as error:
            reason = str(error)
        if reason:
            number = int(block.lines[index])
            rejected.append(Rejected(number, f"{source} line {number}", NOT_JSON, reason, block.text(index)))
        else:
            objects.append((index, value))
    return objects, rejected


def _batch(
    block: Block, source: str, objects: list[tuple[int, dict[str, Any]]], rejected: list[Rejected], names: Sequence[str]
) -> Batch:
    found = np.array([index for index, _ in objects], np.int64)
    return Batch(
        columns={name: as_array([value.get(name) for _, value in objects]) for name in names},
        numbers=block.lines[found],
        source=source,
        unit="line",
        raw=lambda index: block.text(found[index]),
        rejected=tuple(rejected),
    )


def as_array(values: list[Any]) -> pa.Array:
    """One column of any values: numbers and booleans as such; where kinds are mixed, all as text."""
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
    if isinstance(value, dict) and isinstance(value.get("b64"), str):
        value = value["b64"]  # how TF Serving's requests carry bytes
    if isinstance(value, bytes):
        return value
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text.encode("utf-8", errors="surrogatepass")
