"""Parquet, a few row groups' pages at a time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.reading.raw_batch import ROWS, Batch, find_columns
from tasks import InputError

BYTES = 32 << 20


def read_parquet(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    try:
        file = pq.ParquetFile(stream)
        wanted = find_columns(source, file.schema_arrow.names, needed, optional)
        groups = [file.metadata.row_group(index) for index in range(file.metadata.num_row_groups)]
        row_bytes = sum(group.total_byte_size for group in groups) / max(file.metadata.num_rows, 1)
        row = 1
        for batch in file.iter_batches(
            int(min(ROWS, BYTES / max(row_bytes, 1)) or 1), columns=wanted, use_threads=False
        ):
            columns = dict(zip(batch.schema.names, batch.columns, strict=True))
            yield Batch(columns=columns, numbers=np.arange(row, row + len(batch)), source=source)
            row += len(batch)
    except UnicodeDecodeError as error:
        raise InputError(f"{source} has a column whose name is not UTF-8. Expected names of letters.") from error
    except (pa.ArrowException, OSError) as error:
        raise InputError(f"{source} cannot be read as Parquet: {str(error).splitlines()[0]}") from error
