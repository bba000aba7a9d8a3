"""TFRecord files without TensorFlow: written as sharded gzip with the same bytes every time, read back checked."""

from __future__ import annotations

import io
import os
import struct
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import google_crc32c
import numpy as np
from isal.igzip import IGzipFile

from components.storage import urls

SUFFIX = ".tfrecord.gz"
# Smaller shards are put together up to this size: gzip members in one file are read as one stream.
FULL_BYTES = 8 << 20
LONGEST = 1 << 30
PIECE = 1 << 20
# What each tf.Example has beside its columns.
ROW_ID = "_id"


class DamagedRecordError(ValueError):
    """The bytes are not, or no longer, those of a TFRecord file."""


class CutOffError(DamagedRecordError):
    """The last record is not there to its end: the file is still being written, or was cut off."""


def masked_crc(data: bytes) -> int:
    """The CRC-32C as TFRecord files store it."""
    crc = google_crc32c.value(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def framed(records: Sequence[bytes]) -> bytes:
    """Each record between its length and its checksum, as TFRecord files hold it."""
    lengths = list(map(len, records))
    heads = {length: _head(length) for length in set(lengths)}
    crcs = np.fromiter(map(google_crc32c.value, records), np.uint32, len(records))
    tails = ((crcs >> 15 | crcs << 17) + np.uint32(0xA282EAD8)).astype("<u4").tobytes()
    tail = [tails[start : start + 4] for start in range(0, len(tails), 4)]
    return b"".join(chain.from_iterable(zip(map(heads.__getitem__, lengths), records, tail, strict=True)))


def _head(length: int) -> bytes:
    size = struct.pack("<Q", length)
    return size + struct.pack("<I", masked_crc(size))


class RecordWriter:
    """Writes one gzip TFRecord file; compression runs beside the caller, one batch behind."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self.bytes = 0
        self._file = path.open("wb")
        self._gzip = IGzipFile(filename="", mode="wb", fileobj=self._file, mtime=0)
        self._rest = b""
        self._beside = ThreadPoolExecutor(max_workers=1)
        self._pending: Future[None] | None = None

    def write(self, records: Sequence[bytes]) -> None:
        data = framed(records)
        self.count += len(records)
        self.bytes += len(data)
        self._wait()
        self._pending = self._beside.submit(self._compress, data)

    def close(self) -> None:
        """Return when the whole file is on the disk."""
        if self._file.closed:
            return
        try:
            self._wait()
            self._gzip.write(self._rest)
            self._gzip.close()
            self._file.flush()
            os.fsync(self._file.fileno())
        finally:
            self._beside.shutdown()
            self._file.close()

    def __enter__(self) -> RecordWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def _compress(self, data: bytes) -> None:
        """In pieces of one size, as the compressed bytes hang on where what is compressed is cut."""
        data = self._rest + data
        whole = len(data) - len(data) % PIECE
        for start in range(0, whole, PIECE):
            self._gzip.write(data[start : start + PIECE])
        self._rest = data[whole:]

    def _wait(self) -> None:
        pending, self._pending = self._pending, None
        if pending is not None:
            pending.result()


def begins_record(start: bytes) -> bool:
    """Whether the bytes look like the beginning of an uncompressed TFRecord file."""
    return len(start) >= 12 and start[:12] == _head(struct.unpack("<Q", start[:8])[0])


def read_records(stream: BinaryIO) -> Iterator[bytes]:
    """The records of an uncompressed stream, each checked; DamagedRecordError says which one is broken."""
    return (record for record in records_up_to(stream, LONGEST) if record is not None)


def records_up_to(stream: BinaryIO, longest: int) -> Iterator[bytes | None]:
    """The same, with None for each record of more bytes than the longest, which is passed over."""
    number = 0
    while head := _exactly(stream, 12, number, at_end=True):
        number += 1
        length, crc = struct.unpack("<QI", head)
        if masked_crc(head[:8]) != crc or length > LONGEST:
            raise DamagedRecordError(f"record {number} has no valid length")
        if length > longest:
            for size in [PIECE] * (length // PIECE) + [length % PIECE + 4]:
                _exactly(stream, size, number)
            yield None
            continue
        record = _exactly(stream, length, number)
        (crc,) = struct.unpack("<I", _exactly(stream, 4, number))
        if masked_crc(record) != crc:
            raise DamagedRecordError(f"record {number} does not have the checksum stored with it")
        yield record


def _exactly(stream: BinaryIO, size: int, number: int, at_end: bool = False) -> bytes:
    data = stream.read(size)
    if len(data) != size and (data or not at_end):
        raise CutOffError(f"the file ends within record {number + at_end}")
    return data


def serialized_examples_of(shards: Iterable[str]) -> Iterator[bytes]:
    """Every serialized tf.Example of these shards, wherever they lie."""
    for shard in shards:
        with urls.opened(shard) as file, IGzipFile(fileobj=file) as plain:
            yield from read_records(io.BufferedReader(plain, 1 << 20))
