"""Which field of a form stands for which kind of feature: the one place that knows. `page.js` reads them by their kind.

Elements are built with ElementTree, which escapes whatever a task or a row may say.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any
from xml.etree.ElementTree import Element, SubElement

import numpy as np

from components.serving.raw_features import plain_values
from tasks import Category, Date, Feature, Image, Number, Text
from transforms import iso_dates

Span = tuple[float, float] | tuple[str, str]


def field(feature: Feature, example: np.ndarray | None, span: Span | None) -> Element:
    """A labelled field with the example's value in it; `span` is what the training rows lay between."""
    value = plain_values(feature, example)[0] if example is not None else None
    label = Element("label", {"class": "field", "data-name": feature.name})
    SubElement(label, "span", {"class": "name"}).text = feature.name.replace("_", " ")
    if feature.about:
        SubElement(label, "span", {"class": "about"}).text = feature.about
    optional = feature.when_missing != "reject"
    if optional:
        label.set("data-optional", "yes")
    match feature:
        case Number():
            _number(label, feature, value, span)
        case Category():
            _choice(label, feature, value, optional)
        case Text():
            area = SubElement(label, "textarea", {"data-kind": "text", "rows": "6"})
            area.text = value if isinstance(value, str) else ""
        case Image():
            _picture(label, feature, value)
        case Date():
            _date(label, feature, value, span)
    return label


def _number(label: Element, feature: Number, value: float | None, span: Span | None) -> None:
    limits = {"min": feature.minimum, "max": feature.maximum}
    attributes = {name: f"{limit:g}" for name, limit in limits.items() if limit is not None}
    shown = "" if value is None else np.format_float_positional(np.float32(value), trim="-")
    SubElement(label, "input", {"type": "number", "step": "any", "data-kind": "number", "value": shown, **attributes})
    limits_ = f"{attributes.get('min', 'any')} to {attributes.get('max', 'any')}" if attributes else ""
    _hint(
        label,
        limits_,
        f"trained on {span[0]:g} to {span[1]:g}" if span else "",
        optional=feature.when_missing != "reject",
    )


def _date(label: Element, feature: Date, value: Any, span: Span | None) -> None:
    """A browser's field for a day and a time knows no zone: it is UTC."""
    limits = dict(zip(("min", "max"), feature.limits, strict=True))
    attributes = {name: _clock(limit) for name, limit in limits.items() if limit is not None}
    found = iso_dates.microseconds(value.strip()) if isinstance(value, str) else None
    shown = "" if found is None else _clock(found)
    kind = {"type": "datetime-local", "step": "any", "data-kind": "date", "value": shown}
    SubElement(label, "input", {**kind, **attributes})
    _hint(label, "UTC", f"trained on {span[0]} to {span[1]}" if span else "", optional=feature.when_missing != "reject")


def _clock(microseconds: int) -> str:
    """As such a field takes it, to the second."""
    day, _, time = iso_dates.written(microseconds // 10**6 * 10**6).removesuffix("Z").partition("T")
    return f"{day}T{time or '00:00'}"


def _hint(label: Element, *words: str, optional: bool) -> None:
    if told := [*filter(None, words), *(["may be empty"] if optional else [])]:
        SubElement(label, "span", {"class": "hint"}).text = "; ".join(told)


def _choice(label: Element, feature: Category, value: Any, optional: bool) -> None:
    """A value is written as JSON, so that 1 and "1" stay apart."""
    select = SubElement(label, "select", {"data-kind": "choice"})
    if optional:
        SubElement(select, "option", {"value": json.dumps(-1 if feature.integer else "")}).text = "(missing)"
    for each, name in zip(feature.values, feature.labels, strict=True):
        chosen = {"selected": "selected"} if each == value else {}
        SubElement(select, "option", {"value": json.dumps(each), **chosen}).text = name


def _picture(label: Element, feature: Image, value: Mapping[str, str] | None) -> None:
    height, width = feature.shape
    canvas = {"width": str(width), "height": str(height), "data-kind": "picture"}
    canvas |= {"data-channels": str(feature.channels), "data-sends": "pixels" if feature.exact else "file"}
    if value is not None:
        data = base64.b64decode(value["b64"])
        canvas |= {"data-pixels" if len(data) == feature.size else "data-file": value["b64"]}
    SubElement(label, "canvas", canvas)
    SubElement(label, "input", {"type": "file", "accept": "image/*"})
    becomes = f"it becomes {width} by {height} grey pixels" if feature.exact else "its file is sent as it is"
    SubElement(label, "span", {"class": "hint"}).text = f"drop a picture here; {becomes}"


def spans(features: tuple[Feature, ...], statistics: Mapping[str, Any]) -> dict[str, Span]:
    """The least and greatest training value of each number and date, where the version's statistics tell."""
    columns = statistics.get("columns", {})
    found = {feature.name: columns.get(feature.name, {}).get("train", {}) for feature in features}
    ends = {
        name: (seen.get("first", seen.get("min")), seen.get("last", seen.get("max"))) for name, seen in found.items()
    }
    return {name: (low, high) for name, (low, high) in ends.items() if low is not None}
