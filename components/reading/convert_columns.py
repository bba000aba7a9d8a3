"""One raw column to its feature's type (float32, int64, string, binary, timestamp), and what is wrong where.

A fault's reason names the column and the rule, so that equal faults can be counted together.
"""

from __future__ import annotations

import math
import re
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.reading.convert_pictures import convert_pictures
from components.reading.date_column import dates
from components.reading.raw_batch import is_bytes, is_text
from components.reading.single_values import Composites, Fault, as_single, shown
from tasks import Category, Date, Feature, Image, Number, Text

NONE: Composites = {}
MISSING = ("", "?", "na", "nan", "null")
NUMERAL = r"^[+-]?(?i:(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|inf|infinity|nan)$"
COMMA = r"^[+-]?\d+,\d+$"


def convert(feature: Feature, raw: pa.Array, composites: Composites = NONE) -> tuple[pa.Array, list[Fault]]:
    if pa.types.is_dictionary(raw.type):
        raw = raw.dictionary_decode()
    if isinstance(feature, Image):
        return convert_pictures(feature, raw, composites)
    raw, faults = as_single(feature, raw, composites) if composites else (raw, [])
    match feature:
        case Number():
            values, found = _numbers(feature.name, raw)
        case Category():
            values, found = _categories(feature, raw)
        case Text():
            values, found = _texts(feature.name, raw)
        case Date():
            values, found = dates(feature.name, raw)
    return values, [*faults, *found]


def _numbers(name: str, raw: pa.Array) -> tuple[pa.Array, list[Fault]]:
    faults: list[Fault] = []
    kind = raw.type
    if is_text(kind) or is_bytes(kind):
        text = raw.cast(pa.binary()).cast(pa.string(), safe=False) if kind != pa.string() else raw
        values, unreadable = _parse(text)
        faults = _no_numbers(name, text, unreadable)
    elif pa.types.is_null(kind):
        values = np.full(len(raw), np.nan)
    elif (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_decimal(kind)
    ):
        values = _float64(raw)
    else:
        values = np.full(len(raw), np.nan)
        faults = _of_type(f"{name} is not a number", raw)
    with np.errstate(over="ignore"):
        narrow = values.astype(np.float32)
    infinite, wide = np.isinf(values), np.isinf(narrow)
    for reason, wrong in (("is not finite", infinite), ("does not fit into 32 bits", wide & ~infinite)):
        if wrong.any():
            faults.append(Fault(f"{name} {reason}", np.flatnonzero(wrong), lambda at: shown(_received(raw, at))))
    return pa.array(narrow, mask=np.isnan(narrow)), faults


def _received(raw: pa.Array, at: int) -> Any:
    return _bytes(raw, at) if is_text(raw.type) or is_bytes(raw.type) else raw[at].as_py()


def _no_numbers(name: str, text: pa.Array, rows: np.ndarray) -> list[Fault]:
    """Where only a comma stands in the way, that is told: a decimal comma is no point."""
    if not len(rows):
        return []
    found = pc.ascii_trim_whitespace(text.take(pa.array(rows)))
    comma = pc.fill_null(pc.match_substring_regex(found, COMMA), False).to_numpy(zero_copy_only=False)
    reasons = {
        f"{name} is not a number": rows[~comma],
        f"{name} is a number with a comma (write 3.5, and 1234)": rows[comma],
    }
    return [Fault(reason, some, lambda at: shown(_bytes(text, at))) for reason, some in reasons.items() if len(some)]


def _of_type(reason: str, raw: pa.Array) -> list[Fault]:
    """No value of such a column can be read."""
    rows = np.flatnonzero(raw.is_valid())
    return [Fault(reason, rows, lambda _: f"a value of type {raw.type}")] if len(rows) else []


def _parse(raw: pa.Array) -> tuple[np.ndarray, np.ndarray]:
    """The numbers that strings hold, NaN for the others, and which of those are no token for missing either."""
    try:
        return _float64(raw), np.empty(0, np.int64)
    except pa.ArrowInvalid:
        pass
    text = pc.ascii_trim_whitespace(raw)
    numeral = pc.match_substring_regex(text, NUMERAL)
    values = _float64(pc.ascii_ltrim(pc.if_else(numeral, text, None), "+"))
    unreadable = pc.invert(pc.or_(numeral, pc.is_in(pc.ascii_lower(text), pa.array(MISSING))))
    return values, np.flatnonzero(unreadable.fill_null(False))


