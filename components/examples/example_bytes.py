"""Serialized tf.Examples, many at once, taken apart by numpy: what stands in them is found without parsing the rest.

On the wire an Example is field 1 (Features), which is one map entry a column: a key, and a Feature. See `encode`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from isal.igzip import IGzipFile
from numpy.typing import NDArray

from components.examples.encode import varint
from components.examples.tfrecord import LONGEST, ROW_ID, CutOffError, DamagedRecordError
from components.storage import urls

Array = NDArray[Any]
# Bytes of a shard that are in memory at once, but for a record that is longer.
PIECE = 4 << 20
LENGTH_AND_SUM, SUM = 12, 4
SPARE = 16  # behind the last record, so that no look ahead leaves the array
MESSAGE, VALUE, INTEGERS = 0x0A, 0x12, 0x1A


@dataclass(frozen=True)
class Records:
    """Where each record lies in the bytes."""

    data: bytes
    starts: Array
    ends: Array

    def __len__(self) -> int:
        return len(self.starts)

    def some(self, places: Array) -> list[bytes]:
        ends = self.ends[places].tolist()
        return [self.data[start:end] for start, end in zip(self.starts[places].tolist(), ends, strict=True)]


def of_shards(shards: Iterable[str]) -> Iterator[Records]:
    """All records in order, a piece of a shard at a time; gzip's checksum stands for those of the records."""
    for shard in shards:
        rest = b""
        with urls.opened(shard) as file, IGzipFile(fileobj=file) as plain, ThreadPoolExecutor(1) as beside:
            coming = beside.submit(plain.read, PIECE)
            while piece := coming.result():
                coming = beside.submit(plain.read, PIECE)
                data = rest + piece
                found, behind = _records(data)
                rest = data[behind:]
                yield found
        if rest:
            raise CutOffError(f"{shard} ends within a record")


def _records(data: bytes) -> tuple[Records, int]:
    """The whole records of these bytes, and where the next one begins."""
    begins, at, last, length_at = [], 0, len(data) - LENGTH_AND_SUM - SUM, struct.Struct("<Q").unpack_from
    while at <= last:
        begins.append(at)
        at += length_at(data, at)[0] + LENGTH_AND_SUM + SUM
    if at > len(data):
        at = begins.pop()
        if length_at(data, at)[0] > LONGEST:
            raise DamagedRecordError("a record has no valid length")
    edges = np.array([*begins, at], np.int64)
    return Records(data, edges[:-1] + LENGTH_AND_SUM, edges[1:] - SUM), at


def joined(records: Sequence[bytes]) -> Records:
    lengths = np.fromiter(map(len, records), np.int64, len(records))
    ends = np.cumsum(lengths)
    return Records(b"".join(records), ends - lengths, ends)


def in_groups(pieces: Iterable[Records], size: int) -> Iterator[list[bytes]]:
    """All records in lists that are a multiple of so many, but for the last one."""
    held: list[bytes] = []
    for records in pieces:
        held += records.some(np.arange(len(records)))
        whole = len(held) // size * size
        if whole:
            yield held[:whole]
            held = held[whole:]
    if held:
        yield held


def row_ids(records: Records) -> Array:
    """The 64-bit ids."""
    data = _array(records.data)
    found = np.zeros(len(records), np.uint64)
    known = np.zeros(len(records), bool)
    for rows, _, key, length in _entries(data, records):
        mine = _named(data, key, length, ROW_ID)
        rows, at = rows[mine], (key + length)[mine]
        for tag in (VALUE, INTEGERS, MESSAGE):
            if (data[at] != tag).any():
                raise DamagedRecordError("the id of a row is not one integer")
            _, at = _varints(data, at + 1)
        found[rows], _ = _varints(data, at)
        known[rows] = True
        if known.all():
            break
    if not known.all():
        raise DamagedRecordError("a row has no id")
    return found.view(np.int64)


def without(records: Records, names: Sequence[str]) -> list[bytes]:
    """The same examples but for these columns, of records that follow each other without a gap."""
    data = _array(records.data)
    _, begins = _varints(data, records.starts + 1)
    cuts, ends = [begins[:0]], [begins[:0]]
    cut = np.zeros(len(records), np.int64)
    for rows, begin, key, length in _entries(data, records):
        mine = np.logical_or.reduce([_named(data, key, length, name) for name in names])
        size, value = _varints(data, (key + length)[mine] + 1)
        cuts.append(begin[mine])
        ends.append(value + size.astype(np.int64))
        cut[rows[mine]] += ends[-1] - cuts[-1]
    stops = [*np.sort(np.concatenate(cuts)).tolist(), len(records.data)]
    starts = [0, *np.sort(np.concatenate(ends)).tolist()]
    kept = b"".join([records.data[start:stop] for start, stop in zip(starts, stops, strict=True)])
    return _again(kept, begins - records.starts, records.ends - begins - cut)


def _again(data: bytes, heads: Array, lengths: Array) -> list[bytes]:
    """Each example with the length that it now has: `data` are the old heads, each followed by what was kept."""
    ends = np.cumsum(heads + lengths)
    new = {length: b"\x0a" + varint(length) for length in np.unique(lengths).tolist()}
    starts = (ends - lengths).tolist()
    return [new[length] + data[start : start + length] for start, length in zip(starts, lengths.tolist(), strict=True)]


def _entries(data: Array, records: Records) -> Iterator[tuple[Array, Array, Array, Array]]:
    """The first entry of every record, then the second: which records have it, its begin, its key's and its length."""
    rows = np.flatnonzero(records.ends > records.starts)
    _, at = _varints(data, records.starts[rows] + 1)
    ends = records.ends[rows]
    while len(rows):
        if (data[at] != MESSAGE).any():
            raise DamagedRecordError("an example holds what is no column")
        size, inside = _varints(data, at + 1)
        length, key = _varints(data, inside + 1)
        yield rows, at, key, length.astype(np.int64)
        at = inside + size.astype(np.int64)
        more = at < ends
        rows, at, ends = rows[more], at[more], ends[more]


def _named(data: Array, key: Array, length: Array, name: str) -> Array:
    """Which keys are this name."""
    letters = name.encode()
    mine = length == len(letters)
    for place, letter in enumerate(letters):
        mine &= data[np.minimum(key + place, len(data) - 1)] == letter
    return mine


def _varints(data: Array, at: Array) -> tuple[Array, Array]:
    """The numbers that begin at these places, and where each ends."""
    byte = data[at]
    value, at, shift = (byte & 0x7F).astype(np.uint64), at + 1, 7
    more = byte > 0x7F
    while more.any() and shift < 64:
        byte = np.where(more, data[at], 0)
        value |= (byte & 0x7F).astype(np.uint64) << np.uint64(shift)
        at, more, shift = at + more, byte > 0x7F, shift + 7
    return value, at


def _array(data: bytes) -> Array:
    return np.frombuffer(data + bytes(SPARE), np.uint8)
