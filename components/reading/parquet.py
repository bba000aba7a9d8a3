"""Parquet, a few row groups' pages at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.reading.line_boundaries import Span
from components.reading.raw_batch import ROWS, Batch, find_columns
from tasks import InputError

BYTES = 32 << 20


def read_parquet(
    stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str], within: Span | None = None
) -> Iterator[Batch]:
    try:
        file = pq.ParquetFile(stream)
        wanted = find_columns(source, file.schema_arrow.names, needed, optional)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        row_bytes = sum(group.total_byte_size for group in groups) / max(file.metadata.num_rows, 1)
        row = within.line if within else 1
        chosen = range(within.begin, within.end) if within else range(len(groups))
        for batch in file.iter_batches(
            int(min(ROWS, BYTES / max(row_bytes, 1)) or 1), row_groups=chosen, columns=wanted, use_threads=False
        ):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield Batch(columns=columns, numbers=np.arange(row, row + len(batch)), source=source)
            row += len(batch)
    except UnicodeDecodeError as error:
        raise InputError(f"{source} has a column whose name is not UTF-8. Expected names of letters.") from error
    except (pa.ArrowException, OSError) as error:
        said = next(iter(str(error).splitlines()), "").rstrip(" .:")
        raise InputError(f"{source} cannot be read as Parquet: {said or type(error).__name__}.") from error


def parquet_spans(stream: BinaryIO, source: str, needed: Sequence[str], size: int) -> list[Span]:
    """Neighbouring row groups together, until they come to so many bytes."""
    about = pq.ParquetFile(stream).metadata
    spans, begin, row, rows, bytes_ = [], 0, 1, 0, 0
    for index in range(about.num_row_groups):
        group = about.row_group(index)
        rows, bytes_ = rows + group.num_rows, bytes_ + group.total_byte_size
        if bytes_ >= size or index == about.num_row_groups - 1:
            spans.append(Span(begin, index + 1, row))
            begin, row, rows, bytes_ = index + 1, row + rows, 0, 0
    return spans
