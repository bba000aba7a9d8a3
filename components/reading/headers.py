"""A feature's name and what files call it: a file may have either as its header."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from components.reading.raw_batch import Batch
from tasks import Feature, InputError


def asked(columns: Sequence[Feature], absent: Sequence[str] = ()) -> tuple[list[str], list[str]]:
    """What to ask a reader for, and which of it need not be there; `absent` names features that need not."""
    needed = [name for column in columns for name in dict.fromkeys((column.column or column.name, column.name))]
    optional = [name for column in columns if column.column for name in (column.column, column.name)]
    return needed, [*optional, *absent]


def renamed(batches: Iterable[Batch], columns: Sequence[Feature], absent: Sequence[str] = ()) -> Iterator[Batch]:
    """The batches with features' names for what the file calls them."""
    called = {column.name: column.column for column in columns if column.column}
    if not called:
        yield from batches
        return
    for batch in batches:
        found = {name: values for name, values in batch.columns.items() if name not in called.values()}
        for name, header in called.items():
            if (values := _either(batch.columns.get(header), batch.columns.get(name))) is not None:
                found[name] = values
            elif name not in absent and len(batch):
                raise InputError(f"{batch.source} has no column {header!r}, nor {name!r}, and it is needed.")
        composites = {name: batch.composites.get(header, {}) for name, header in called.items()}
        lists = {name: {**batch.composites.get(name, {}), **composites.get(name, {})} for name in found}
        yield replace(batch, columns=found, composites=lists)


def _either(header: pa.Array | None, name: pa.Array | None) -> pa.Array | None:
    """JSON lines have a column of nulls for what they lack."""
    if header is None or name is None or header.null_count == 0:
        return name if header is None else header
    if name.null_count == len(name):
        return header
    return name if header.null_count == len(header) else pc.coalesce(header, name.cast(header.type, safe=False))
