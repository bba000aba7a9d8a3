"""What the columns of a TensorFlow Datasets' data set hold, and which of them a task's columns are."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tasks import Category, Date, Feature, Image, InputError, Number, Task, Text

ELEMENT = re.compile(r"(?P<name>.+)\[(?P<at>\d+)\]")


@dataclass(frozen=True)
class Held:
    """One of tfds' columns: number, class, text, picture or other; how many values; how people read it."""

    kind: str
    length: int | None
    shown: str
    names: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """Where the values of a task's column stand, and the names of classes where the task knows them by name."""

    key: str
    element: int | None = None
    is_class: bool = False
    names: tuple[str, ...] = ()

    def values(self, decoded: pa.RecordBatch) -> pa.Array:
        """The column of some decoded tf.Examples; null where a row has no value."""
        if self.key not in decoded.schema.names:
            return pa.nulls(decoded.num_rows)
        lists = decoded.column(self.key)
        lists = pc.if_else(pc.greater(pc.list_value_length(lists), self.element or 0), lists, None)
        at = pc.add(lists.offsets.slice(0, len(lists)), self.element or 0)
        values = lists.values.take(pc.if_else(lists.is_valid(), at, None))
        if self.is_class:
            values = pc.if_else(pc.greater_equal(values, 0), values, None)  # -1 stands for no label
        return pa.array(self.names).take(values) if self.names else values


def columns_of(features: Any, above: str = "") -> dict[str, Held]:
    """Every column by the name that it has in the files: those of a dictionary with slashes."""
    import tensorflow_datasets as tfds

    found: dict[str, Held] = {}
    for name, feature in features.items():
        if isinstance(feature, tfds.features.FeaturesDict):
            found |= columns_of(feature, f"{above}{name}/")
        else:
            found[above + name] = _held(feature)
    return found


def _held(feature: Any) -> Held:
    import tensorflow_datasets as tfds

    kinds, shown = tfds.features, re.sub(r"\s+", " ", repr(feature))
    match feature:
        case kinds.ClassLabel():
            names = tuple(feature.names)
            return Held("class", 1, f"classes {', '.join(names[:5])}{', ...' * (len(names) > 5)}", names)
        case kinds.Text():
            return Held("text", 1, "text")
        case kinds.Image() if type(feature) is kinds.Image and feature.np_dtype in (np.uint8, np.uint16):
            return Held("picture", 1, "pictures")
        case kinds.Tensor() if type(feature) in (kinds.Tensor, kinds.Scalar) and len(feature.shape) < 2:
            if feature.to_json_content().encoding == "none":
                length = feature.shape[0] if feature.shape else 1
                return Held("text" if feature.np_dtype is object else "number", length, shown)
    return Held("other", None, shown)


WANTED: Mapping[type, tuple[str, frozenset[str]]] = {
    Number: ("numbers", frozenset({"number"})),
    Category: ("classes, numbers or text", frozenset({"class", "number", "text"})),
    Text: ("text", frozenset({"text"})),
    Image: ("pictures", frozenset({"picture"})),
    Date: ("text", frozenset({"text"})),  # of numbers nobody knows what they count
}


def fitting(task: Task, data: str, there: Mapping[str, Held]) -> dict[str, Found]:
    """For each of the task's columns where it stands; InputError where one is not there or is of another kind."""
    return {column.name: _one(column, data, there) for column in task.columns}


def _one(column: Feature, data: str, there: Mapping[str, Held]) -> Found:
    listed = "; ".join(f"{name}: {held.shown}" for name, held in there.items())
    key, element = next(
        (place for name in filter(None, (column.column, column.name)) if (place := _place(name, there))), ("", None)
    )
    if not key:
        kind = type(column).__name__
        raise InputError(
            f"{data} has no column {column.column or column.name!r}, which the task wants. Found: {listed}. What the "
            f'data set calls it can be said in the task: {kind}("{column.name}", ..., column="NAME"), with '
            'column="NAME[0]" for the first of several values.'
        )
    held, (words, kinds) = there[key], WANTED[type(column)]
    if held.kind not in kinds or (element is None and held.length != 1):
        raise InputError(
            f"{data}: the column {key!r} does not fit {type(column).__name__} {column.name!r}. Expected {words}, one "
            f"value a row. Received: {held.shown}."
        )
    if isinstance(column, Category) and held.kind == "class":
        return Found(key, element, True, _names(column, data, key, held))
    return Found(key, element)


def _place(name: str, there: Mapping[str, Held]) -> tuple[str, int | None] | None:
    if name in there:
        return name, None
    match = ELEMENT.fullmatch(name)
    if match and match["name"] in there and int(match["at"]) < (there[match["name"]].length or 0):
        return match["name"], int(match["at"])
    return None


def _names(column: Category, data: str, key: str, held: Held) -> tuple[str, ...]:
    """The classes' names where the task knows them all, which tells them apart whatever their order; else numbers."""
    if set(held.names) <= {*column.labels, *map(str, column.values)}:
        return held.names
    if column.integer:
        return ()
    strange = [name for name in held.names if name not in column.labels]
    raise InputError(
        f"{data}: the column {key!r} has the class{'es' * (len(strange) > 1)} {', '.join(map(repr, strange[:5]))}, "
        f"which Category {column.name!r} does not know. Expected only: {', '.join(map(repr, column.values[:10]))}."
    )