def _float64(raw: pa.Array) -> np.ndarray:
    if pa.types.is_boolean(raw.type):
        raw = raw.cast(pa.int8())
    return pc.fill_null(raw.cast(pa.float64(), safe=False), math.nan).to_numpy(zero_copy_only=False)


def _categories(feature: Category, raw: pa.Array) -> tuple[pa.Array, list[Fault]]:
    """Each distinct value is judged once."""
    kind = pa.int64() if feature.integer else pa.string()
    if pa.types.is_nested(raw.type):
        return pa.nulls(len(raw), kind), _of_type(f"{feature.name} is not one value", raw)
    if is_text(raw.type):
        raw = raw.cast(pa.binary())
    coded = raw.dictionary_encode()
    lookup = _lookup(feature)
    judged = [_category(feature, lookup, value) for value in coded.dictionary.to_pylist()]
    values = pa.array([value for value, _ in judged], kind).take(coded.indices)
    codes = coded.indices.fill_null(-1).to_numpy(zero_copy_only=False)
    received = {code: fault[1] for code, (_, fault) in enumerate(judged) if fault}
    faults = []
    for reason in sorted({fault[0] for _, fault in judged if fault}):
        wrong = [code for code, (_, fault) in enumerate(judged) if fault and fault[0] == reason]
        faults.append(Fault(reason, np.flatnonzero(np.isin(codes, wrong)), lambda at: received[codes[at]]))
    return values, faults


def _lookup(feature: Category) -> dict[str, int | str]:
    """What a value may be written as: itself, or what people read for it."""
    names: dict[str, int | str] = dict(zip(feature.names, feature.values, strict=False))
    return names | {str(value): value for value in feature.values}


def _category(
    feature: Category, lookup: dict[str, int | str], value: Any
) -> tuple[int | str | None, tuple[str, str] | None]:
    if isinstance(value, bytes):
        try:
            value = value.decode().strip()
        except UnicodeDecodeError:
            return None, (f"{feature.name} is not UTF-8 text", shown(value))
    if isinstance(value, bool):
        value = str(value).lower() if str(value).lower() in lookup else int(value)
    elif isinstance(value, float) and value.is_integer():
        value = int(value)
    if value is None or value == "" or value != value:
        return None, None
    text = str(value)
    if text in lookup:
        return lookup[text], None
    if not feature.integer:
        return text, None
    return _integer(feature.name, text)


def _integer(name: str, text: str) -> tuple[int | None, tuple[str, str] | None]:
    if text.lower() in MISSING:
        return None, None
    number = float(text) if re.fullmatch(NUMERAL, text, re.ASCII) else math.nan
    value = int(number) if number.is_integer() else None
    if value is None or not -(2**63) <= value < 2**63:
        return None, (f"{name} is not an integer", shown(text))
    return value, None


def _texts(name: str, raw: pa.Array) -> tuple[pa.Array, list[Fault]]:
    if pa.types.is_null(raw.type):
        return raw.cast(pa.string()), []
    if not (is_text(raw.type) or is_bytes(raw.type)):
        return pa.nulls(len(raw), pa.string()), _of_type(f"{name} is not text", raw)
    data = raw.cast(pa.binary())
    data = pc.if_else(pc.equal(pc.binary_length(data), 0), None, data)
    try:
        return data.cast(pa.string()), []
    except pa.ArrowInvalid:
        checked = [_utf8(value) for value in data.to_pylist()]
    wrong = np.array([at for at, value in enumerate(checked) if value is False])
    fault = Fault(f"{name} is not UTF-8 text", wrong, lambda at: shown(data[at].as_py()))
    return pa.array([value or None for value in checked], pa.string()), [fault]


def _utf8(value: bytes | None) -> str | bool | None:
    try:
        return value if value is None else value.decode()
    except UnicodeDecodeError:
        return False


def _bytes(raw: pa.Array, at: int) -> bytes:
    return raw.slice(at, 1).cast(pa.binary())[0].as_py()
