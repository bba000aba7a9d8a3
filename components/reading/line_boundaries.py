"""A byte stream cut into blocks of whole rows, with line numbers as an editor counts them, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np

BLOCK = 1 << 20
LONGEST = 16 << 20
NEWLINE, RETURN, QUOTE = 10, 13, 34
BYTE_ORDER_MARK = b"\xef\xbb\xbf"


@dataclass(frozen=True)
class Block:
    """Whole rows: where each begins and ends in `data`, without its line end, and the line that it begins on."""

    data: bytes
    starts: np.ndarray
    ends: np.ndarray
    lines: np.ndarray

    def row(self, index: int) -> bytes:
        return self.data[self.starts[index] : self.ends[index]]

    def text(self, index: int) -> str:
        return self.row(index).decode("utf-8", errors="backslashreplace").rstrip("\r")


@dataclass(frozen=True)
class Broken:
    """A line that cannot be part of a row: a quote opens in it and never closes, or it has no end in sight."""

    line: int
    reason: str
    text: str


@dataclass(frozen=True)
class Span:
    """Whole rows of a file that one worker reads: lines of a text from byte to byte, or row groups of Parquet."""

    begin: int
    end: int
    line: int


class Blocks:
    """Iterates over the blocks of a stream; with a delimiter, a quoted field may hold line ends."""

    def __init__(self, stream: BinaryIO, end: int | None = None) -> None:
        self.delimiter = ""
        self._stream = stream
        self._position, self._end = 0, end
        self._rest = b""
        self._taken = 0
        self._line = 1
        self._final = False

    def __iter__(self) -> Iterator[Block | Broken]:
        while not self._final or self._rest:
            self._read()
            data, self._taken = self._rest, 0
            ends, breaks, open_at = self._cuts(data)
            if ends.size:
                yield self._block(data, ends, breaks)
            if self._rest and (self._final or len(self._rest) > LONGEST):
                yield self._broken(open_at >= 0, breaks)

    def jump(self, span: Span) -> None:
        """Go on with these rows and no others."""
        self._stream.seek(span.begin)
        self._position, self._end, self._line = span.begin, span.end, span.line
        self._rest, self._taken, self._final = b"", 0, False

    def spans(self, size: int) -> Iterator[Span]:
        """The whole stream in spans of about so many bytes, each ending where a row ends."""
        begin, line = 0, 1
        for _ in self:
            at = self._position - len(self._rest)
            if at - begin >= size and not self._final:
                yield Span(begin, at, line)
                begin, line = at, self._line
        if self._position > begin:
            yield Span(begin, self._position, line)

    def peek(self) -> bytes:
        """The beginning of what comes next."""
        if not self._rest and not self._final:
            self._read()
        return self._rest[:4096]

    def skip_blank_lines(self) -> None:
        """Pass over line ends, however many there are."""
        self.peek()
        while self._rest:
            kept = self._rest.lstrip(b"\r\n")
            if not kept and not self._final and self._rest.endswith(b"\r"):
                kept = b"\r"  # whose \n may come next
            passed = self._rest[: len(self._rest) - len(kept)]
            self._line += len(line_breaks(passed, np.frombuffer(passed, np.uint8), final=True))
            self._rest = kept
            if self._final or kept.strip(b"\r"):
                return
            self._read()

    def first_line(self) -> bytes:
        """The whole line that comes next, or as much of it as a line may have."""
        self.peek()
        while not self._final and len(self._rest) <= LONGEST and not {*b"\r\n"} & {*self._rest}:
            self._read()
        return self._rest[: LONGEST + 1].lstrip(b"\r\n").partition(b"\n")[0].partition(b"\r")[0]

    def skip_mark(self) -> None:
        """Pass over a byte-order mark."""
        self.peek()
        self._rest = self._rest.removeprefix(BYTE_ORDER_MARK)

    def _read(self) -> None:
        if self._final:
            return
        chunk = self._chunk()
        self._final = not chunk
        self._rest += chunk
        if self._final and self._rest and self._rest[-1] not in (NEWLINE, RETURN):
            self._rest += b"\n"

    def _chunk(self) -> bytes:
        left = BLOCK if self._end is None else min(BLOCK, self._end - self._position)
        chunk = self._stream.read(left) if left else b""
        self._position += len(chunk)
        return chunk

    def _cuts(self, data: bytes) -> tuple[np.ndarray, np.ndarray, int]:
        """Where rows end, where lines end, and where a quote opens that is not closed yet (or -1)."""
        array = np.frombuffer(data, np.uint8)
        breaks = line_breaks(data, array, self._final)
        if not self.delimiter or b'"' not in data:
            return breaks, breaks, -1
        opens, closes, open_at = quoted_spans(data, array, ord(self.delimiter))
        inside = np.searchsorted(opens, breaks) - 1
        ends = breaks[(inside < 0) | (breaks > closes[inside])] if opens.size else breaks
        return (ends[ends < open_at] if open_at >= 0 else ends), breaks, open_at

    def _block(self, data: bytes, ends: np.ndarray, breaks: np.ndarray) -> Block:
        starts = np.concatenate([[0], ends[:-1] + 1])
        lines = self._line + np.searchsorted(breaks, starts)
        self._line += int(np.searchsorted(breaks, ends[-1], side="right"))
        self._taken = int(ends[-1]) + 1
        self._rest = data[self._taken :]
        return Block(data[: len(data) - len(self._rest)], starts, ends, lines)

    def _broken(self, quote: bool, breaks: np.ndarray) -> Broken:
        """Take the first line off what cannot be read and go on behind it."""
        behind = breaks[np.searchsorted(breaks, self._taken) :] - self._taken
        at = int(behind[0]) if behind.size else len(self._rest)
        line, sep, rest = self._rest[:at], self._rest[at : at + 1], self._rest[at + 1 :]
        reason = (
            "a quote opens that is never closed" if quote and sep else f"the line is longer than {LONGEST >> 20} MiB"
        )
        while not sep and not self._final:
            chunk = self._chunk()
            self._final = not chunk
            _, sep, rest = chunk.partition(b"\n")
        broken = Broken(self._line, reason, line.decode("utf-8", errors="backslashreplace").rstrip("\r"))
        self._rest = rest
        self._line += 1
        return broken


def line_breaks(data: bytes, array: np.ndarray, final: bool) -> np.ndarray:
    """Where each line ends: at \\n, or at \\r without one behind it."""
    if b"\r" not in data:
        return np.flatnonzero(array == NEWLINE)
    following = np.append(array[1:], np.uint8(0 if final else NEWLINE))
    return np.flatnonzero((array == NEWLINE) | ((array == RETURN) & (following != NEWLINE)))


def quoted_spans(data: bytes, array: np.ndarray, delimiter: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Where quoted fields open and close, and where one opens that does not close (or -1).

    A quote opens a field only at the field's beginning, and a doubled quote inside does not close it (RFC 4180, and
    what pyarrow's parser does). Where all quotes are so, every other one opens; else they are walked one by one.
    """
    quotes = np.flatnonzero(array == QUOTE)
    edge = np.zeros(256, bool)
    edge[[delimiter, NEWLINE, RETURN]] = True
    newline = np.full(1, NEWLINE, np.uint8)
    padded = np.concatenate([newline, array, newline])
    opens, closes = quotes[::2], quotes[1::2]
    again = opens[1:] == closes[: len(opens) - 1] + 1
    begins = edge[padded[opens]] | np.concatenate([[False], again])
    after = edge[padded[closes + 2]]
    after[: len(again)] |= again
    if not (begins.all() and after.all()):
        opens, closes, open_at = _walk(data, delimiter)
    else:
        open_at = _first_open(opens, closes, again) if len(opens) > len(closes) else -1
    return opens[: len(closes)], closes, open_at


def _first_open(opens: np.ndarray, closes: np.ndarray, again: np.ndarray) -> int:
    """The opening of the last field, back over the doubled quotes within it."""
    last = len(opens) - 1
    while last > 0 and again[last - 1]:
        last -= 1
    return int(opens[last])


def _walk(data: bytes, delimiter: int) -> tuple[np.ndarray, np.ndarray, int]:
    opens: list[int] = []
    closes: list[int] = []
    edges = (delimiter, NEWLINE, RETURN)
    at = data.find(b'"')
    while at >= 0:
        if at and data[at - 1] not in edges:
            at = data.find(b'"', at + 1)
            continue
        close = data.find(b'"', at + 1)
        while close >= 0 and data[close + 1 : close + 2] == b'"':
            close = data.find(b'"', close + 2)
        if close < 0:
            return np.array(opens, np.int64), np.array(closes, np.int64), at
        opens.append(at)
        closes.append(close)
        at = data.find(b'"', close + 1)
    return np.array(opens, np.int64), np.array(closes, np.int64), -1
