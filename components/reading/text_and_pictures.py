"""Files that hold one feature and name no column: text, one a line, and pictures, one a file."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from components.examples.rejected import Rejected
from components.reading.line_boundaries import Block, Blocks, Broken
from components.reading.raw_batch import Batch, broken
from tasks import InputError


def read_text(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    """Each line is a row, blank ones too: the n-th answer belongs to the n-th line."""
    [name] = needed
    rows = Blocks(stream)
    rows.skip_mark()
    if not rows.peek():
        raise InputError(f"{source} is empty. Expected one text a line.")
    for block in rows:
        if isinstance(block, Broken):
            yield broken(source, block)
        else:
            values = pa.array([line.rstrip(b"\r") for line in _lines(block)], pa.binary())
            yield Batch(columns={name: values}, numbers=block.lines, source=source, unit="line", raw=block.text)


def _lines(block: Block) -> Iterator[bytes]:
    for start, end in zip(block.starts.tolist(), block.ends.tolist(), strict=True):
        yield block.data[start:end]


@dataclass(frozen=True, kw_only=True)
class Pictures(Batch):
    """Whole files, one a row; `names` has those that could not be read too, by the row's number from 1."""

    names: Sequence[str]

    def reject(self, index: int, reason: str, received: str) -> Rejected:
        number = int(self.numbers[index])
        return Rejected(number, self.names[number - 1], reason, received, self.names[number - 1])


def read_picture(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    """One picture as a row."""
    [name] = needed
    columns = {name: pa.array([stream.read()], pa.binary())}
    yield Pictures(columns=columns, numbers=np.array([1]), source=source, names=[source])
