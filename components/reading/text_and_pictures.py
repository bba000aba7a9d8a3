"""Files that hold one feature and name no column: text, one a line, and pictures, one a file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import BinaryIO

import numpy as np
import pyarrow as pa

from components.examples.rejected import Rejected
from components.reading.line_boundaries import Blocks, Broken
from components.reading.raw_batch import Batch, broken
from tasks import InputError

PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
# Of pictures in one batch, since files of any size may be meant.
COUNT, BYTES = 256, 32 << 20


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
            lines = [block.row(index).rstrip(b"\r") for index in range(len(block.ends))]
            values = pa.array(lines, pa.binary())
            yield Batch(columns={name: values}, numbers=block.lines, source=source, unit="line", raw=block.text)


@dataclass(frozen=True, kw_only=True)
class Pictures(Batch):
    """Whole files, one a row; `names` has those that could not be read too, by the row's number from 1."""

    names: Sequence[str]

    def reject(self, index: int, reason: str, received: str) -> Rejected:
        number = int(self.numbers[index])
        return Rejected(number, self.names[number - 1], reason, received, self.names[number - 1])


def picture_batches(files: Iterable[tuple[str, bytes | OSError]], image: str, label: str = "") -> Iterator[Pictures]:
    """One picture a row, with a label its folder's name beside it; a file that cannot be read is a bad row."""
    names: list[str] = []
    read: list[bytes | OSError] = []
    for name, content in files:
        names.append(name)
        read.append(content)
        if len(names) == COUNT or sum(len(each) for each in read if isinstance(each, bytes)) > BYTES:
            yield _pictures(names, read, image, label)
            names, read = [], []
    if names:
        yield _pictures(names, read, image, label)


def _pictures(names: list[str], read: Sequence[bytes | OSError], image: str, label: str) -> Pictures:
    good = {number: each for number, each in enumerate(read, 1) if isinstance(each, bytes)}
    rejected = tuple(
        Rejected(number, name, "the file cannot be read", each.strerror or str(each), name)
        for number, (name, each) in enumerate(zip(names, read, strict=True), 1)
        if isinstance(each, OSError)
    )
    columns = {image: pa.array(list(good.values()), pa.binary())}
    if label:
        columns[label] = pa.array([PurePosixPath(names[number - 1]).parent.name for number in good], pa.string())
    numbers = np.array(list(good), np.int64)
    return Pictures(columns=columns, numbers=numbers, source="pictures", names=names, rejected=rejected)


def read_picture(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    """One picture as a row."""
    [name] = needed
    columns = {name: pa.array([stream.read()], pa.binary())}
    yield Pictures(columns=columns, numbers=np.array([1]), source=source, names=[source])
