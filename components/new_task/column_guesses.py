"""What each column of a table seems to hold: a number, one of a few values, text, or nothing to learn from."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.reading.convert_columns import convert
from tasks import Category, Date, Feature, InputError, Number, Text, WhenMissing, nearest
from transforms import iso_dates

# Integers of so few kinds are taken for codes.
CODES = 4
# A string column with more values than this, or with fewer rows than this a value, is no category.
VALUES, ROWS_A_VALUE = 100, 4
CLASSES = 30
# So many letters, on average, are more than a name.
PROSE = 30
# A number column may hold so many cells that are none; they will be set aside.
SPOILT = 0.01


@dataclass(frozen=True)
class Guess:
    """A column as a feature, its typed values, and in words what stands beside it."""

    feature: Feature
    values: pa.Array
    words: str

    @property
    def known(self) -> tuple[int, ...] | tuple[str, ...]:
        """A category's values; none of another feature."""
        return self.feature.values if isinstance(self.feature, Category) else ()


@dataclass(frozen=True)
class Guesses:
    """All columns of a table, and why some are left out."""

    features: list[Guess]
    label: Guess
    left_out: dict[str, str] = field(default_factory=dict)


def guesses(table: pa.Table, label: str) -> Guesses:
    """Judge every column; InputError if the label is not there or cannot be learned."""
    headers = table.column_names
    if label not in headers:
        raise InputError(f"There is no column {label!r} to learn.{nearest(label, headers)}")
    names = valid_names(headers)
    columns = {header: _whole(table.column(header)) for header in headers}
    learned = _label(names[label], label, columns.pop(label))
    features, left_out = [], {}
    for header, raw in columns.items():
        guess = _guess(names[header], header, raw)
        if isinstance(guess, str):
            left_out[header] = guess
        else:
            features.append(guess)
    if not features:
        raise InputError(f"No column but {label!r} is left to learn from: {_listed(left_out) or 'there is no other'}.")
    return Guesses(features, learned, left_out)


def valid_names(headers: Sequence[str]) -> dict[str, str]:
    """For each header a name of lower case letters, digits and underscores that no other one has."""
    names: dict[str, str] = {}
    for number, header in enumerate(headers, 1):
        plain = unicodedata.normalize("NFKD", header).encode("ascii", "ignore").decode().lower()
        name = re.sub(r"[^a-z0-9]+", "_", plain).strip("_") or f"column_{number}"
        name = name if name[0].isalpha() else f"column_{name}"
        taken, count = set(names.values()), 1
        while (unique := name if count == 1 else f"{name}_{count}") in taken:
            count += 1
        names[header] = unique
    return names


def _label(name: str, header: str, raw: pa.Array) -> Guess:
    number = _as_number(name, header, raw)
    values = number.values.drop_null() if number else None
    if number and values is not None and not (_whole_numbers(values) and _distinct(values) <= CLASSES):
        feature = Number(name, column=_column(name, header))
        return Guess(feature, number.values, f"{_found(values)}{_lacking(number.values)}")
    if number and values is not None:
        known = sorted(int(value) for value in pc.unique(values).to_pylist())
        return _category(name, header, raw, known, "kinds", optional=False)
    if _as_date(name, header, raw):
        raise InputError(
            f"The label {header!r} is a date, which cannot be learned. Expected numbers, such as the days until then, "
            "or a few kinds."
        )
    words = _words(raw)
    known_words = sorted(pc.unique(words.drop_null()).to_pylist())
    if len(known_words) > CLASSES * 10:
        raise InputError(
            f"The label {header!r} has {len(known_words):,} different values, which are no classes. Expected numbers, "
            f"or a few kinds. Received: {', '.join(map(repr, known_words[:3]))}, ..."
        )
    return _category(name, header, raw, known_words, "kinds", optional=False)


def _guess(name: str, header: str, raw: pa.Array) -> Guess | str:
    """The column as a feature, or why it is left out."""
    if number := _as_number(name, header, raw):
        return _number_or_code(name, header, raw, number)
    if date := _as_date(name, header, raw):
        distinct = _distinct(date.values.drop_null())
        return date if distinct > 1 else "always the same date" if distinct else "no values"
    if pa.types.is_nested(raw.type) or pa.types.is_temporal(raw.type):
        return f"values of type {raw.type}"
    words = _words(raw)
    present = words.drop_null()
    if not len(present):
        return "no values"
    distinct = _distinct(present)
    letters = pc.mean(pc.utf8_length(present)).as_py()
    if distinct == 1:
        return f"always {present[0].as_py()!r}"
    if distinct <= min(VALUES, len(present) / ROWS_A_VALUE):
        return _category(name, header, raw, sorted(pc.unique(present).to_pylist()), "values", optional=True)
    if letters >= PROSE:
        feature = Text(name, when_missing=_when_missing(words), column=_column(name, header))
        return Guess(feature, words, f"{letters:.0f} letters on average{_lacking(words)}")
    return f"{distinct:,} different short texts in {len(present):,} rows, such as {present[0].as_py()[:20]!r}"


