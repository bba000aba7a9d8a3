"""Rows from standard input: its format is told by how it begins."""

from __future__ import annotations

import gzip
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

from components.examples import pictures
from components.examples.tfrecord import begins_record
from components.reading.csv_file import read_csv
from components.reading.find_files import GZIP, NO_MORE, PARQUET, Reader, buffered, readable
from components.reading.json_lines import read_json_lines
from components.reading.parquet import read_parquet
from components.reading.raw_batch import Batch
from components.reading.tfrecord_file import read_tfrecord

BEGINNING = 1 << 20


def read_stream(
    stream: BinaryIO, needed: Sequence[str], optional: Sequence[str] = (), also: Mapping[str, Reader] = NO_MORE
) -> Iterator[Batch]:
    """The raw rows of standard input; the format is told by how it begins."""
    source = "standard input"
    with readable(source):
        file = buffered(stream)
        if file.peek(2)[:2] == GZIP:
            file = buffered(gzip.GzipFile(fileobj=file))
        start = file.read(BEGINNING)
        whole = buffered(_Joined(io.BytesIO(start), file))
        if start[:4] == PARQUET:
            yield from read_parquet(io.BytesIO(whole.read()), source, needed, optional)
        else:
            yield from _told(start, needed, also)(whole, source, needed, optional)


class _Joined(io.RawIOBase):
    """Two streams, one after the other."""

    def __init__(self, *streams: BinaryIO) -> None:
        self._streams = list(streams)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        while self._streams:
            if data := self._streams[0].read(len(buffer)):
                buffer[: len(data)] = data
                return len(data)
            self._streams.pop(0)
        return 0


def _told(start: bytes, needed: Sequence[str], also: Mapping[str, Reader]) -> Reader:
    """The reader for what begins so."""
    if ".png" in also and pictures.is_file(start):
        return also[".png"]
    if begins_record(start):
        return read_tfrecord
    line = start.lstrip(b"\xef\xbb\xbf \r\n").partition(b"\n")[0]
    if line[:1] == b"{" and (".txt" not in also or line[1:].lstrip()[:1] in (b'"', b"}")):
        return read_json_lines
    names = {name.strip(' "\r') for name in re.split("[,;\t|]", line.decode("utf-8", errors="replace"))}
    return also[".txt"] if ".txt" in also and not names & set(needed) else read_csv
