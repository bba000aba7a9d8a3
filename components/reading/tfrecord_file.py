"""TFRecord files of tf.Examples, one value a feature."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.examples.rejected import Rejected
from components.examples.tfrecord import DamagedRecordError, records_up_to
from components.reading.json_lines import Lists, columns_of
from components.reading.raw_batch import Batch, find_columns
from tasks import InputError

# Of a record that is none, so many bytes are kept.
SHOWN = 2000
# Records of a batch, and the bytes with which it is full; no record may have more than LONGEST.
ROWS, BYTES, LONGEST = 4096, 32 << 20, 64 << 20


def read_tfrecord(stream: BinaryIO, source: str, needed: Sequence[str], optional: Sequence[str]) -> Iterator[Batch]:
    row, known = 1, False
    records = records_up_to(stream, LONGEST)
    try:
        while held := list(some(records)):
            batch = _batch(held, row, source, needed, optional, known)
            known = known or len(batch) > 0
            yield batch
            row += len(held)
    except DamagedRecordError as error:
        raise InputError(f"{source} cannot be read as a TFRecord file: {error}.") from error
    if row == 1:
        raise InputError(f"{source} holds no records.")


def some(records: Iterator[bytes | None]) -> Iterator[bytes | None]:
    """As many records as a batch takes."""
    size = 0
    for record in islice(records, ROWS):
        yield record
        size += len(record or b"")
        if size > BYTES:
            return


def _batch(
    held: list[bytes | None], first: int, source: str, needed: Sequence[str], optional: Sequence[str], known: bool
) -> Batch:
    # The decoder takes a while to import, and few files are TFRecords.
    from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

    decoder = ExamplesToRecordBatchDecoder()
    records = {number: record for number, record in enumerate(held, first) if record is not None}
    rejected = [
        Rejected(number, f"{source} row {number}", f"the record is longer than {LONGEST >> 20} MiB", "", "")
        for number in range(first, first + len(held))
        if number not in records
    ]
    numbers = np.array(list(records), np.int64)
    columns: dict[str, pa.Array] = {}
    composites: Lists = {}
    try:
        decoded = decoder.DecodeBatch(list(records.values()))
        found = decoded.schema.names
        columns, composites = _single({name: decoded.column(name) for name in needed if name in found})
    except RuntimeError:
        # One of the records is damaged, or a feature is of one kind here and of another there.
        examples, damaged = _one_by_one(decoder, records, source)
        rejected += damaged
        numbers = np.array(list(examples), np.int64)
        found = sorted(set().union(*examples.values()))
        columns, composites = columns_of(list(examples.values()), [name for name in needed if name in found])
    if not known and len(numbers):
        find_columns(source, found, needed, optional)
    absent = {name: pa.nulls(len(numbers)) for name in needed if name not in found}
    return Batch(
        columns=columns | absent, numbers=numbers, source=source, rejected=tuple(rejected), composites=composites
    )


def _one_by_one(
    decoder: Any, records: Mapping[int, bytes], source: str
) -> tuple[dict[int, dict[str, Any]], list[Rejected]]:
    examples: dict[int, dict[str, Any]] = {}
    rejected = []
    for number, record in records.items():
        try:
            [example] = decoder.DecodeBatch([record]).to_pylist()
            examples[number] = {name: _unwrapped(values) for name, values in example.items()}
        except RuntimeError:
            reason = "the record is not a tf.Example"
            rejected.append(Rejected(number, f"{source} row {number}", reason, "", repr(record[:SHOWN])))
    return examples, rejected


def _single(columns: Mapping[str, pa.Array]) -> tuple[dict[str, pa.Array], Lists]:
    """The one value of each row's list, null where it has none; and the lists of several."""
    single, composites = {}, {}
    for name, values in columns.items():
        lengths = pc.fill_null(pc.list_value_length(values), 0).to_numpy(zero_copy_only=False)
        several = np.flatnonzero(lengths > 1)
        if len(several):
            composites[name] = {int(at): values[int(at)].as_py() for at in several}
        at = np.cumsum(lengths) - 1
        single[name] = values.flatten().take(pa.array(at, pa.int64(), mask=lengths != 1))
    return single, composites


def _unwrapped(values: list[Any] | None) -> Any:
    return (values[0] if len(values) == 1 else values) if values else None
