"""What a task's own sources yield: data frames, and whatever speaks Arrow."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from components.reading.json_lines import as_array
from components.reading.raw_batch import ROWS, Batch, find_columns
from components.reading.single_values import apart
from tasks import InputError

Composites = dict[str, dict[int, Any]]
Piece = tuple[dict[str, pa.Array], Composites]


def read_frames(found: Any, source: str, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Batch]:
    """The rows of what a part's `read` gave: several frames, tables or record batches, or one, or an Arrow data set."""
    row = 1
    for one in [found] if _is_whole(found) else _several(found, source):
        for columns, composites in _pieces(one, source, needed, optional):
            count = len(next(iter(columns.values())))
            numbers = np.arange(row, row + count)
            yield Batch(columns=columns, numbers=numbers, source=source, composites=composites)
            row += count


def with_index(frame: pd.DataFrame) -> pd.DataFrame:
    """The frame with each named level of its index as a column, if there is none of that name."""
    named = [name for name in frame.index.names if name is not None and name not in frame.columns]
    return frame.reset_index(level=named) if named else frame


def _is_whole(found: Any) -> bool:
    return isinstance(found, pd.DataFrame) or hasattr(found, "__arrow_c_stream__") or _is_data_set(found)


def _is_data_set(found: Any) -> bool:
    """Of pyarrow.dataset, whose import is left to who uses it."""
    return callable(getattr(found, "to_batches", None)) and callable(getattr(found, "scanner", None))


def _several(found: Any, source: str) -> Iterable[Any]:
    if isinstance(found, str | bytes | dict) or not isinstance(found, Iterable):
        raise _unreadable(source, found)
    return found


def _pieces(one: Any, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Piece]:
    """So many rows at once as a batch takes: the columns, and which of their values are lists or objects."""
    if isinstance(one, pd.DataFrame):
        yield from _of_frame(with_index(one), source, needed, optional)
        return
    if _is_data_set(one):
        wanted = find_columns(source, one.schema.names, needed, optional)
        batches: Iterable[pa.RecordBatch] = one.to_batches(columns=wanted, batch_size=ROWS)
    elif hasattr(one, "__arrow_c_stream__"):
        reader = batches = pa.RecordBatchReader.from_stream(one)
        wanted = find_columns(source, reader.schema.names, needed, optional)
    elif hasattr(one, "__arrow_c_array__"):
        batch = pa.record_batch(one)
        batches, wanted = [batch], find_columns(source, batch.schema.names, needed, optional)
    else:
        raise _unreadable(source, one)
    for batch in batches:
        for start in range(0, len(batch), ROWS):
            rows = batch.slice(start, ROWS)
            yield {name: _plain_array(rows.column(name)) for name in wanted}, {}


def _unreadable(source: str, received: Any) -> InputError:
    return InputError(
        f"{source}: read must give data frames, or what speaks Arrow: tables, record batches, a reader of them or a "
        f"pyarrow.dataset. Received: {type(received).__name__}."
    )


def _plain_array(values: pa.Array) -> pa.Array:
    """Without what an extension makes of it; of a picture as Hugging Face keeps it, the file's bytes."""
    if isinstance(values.type, pa.BaseExtensionType):
        values = values.storage
    if pa.types.is_struct(values.type) and {field.name for field in values.type} == {"bytes", "path"}:
        return pa.compute.struct_field(values, "bytes")
    return values


def _of_frame(frame: pd.DataFrame, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Piece]:
    wanted = find_columns(source, [str(name) for name in frame.columns], needed, optional)
    for start in range(0, len(frame), ROWS):
        piece = frame.iloc[start : start + ROWS]
        read = {name: _of_series(piece[name]) for name in wanted}
        columns = {name: values for name, (values, _) in read.items()}
        yield columns, {name: found for name, (_, found) in read.items() if found}


def _of_series(values: pd.Series[Any]) -> tuple[pa.Array, dict[int, Any]]:
    """The values, and which of them are lists or objects where others are not."""
    composites: dict[int, Any] = {}
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        values = values.dt.tz_convert(None)  # which is UTC; pyarrow does the same, by what pandas has deprecated
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
