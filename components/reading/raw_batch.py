"""What every reader yields: raw columns, where each row stands, and what is no row at all."""

from __future__ import annotations

import base64
import difflib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from components.examples.rejected import Rejected, SetAside, grouped
from components.reading.line_boundaries import Broken
from tasks import InputError

# Rows of a batch where the format does not say how many bytes a row has.
ROWS = 16384


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Raw rows in the source's order; `number` counts lines or rows of the source from 1.

    `composites` are the lists and objects that stand where one value is expected, by column and row; the columns have
    null there. `rejected` are lines that are no rows, `aside` those of which there may be very many.
    """

    columns: Mapping[str, pa.Array]
    numbers: np.ndarray
    source: str
    unit: str = "row"
    raw: Callable[[int], str] | None = None
    rejected: tuple[Rejected, ...] = ()
    aside: tuple[SetAside, ...] = ()
    composites: Mapping[str, Mapping[int, Any]] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.numbers)

    def reject(self, index: int, reason: str, received: str) -> Rejected:
        number = int(self.numbers[index])
        return Rejected(number, f"{self.source} {self.unit} {number}", reason, received, self.text(index))

    def no_rows(self) -> list[SetAside]:
        """All lines that are none."""
        return [*grouped(self.rejected), *self.aside]

    def set_aside(self, reason: str, rows: np.ndarray, received: Callable[[int], str]) -> SetAside:
        """Rows of this batch, by their indices, that break one rule."""
        return SetAside(
            reason, self.numbers[rows], lambda at: self.reject(int(rows[at]), reason, received(int(rows[at])))
        )

    def text(self, index: int) -> str:
        """The row as it stood in the source; as JSON where the source is binary."""
        if self.raw is not None:
            return self.raw(index)
        values = {name: _value(column, index) for name, column in self.columns.items()}
        values |= {name: found[index] for name, found in self.composites.items() if index in found}
        return json.dumps(values, default=_readable, ensure_ascii=False)


def broken(source: str, line: Broken) -> Batch:
    """No row at all: the line is set aside."""
    aside = (Rejected(line.line, f"{source} line {line.line}", line.reason, "", line.text),)
    return Batch(columns={}, numbers=np.empty(0, np.int64), source=source, unit="line", rejected=aside)


def is_text(kind: pa.DataType) -> bool:
    return pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)


def is_bytes(kind: pa.DataType) -> bool:
    fixed = pa.types.is_fixed_size_binary(kind)
    return fixed or pa.types.is_binary(kind) or pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind)


def _value(column: pa.Array, index: int) -> Any:
    try:
        return column[index].as_py()
    except UnicodeDecodeError:
        return column.slice(index, 1).cast(pa.binary())[0].as_py()
    except OverflowError:  # a timestamp beyond what Python has a date for
        return column[index].value


def _readable(value: Any) -> Any:
    return {"b64": base64.b64encode(value).decode()} if isinstance(value, bytes) else str(value)


def _guess(name: str, found: Sequence[str]) -> str:
    close = [one for one in found if one.casefold() == name.casefold()] or difflib.get_close_matches(name, found, n=1)
    return f" Did you mean {close[0]!r} for {name!r}?" if close else ""


def find_columns(source: str, found: Sequence[str], needed: Sequence[str], optional: Sequence[str]) -> list[str]:
    """The columns to read; InputError when a needed one is not there, or there twice."""
    missing = [name for name in needed if name not in found and name not in optional]
    if missing:
        shown = ", ".join(repr(name[:40]) for name in found[:20]) + (", ..." if len(found) > 20 else "")
        plural, those = ("s", "they are") if len(missing) > 1 else ("", "it is")
        guess = _guess(missing[0], [name for name in found if name not in needed])
        raise InputError(
            f"{source} has no column{plural} {', '.join(map(repr, missing))}, and {those} needed. "
            f"Found: {shown or 'none'}.{guess}"
        )
    for name in needed:
        if found.count(name) > 1:
            raise InputError(f"{source} has {found.count(name)} columns named {name!r}. Expected one.")
    wanted = [name for name in needed if name in found]
    if not wanted:
        raise InputError(f"{source} has none of the columns {', '.join(needed)}.")
    return wanted
