"""Cells that hold a list or an object where a column has one value: kept apart, and taken only where they mean one."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from tasks import Category, Date, Feature, Text

Composites = Mapping[int, Any]
SHOWN = 40


@dataclass(frozen=True)
class Fault:
    """Rows that break one rule; what was received is told of those that are asked for, for there may be millions."""

    reason: str
    rows: np.ndarray
    received: Callable[[int], str]


def shown(value: Any) -> str:
    """A received value in a message, never longer than half a line."""
    text = value.decode("utf-8", errors="backslashreplace") if isinstance(value, bytes) else value
    return repr(text if not isinstance(text, str) or len(text) <= SHOWN else text[: SHOWN - 3] + "...")


def apart(values: Sequence[Any]) -> tuple[list[Any], dict[int, Any]]:
    """The single values, with None for each list or object, and those by their places."""
    composites = {at: value for at, value in enumerate(values) if isinstance(value, list | dict)}
    return [None if at in composites else value for at, value in enumerate(values)], composites


def as_single(feature: Feature, raw: pa.Array, composites: Composites) -> tuple[pa.Array, list[Fault]]:
    """The column with TF Serving's `{"b64": ...}` decoded where bytes are meant, and what is no one value."""
    decoded: dict[int, bytes] = {}
    wrong: dict[str, list[int]] = {}
    for at, value in composites.items():
        written = value.get("b64") if isinstance(value, dict) and len(value) == 1 else None
        if not isinstance(written, str) or not isinstance(feature, Text | Category | Date):
            wrong.setdefault(f"{feature.name} is not one value", []).append(at)
            continue
        try:
            decoded[at] = base64.b64decode(written, validate=True)
        except (binascii.Error, ValueError):
            wrong.setdefault(f"{feature.name} is not base64", []).append(at)
    if decoded:
        plain = raw.cast(pa.string()).cast(pa.binary()).to_pylist()
        raw = pa.array([decoded.get(at, value) for at, value in enumerate(plain)], pa.binary())
    faults = [
        Fault(reason, np.array(rows), lambda at: shown(_written(composites[at]))) for reason, rows in wrong.items()
    ]
    return raw, faults


def _written(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=lambda one: one.decode("utf-8", errors="backslashreplace"))
