"""What the rows look like, column by column and split by split: gathered batch by batch, merged part by part.

All counts are exact. Quantiles come from a mergeable sketch, at most half a percentage point off in rank.
`count` is the number of values present, `missing` of those absent; numbers also cover a text's characters and an
image's mean pixel. Dates have a first and a last; their quantiles are seconds since 1970.
"""

from __future__ import annotations

import math
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from tfx_bsl.sketches import QuantilesSketch

from components.examples.pictures import brightness
from components.examples.rejected import Rejected, SetAside
from tasks import Category, Date, Feature
from tasks._splits import SPLITS
from transforms import iso_dates

RANK_ERROR = 0.005
TOP = 100
EXAMPLES = 20
# Rows set aside that each part keeps for one reason; all are counted.
KEPT = 1000
# Distinct values that are counted in a column outside its set of known ones; beyond, only their total is exact.
STRANGERS = 10_000
SHOWN = 200
MOMENTS = ("count", "missing", "low", "high", "mean", "squares")


class Numbers:
    """Count, missing, smallest, largest, mean, deviation and quantiles of numbers that arrive in batches."""

    def __init__(self) -> None:
        self.count = self.missing = 0
        self.low, self.high, self.mean, self.squares = math.inf, -math.inf, 0.0, 0.0
        self.sketch = QuantilesSketch(RANK_ERROR, 1 << 32, 1)

    def add(self, values: np.ndarray) -> None:
        """NaN stands for missing."""
        present = values[~np.isnan(values)].astype(np.float64)
        self.missing += len(values) - len(present)
        if len(present):
            mean = float(present.mean())
            self._merge_moments(len(present), mean, float(((present - mean) ** 2).sum()))
            self.low, self.high = min(self.low, float(present.min())), max(self.high, float(present.max()))
            self.sketch.AddValues(pa.array(present))

    def merge(self, other: Numbers) -> None:
        self.missing += other.missing
        if other.count:
            self._merge_moments(other.count, other.mean, other.squares)
            self.low, self.high = min(self.low, other.low), max(self.high, other.high)
            self.sketch.Merge(other.sketch)

    def summary(self) -> dict[str, Any]:
        found: dict[str, Any] = {"count": self.count, "missing": self.missing}
        if self.count:
            quantiles = self.sketch.GetQuantiles(100).to_pylist()[0]
            deviation = math.sqrt(self.squares / self.count)
            found |= {"min": self.low, "max": self.high, "mean": self.mean, "std": deviation, "quantiles": quantiles}
        return found

    def state(self) -> dict[str, Any]:
        """All of it as JSON can hold it, exactly."""
        moments = {name: getattr(self, name) for name in MOMENTS}
        return moments | {"sketch": b64encode(self.sketch.__getstate__()).decode()}

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> Numbers:
        numbers = cls()
        for name in MOMENTS:
            setattr(numbers, name, state[name])
        numbers.sketch = QuantilesSketch.__new__(QuantilesSketch)
        numbers.sketch.__setstate__(b64decode(state["sketch"]))
        return numbers

    def _merge_moments(self, count: int, mean: float, squares: float) -> None:
        """Chan's rule for the mean and the sum of squared deviations of two sets together."""
        total, apart = self.count + count, mean - self.mean
        self.squares += squares + apart * apart * self.count * count / total
        self.mean += apart * count / total
        self.count = total


class Dates(Numbers):
    """The first and the last of dates, and how they are distributed; as numbers they are seconds since 1970."""

    def summary(self) -> dict[str, Any]:
        found = super().summary()
        if not self.count:
            return found
        first, last = (iso_dates.of_seconds(second) for second in (self.low, self.high))
        return {name: found[name] for name in ("count", "missing", "quantiles")} | {"first": first, "last": last}


