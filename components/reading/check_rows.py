"""Raw batches to typed columns: every row is either good, or set aside with its reason and position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.reading import Batch, Rejected
from components.reading.convert_columns import Faults, convert
from components.reading.row_ids import row_ids
from tasks import Category, Feature, Number


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Good rows: typed columns (float32, int64, string, binary; null where missing), ids and line or row numbers."""

    columns: dict[str, pa.Array]
    ids: np.ndarray
    numbers: np.ndarray
    rejected: list[Rejected]

    def __len__(self) -> int:
        return len(self.ids)

    def only(self, keep: np.ndarray, aside: Sequence[Rejected]) -> Rows:
        """The rows of the mask, with more of them set aside."""
        columns = {name: values.filter(pa.array(keep)) for name, values in self.columns.items()}
        return Rows(columns=columns, ids=self.ids[keep], numbers=self.numbers[keep], rejected=[*self.rejected, *aside])


def check(features: Sequence[Feature], label: Number | Category | None, batch: Batch) -> Rows:
    """The rows of a batch by their features and, where there is one, their label."""
    wanted = [*features, label] if label else list(features)
    typed: dict[str, pa.Array] = {}
    faults: Faults = {}
    for feature in reversed(wanted):
        raw = batch.columns.get(feature.name)
        values, wrong = convert(feature, pa.nulls(len(batch)) if raw is None else raw)
        if feature is label and isinstance(feature, Category):
            wrong |= _unknown(feature, values, wrong)
        if feature.when_missing == "reject":
            wrong |= {at: (f"{feature.name} is missing", "") for at in _absent(values) if at not in wrong}
        typed[feature.name] = values
        faults |= wrong  # of several faults in a row, that of the first column is told
    keep = np.ones(len(batch), bool)
    keep[list(faults)] = False
    if faults:
        typed = {name: values.filter(pa.array(keep)) for name, values in typed.items()}
    columns = {feature.name: typed[feature.name] for feature in wanted}
    rejected = [*batch.rejected, *(batch.reject(at, *faults[at]) for at in sorted(faults))]
    return Rows(
        columns=columns,
        ids=row_ids({feature.name: columns[feature.name] for feature in features}, int(keep.sum())),
        numbers=batch.numbers[keep],
        rejected=sorted(rejected, key=lambda row: row.number) if batch.rejected else rejected,
    )


def _absent(values: pa.Array) -> list[int]:
    absent: list[int] = np.flatnonzero(values.is_null()).tolist() if values.null_count else []
    return absent


def _unknown(label: Category, values: pa.Array, wrong: Faults) -> Faults:
    known = pc.is_in(values, pa.array(label.values, values.type)).to_numpy(zero_copy_only=False)
    strange = np.flatnonzero(~known & values.is_valid().to_numpy(zero_copy_only=False)).tolist()
    reason = f"{label.name} is none of its {len(label.values)} values"
    return {at: (reason, repr(values[at].as_py())) for at in strange if at not in wrong}
