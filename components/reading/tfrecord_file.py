"""TFRecord files of tf.Examples, one value a feature."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.examples.rejected import Rejected
from components.examples.tfrecord import DamagedRecordError, read_records
from components.reading.json_lines import as_array
from components.reading.raw_batch import Batch, find_columns
from tasks import InputError

ROWS = 4096


def read_tfrecord(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    row, known = 1, False
    records = read_records(stream)
    try:
        while held := list(islice(records, ROWS)):
            batch = _batch(held, row, source, needed, optional, known)
            known = known or len(batch) > 0
            yield batch
            row += len(held)
    except DamagedRecordError as error:
        raise InputError(f"{source} cannot be read as a TFRecord file: {error}.") from error
    if row == 1:
        raise InputError(f"{source} holds no records.")


def _batch(
    records: list[bytes], first: int, source: str, needed: Sequence[str], optional: Sequence[str], known: bool
) -> Batch:
    # The decoder takes a while to import, and few files are TFRecords.
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder = ExamplesToRecordBatchDecoder()
    numbers = np.arange(first, first + len(records))
    rejected: list[Rejected] = []
    try:
        decoded = decoder.DecodeBatch(records)
        found = decoded.schema.names
        columns = {name: _single(decoded.column(name)) for name in needed if name in found}
    except RuntimeError:
        # One of the records is damaged, or a feature is of one kind here and of another there.
        examples, rejected = _one_by_one(decoder, records, first, source)
        numbers = np.array(sorted(examples), np.int64)
        found = sorted(set().union(*examples.values()))
        columns = {
            name: as_array([examples[at].get(name) for at in sorted(examples)]) for name in needed if name in found
        }
    if not known and len(numbers):
        find_columns(source, found, needed, optional)
    absent = {name: pa.nulls(len(numbers)) for name in needed if name not in found}
    return Batch(columns=columns | absent, numbers=numbers, source=source, rejected=tuple(rejected))


def _one_by_one(
    decoder: Any, records: list[bytes], first: int, source: str
) -> tuple[dict[int, dict[str, Any]], list[Rejected]]:
    examples: dict[int, dict[str, Any]] = {}
    rejected = []
    for number, record in enumerate(records, first):
        try:
            [example] = decoder.DecodeBatch([record]).to_pylist()
            examples[number] = {name: _unwrapped(values) for name, values in example.items()}
        except RuntimeError:
            reason = "the record is not a tf.Example"
            rejected.append(Rejected(number, f"{source} row {number}", reason, "", repr(record)))
    return examples, rejected


def _single(values: pa.Array) -> pa.Array:
    """The one value of each row's list; null where it has none."""
    lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
    if len(lengths) and lengths.max() > 1:
        return as_array([_unwrapped(value) for value in values.to_pylist()])
    at = np.cumsum(lengths) - 1
    return values.flatten().take(pa.array(at, pa.int64(), mask=lengths == 0))


def _unwrapped(values: list[Any] | None) -> Any:
    return (values[0] if len(values) == 1 else values) if values else None