def _number_or_code(name: str, header: str, raw: pa.Array, number: Guess) -> Guess | str:
    present = number.values.drop_null()
    if not len(present):
        return "no values"
    distinct = _distinct(present)
    if distinct == 1:
        return f"always {present[0].as_py():g}"
    if _whole_numbers(present):
        numbers = present.to_numpy(zero_copy_only=False)
        if distinct == len(numbers) > 20 and (np.abs(np.diff(numbers)) == 1).all():
            return "it numbers the rows"
        if distinct <= CODES and len(present) >= distinct * ROWS_A_VALUE:
            known = sorted(int(value) for value in pc.unique(present).to_pylist())
            return _category(name, header, raw, known, "codes, not measured", optional=True)
    return number


def _as_number(name: str, header: str, raw: pa.Array) -> Guess | None:
    """The column as a number with room around what was found; None if it holds other things."""
    if pa.types.is_boolean(raw.type) or pa.types.is_temporal(raw.type):
        return None
    values, faults = convert(Number(name), raw)
    present, wrong = values.drop_null(), sum(len(fault.rows) for fault in faults)
    if wrong > SPOILT * len(raw) or (not len(present) and raw.null_count < len(raw)):
        return None
    spoilt = f"; {wrong} that are no numbers will be set aside" if wrong else ""
    low, high = limits(present.to_numpy(zero_copy_only=False)) if len(present) else (None, None)
    feature = Number(
        name, minimum=low, maximum=high, when_missing=_when_missing(values, wrong), column=_column(name, header)
    )
    return Guess(feature, values, f"{_found(present)}{_lacking(values, wrong)}{spoilt}" if len(present) else "")


def _as_date(name: str, header: str, raw: pa.Array) -> Guess | None:
    """The column as days or times, if that is what all but a few of its cells hold."""
    values, faults = convert(Date(name), raw)
    present, wrong = values.drop_null(), sum(len(fault.rows) for fault in faults)
    if wrong > SPOILT * len(raw) or not len(present):
        return None
    ends = pc.min_max(present.cast(pa.int64()))
    first, last = (iso_dates.written(ends[end].as_py()) for end in ("min", "max"))
    spoilt = f"; {wrong} that are no dates will be set aside" if wrong else ""
    feature = Date(name, when_missing=_when_missing(values, wrong), column=_column(name, header))
    return Guess(feature, values, f"{first} to {last}{_lacking(values, wrong)}{spoilt}")


def _category(name: str, header: str, raw: pa.Array, known: Sequence[Any], what: str, *, optional: bool) -> Guess:
    if len(known) < 2:
        raise InputError(f"The label {header!r} has one value only: {known}. Expected at least two kinds, or numbers.")
    feature = Category(name, tuple(known), column=_column(name, header))
    values, _ = convert(feature, raw)
    if optional and values.null_count and (-1 if feature.integer else "") not in known:
        feature = Category(name, tuple(known), when_missing="keep", column=_column(name, header))
    return Guess(feature, values, f"{len(known)} {what}{_lacking(values)}")


def limits(values: np.ndarray) -> tuple[float, float]:
    """Room for rows that are not there yet: half of the span on each side, in round numbers; none below zero."""
    low, high = float(values.min()), float(values.max())
    room = (high - low) / 2 or abs(high) or 1.0
    step = 10.0 ** math.floor(math.log10(room))
    least, most = math.floor((low - room) / step) * step, math.ceil((high + room) / step) * step
    digits = max(0, -math.floor(math.log10(room)))
    return (0.0 if low >= 0 > least else round(least, digits)), round(most, digits)


def _words(raw: pa.Array) -> pa.Array:
    """As a category reads it: text without blanks around it, true and false in lower case."""
    if pa.types.is_boolean(raw.type):
        return pc.if_else(raw, "true", "false")
    return convert(Category("x", ("a", "b")), raw)[0]


def _whole(column: pa.ChunkedArray) -> pa.Array:
    found = column.combine_chunks()
    array = pa.concat_arrays(found.chunks) if isinstance(found, pa.ChunkedArray) else found
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def _whole_numbers(values: pa.Array) -> bool:
    numbers = values.to_numpy(zero_copy_only=False)
    return bool((numbers == np.floor(numbers)).all()) and len(numbers) > 0


def _distinct(values: pa.Array) -> int:
    return len(pc.unique(values))


def _when_missing(values: pa.Array, faults: int = 0) -> WhenMissing:
    return "keep" if values.null_count > faults else "reject"


def _column(name: str, header: str) -> str:
    return "" if name == header else header


def _found(values: pa.Array) -> str:
    extremes = pc.min_max(values)
    return f"{extremes['min'].as_py():.6g} to {extremes['max'].as_py():.6g}"


def _lacking(values: pa.Array, faults: int = 0) -> str:
    absent = values.null_count - faults
    return f"; {absent:,} of {len(values):,} rows lack it" if absent else ""


def _listed(left_out: dict[str, str]) -> str:
    return "; ".join(f"{header!r}: {why}" for header, why in left_out.items())