class Values:
    """How often each value of a category came."""

    def __init__(self, known: Sequence[int | str]) -> None:
        self.known = frozenset(known)
        self.missing = 0
        self.outside = 0
        self.counts: Counter[int | str] = Counter()

    def add(self, values: pa.Array) -> None:
        self.missing += values.null_count
        counted = pc.value_counts(values.drop_null())
        pairs = zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True)
        self._count(dict(pairs))

    def merge(self, other: Values) -> None:
        self.missing += other.missing
        self.outside += other.outside - sum(n for value, n in other.counts.items() if value not in self.known)
        self._count(other.counts)

    def summary(self) -> dict[str, Any]:
        count = sum(n for value, n in self.counts.items() if value in self.known) + self.outside
        ordered = sorted(self.counts.items(), key=lambda pair: (-pair[1], str(pair[0])))
        strange = [value for value, _ in ordered if value not in self.known]
        return {
            "count": count,
            "missing": self.missing,
            "top": [list(pair) for pair in ordered[:TOP]],
            "outside": {"count": self.outside, "values": strange[:10]},
        }

    def state(self) -> dict[str, Any]:
        """All but the known values, which the column tells, as JSON can hold it."""
        return {"missing": self.missing, "outside": self.outside, "counts": list(self.counts.items())}

    @classmethod
    def of(cls, known: Sequence[int | str], state: Mapping[str, Any]) -> Values:
        values = cls(known)
        values.missing, values.outside = state["missing"], state["outside"]
        values.counts = Counter(dict(state["counts"]))
        return values

    def _count(self, counts: Mapping[int | str, int]) -> None:
        self.counts.update(counts)
        self.outside += sum(n for value, n in counts.items() if value not in self.known)
        if len(self.counts) > STRANGERS + len(self.known):
            strange = Counter({value: n for value, n in self.counts.items() if value not in self.known})
            for value, _ in sorted(strange.items(), key=lambda pair: (-pair[1], str(pair[0])))[STRANGERS // 2 :]:
                del self.counts[value]


@dataclass
class Aside:
    """The rows set aside: how many for which reason, the first few, and how many are kept as they stood."""

    count: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)
    kept: int = 0

    def add(self, groups: Sequence[SetAside]) -> list[Rejected]:
        """Count all; gives those to keep, in their order."""
        keep: list[Rejected] = []
        for group in groups:
            keep += group.first(KEPT - self.reasons[group.reason])
            self.count += len(group.numbers)
            self.reasons[group.reason] += len(group.numbers)
        keep.sort(key=lambda row: row.number)
        self.kept += len(keep)
        for row in keep[: EXAMPLES - len(self.examples)]:
            self.examples.append({"position": row.position, "reason": row.sentence, "row": row.row[:SHOWN]})
        return keep

    def merge(self, other: Aside) -> None:
        self.count += other.count
        self.kept += other.kept
        self.reasons.update(other.reasons)
        self.examples.extend(other.examples[: EXAMPLES - len(self.examples)])

    def summary(self) -> dict[str, Any]:
        return {
            "count": self.count, "kept": self.kept, "reasons": dict(+self.reasons), "examples": self.examples
        }  # fmt: skip

    @classmethod
    def of(cls, summary: Mapping[str, Any]) -> Aside:
        return cls(summary["count"], Counter(summary["reasons"]), summary["examples"], summary["kept"])


class Statistics:
    """All columns of all splits."""

    def __init__(self, columns: Sequence[Feature]) -> None:
        self.rows = dict.fromkeys(SPLITS, 0)
        self.aside = Aside()
        self.columns = {column.name: {split: _empty(column) for split in SPLITS} for column in columns}

    def add(self, splits: np.ndarray, columns: Mapping[str, pa.Array]) -> None:
        """Typed columns, and the number of each row's split."""
        masks = [splits == number for number in range(len(SPLITS))]
        for split, mask in zip(SPLITS, masks, strict=True):
            self.rows[split] += int(mask.sum())
        for name, values in columns.items():
            gathered = self.columns[name]
            if isinstance(gathered["train"], Numbers):
                numbers = as_numbers(values)
                for split, mask in zip(SPLITS, masks, strict=True):
                    gathered[split].add(numbers[mask])
            else:
                for split, mask in zip(SPLITS, masks, strict=True):
                    gathered[split].add(values.filter(pa.array(mask)))

    def merge(self, other: Statistics) -> None:
        self.aside.merge(other.aside)
        for split in SPLITS:
            self.rows[split] += other.rows[split]
            for name, gathered in self.columns.items():
                gathered[split].merge(other.columns[name][split])

    def state(self) -> dict[str, Any]:
        """What a worker sends: `of` makes the same statistics of it."""
        columns = {
            name: {split: column.state() for split, column in gathered.items()}
            for name, gathered in self.columns.items()
        }
        return {"rows": self.rows, "aside": self.aside.summary(), "columns": columns}

    @classmethod
    def of(cls, columns: Sequence[Feature], state: Mapping[str, Any]) -> Statistics:
        statistics = cls(columns)
        statistics.rows, statistics.aside = dict(state["rows"]), Aside.of(state["aside"])
        for column in columns:
            found = state["columns"][column.name]
            statistics.columns[column.name] = {split: _restored(column, found[split]) for split in SPLITS}
        return statistics

    def compact(self) -> None:
        """Make the sketches small, to be stored."""
        for gathered in self.columns.values():
            for column in gathered.values():
                if isinstance(column, Numbers):
                    column.sketch.Compact()

    def summary(self) -> dict[str, Any]:
        columns = {
            name: {split: column.summary() for split, column in gathered.items()}
            for name, gathered in self.columns.items()
        }
        return {"rows": dict(self.rows), "rejected": self.aside.summary(), "columns": columns}


def _empty(column: Feature) -> Any:
    return Values(column.values) if isinstance(column, Category) else _kind(column)()


def _restored(column: Feature, state: Mapping[str, Any]) -> Any:
    return Values.of(column.values, state) if isinstance(column, Category) else _kind(column).of(state)


def _kind(column: Feature) -> type[Numbers]:
    return Dates if isinstance(column, Date) else Numbers


def as_numbers(values: pa.Array) -> np.ndarray:
    """What is summarised of a column: numbers as they are, dates in seconds, a text's characters, the mean pixel."""
    if pa.types.is_timestamp(values.type):
        microseconds = values.cast(pa.int64()).cast(pa.float64(), safe=False)
        return pc.fill_null(microseconds, math.nan).to_numpy(zero_copy_only=False) / 1e6
    if pa.types.is_float32(values.type):
        numbers: np.ndarray = values.fill_null(math.nan).to_numpy(zero_copy_only=False)
        return numbers
    if pa.types.is_string(values.type):
        lengths = pc.utf8_length(values).cast(pa.float64())
        return pc.fill_null(lengths, math.nan).to_numpy(zero_copy_only=False)
    found = np.full(len(values), math.nan)
    found[values.is_valid().to_numpy(zero_copy_only=False)] = brightness(values.drop_null().to_pylist())
    return found
