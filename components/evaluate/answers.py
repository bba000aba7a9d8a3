"""The predictions of a file as a frame that is not much larger than its numbers.

Slices are categories, and several numbers a row (one for each class) are a column of Arrow lists: one array for all
rows, which `metrics.matrix` takes as it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

Array = NDArray[Any]


def read(path: str | Path) -> pd.DataFrame:
    """The columns of the file in its order, filled a part at a time."""
    with pq.ParquetFile(path) as file:
        schema, rows = file.schema_arrow, file.metadata.num_rows
    return pd.DataFrame({field.name: _column(path, field, rows) for field in schema}, copy=False)


def _column(path: str | Path, field: pa.Field, rows: int) -> Any:
    if pa.types.is_string(field.type):
        return _categories(path, field.name, rows)
    several = pa.types.is_fixed_size_list(field.type)
    kind = field.type.value_type if several else field.type
    values = np.empty((rows, field.type.list_size) if several else rows, kind.to_pandas_dtype())
    for first, part in _parts(path, field.name):
        flat = part.flatten() if several else part
        values[first : first + len(part)] = flat.to_numpy(zero_copy_only=False).reshape(-1, *values.shape[1:])
    return lists(values) if several else values


def _categories(path: str | Path, name: str, rows: int) -> pd.Categorical:
    known: dict[str, int] = {}
    codes = np.empty(rows, np.int32)
    for first, part in _parts(path, name):
        coded = part.dictionary_encode()
        new = [known.setdefault(text, len(known)) for text in coded.dictionary.to_pylist()]
        places = coded.indices.fill_null(len(new)).to_numpy(zero_copy_only=False)
        codes[first : first + len(part)] = np.array([*new, -1], np.int32)[places]
    order = sorted(known)
    ranks = np.array([*(order.index(text) for text in known), -1], np.int32)
    return pd.Categorical.from_codes(ranks[codes], pd.Index(order, dtype=object))


def _parts(path: str | Path, name: str) -> Iterator[tuple[int, pa.Array]]:
    """A column's values, some rows at a time, with the number of rows before them."""
    first = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=[name]):
            yield first, batch.column(0)
            first += len(batch)


def lists(values: Array) -> pd.Series:
    """Rows of numbers as a column of lists, without copying them."""
    column = pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), values.shape[1])
    return pd.Series(pd.arrays.ArrowExtensionArray(column))


def numbers(column: pd.Series) -> Array | None:
    """The rows of a column of lists that `lists` made, without copying them; None of any other column."""
    kind = column.dtype
    if not (isinstance(kind, pd.ArrowDtype) and pa.types.is_fixed_size_list(kind.pyarrow_dtype)):
        return None
    parts = pa.chunked_array(column.array.__arrow_array__())
    whole = parts.chunk(0) if parts.num_chunks == 1 else parts.combine_chunks()
    flat: Array = whole.flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), kind.pyarrow_dtype.list_size)
