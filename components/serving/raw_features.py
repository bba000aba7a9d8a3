"""What a served model was asked, back to raw features by name, as JSON holds them; whichever signature was asked."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.serving.output_names import DEFAULT_SIGNATURE
from tasks import Category, Feature, Image, Number, Task


def raw_rows(task: Task, signature: str, inputs: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """The features of each row by name; what is missing is left out."""
    if signature == DEFAULT_SIGNATURE:
        return [_of_example(task, record) for record in inputs["examples"].tolist()]
    columns = {feature.name: plain_values(feature, inputs[feature.name]) for feature in task.features}
    each = zip(*columns.values(), strict=True)
    return [{name: v for name, v in zip(columns, values, strict=True) if v is not None} for values in each]


def plain_values(feature: Feature, values: np.ndarray) -> list[Any]:
    """A feature's values as JSON holds them, None for what stands for a missing one."""
    if isinstance(feature, Number):
        return [None if math.isnan(value) else value for value in short_floats(values)]
    if isinstance(feature, Category) and feature.integer:
        return [None if value == -1 else value for value in values.tolist()]
    return [_text(value, not isinstance(feature, Image)) if value else None for value in values.tolist()]


def short_floats(values: np.ndarray) -> Any:
    """A float32 in its own shortest digits: 0.1, where Python would say 0.10000000149011612."""
    return values.astype("U32").astype(np.float64).tolist()


def _of_example(task: Task, record: bytes) -> dict[str, Any]:
    from tensorflow.core.example.example_pb2 import Example  # comes with what has read the request

    found = Example.FromString(record).features.feature
    row: dict[str, Any] = {}
    for feature in task.features:
        kind = found[feature.name].WhichOneof("kind") if feature.name in found else None
        held = list(getattr(found[feature.name], kind).value)[:1] if kind else []
        dtype = np.float32 if kind == "float_list" else np.dtype("O") if kind == "bytes_list" else np.int64
        for value in plain_values(feature, np.array(held, dtype)):
            row |= {} if value is None else {feature.name: value}
    return row


def _text(value: bytes, readable: bool) -> Any:
    try:
        return value.decode() if readable else {"b64": base64.b64encode(value).decode()}
    except UnicodeDecodeError:
        return {"b64": base64.b64encode(value).decode()}
