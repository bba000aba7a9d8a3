"""Data frames, as a task's own sources yield them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from components.reading.json_lines import as_array
from components.reading.raw_batch import ROWS, Batch, find_columns
from components.reading.single_values import apart


def read_frames(
    frames: Iterable[pd.DataFrame], source: str, needed: Sequence[str], optional: Sequence[str] = ()
) -> Iterator[Batch]:
    row = 1
    for frame in frames:
        wanted = find_columns(source, [str(name) for name in frame.columns], needed, optional)
        for start in range(0, len(frame), ROWS):
            piece = frame.iloc[start : start + ROWS]
            read = {name: _column(piece[name]) for name in wanted}
            yield Batch(
                columns={name: values for name, (values, _) in read.items()},
                numbers=np.arange(row, row + len(piece)),
                source=source,
                composites={name: found for name, (_, found) in read.items() if found},
            )
            row += len(piece)


def _column(values: pd.Series[Any]) -> tuple[pa.Array, dict[int, Any]]:
    """The values, and which of them are lists or objects where others are not."""
    composites: dict[int, Any] = {}
    try:
        array = pa.Array.from_pandas(values)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError):
        single, composites = apart([_plain(value) for value in values])
        array = as_array(single)
    return (pa.concat_arrays(array.chunks) if isinstance(array, pa.ChunkedArray) else array), composites


def _plain(value: Any) -> Any:
    """Images may come as arrays of pixels."""
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, np.generic):
        value = value.item()
    return None if value is None or value is pd.NA or value != value else value
