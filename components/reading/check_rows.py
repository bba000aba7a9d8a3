"""Raw batches to typed columns: every row is either good, or set aside with its reason and position."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.examples.rejected import Rejected, SetAside, told
from components.reading.convert_columns import convert
from components.reading.raw_batch import Batch
from components.reading.row_ids import row_ids
from components.reading.single_values import Fault
from tasks import Category, Feature, Number

# Values of a label that a reason lists.
NAMED = 10


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Good rows: typed columns, null where missing, ids and line or row numbers."""

    columns: dict[str, pa.Array]
    ids: np.ndarray
    numbers: np.ndarray
    aside: list[SetAside]

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def rejected(self) -> list[Rejected]:
        """Each row set aside, in the source's order."""
        return told(self.aside)

    def only(self, keep: np.ndarray, aside: Sequence[SetAside]) -> Rows:
        """The rows of the mask, with more of them set aside."""
        columns = {name: values.filter(pa.array(keep)) for name, values in self.columns.items()}
        return Rows(columns=columns, ids=self.ids[keep], numbers=self.numbers[keep], aside=[*self.aside, *aside])


def check(features: Sequence[Feature], label: Number | Category | None, batch: Batch) -> Rows:
    """The rows of a batch by their features and, where there is one, their label."""
    wanted = [*features, label] if label else list(features)
    typed: dict[str, pa.Array] = {}
    aside = batch.no_rows()
    keep = np.ones(len(batch), bool)
    for feature in wanted:
        raw = batch.columns.get(feature.name)
        raw = pa.nulls(len(batch)) if raw is None else raw
        typed[feature.name], faults = convert(feature, raw, batch.composites.get(feature.name, {}))
        for fault in [*faults, *_forbidden(feature, feature is label, typed[feature.name])]:
            # Of several faults in a row, the first is told.
            if len(rows := fault.rows[keep[fault.rows]]):
                keep[rows] = False
                aside.append(batch.set_aside(fault.reason, rows, fault.received))
    if not keep.all():
        typed = {name: values.filter(pa.array(keep)) for name, values in typed.items()}
    return Rows(
        columns=typed,
        ids=row_ids({feature.name: typed[feature.name] for feature in features}, int(keep.sum())),
        numbers=batch.numbers[keep],
        aside=aside,
    )


def _forbidden(feature: Feature, is_label: bool, values: pa.Array) -> Iterator[Fault]:
    """Values that can be read, and yet make no row."""
    if is_label and isinstance(feature, Category):
        known = pc.is_in(values, pa.array(feature.values, values.type)).to_numpy(zero_copy_only=False)
        strange = np.flatnonzero(~known & values.is_valid().to_numpy(zero_copy_only=False))
        names = ", ".join(map(repr, feature.values[:NAMED])) + (", ..." if len(feature.values) > NAMED else "")
        yield Fault(f"{feature.name} is none of {names}", strange, lambda at: repr(values[at].as_py()))
    if feature.when_missing == "reject" and values.null_count:
        yield Fault(f"{feature.name} is missing", np.flatnonzero(values.is_null()), lambda _: "")
