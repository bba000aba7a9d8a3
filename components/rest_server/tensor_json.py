"""JSON to arrays and back, as TF Serving's REST API has it: https://www.tensorflow.org/tfx/serving/api_rest."""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from components.serving.output_names import DEFAULT_SIGNATURE
from components.serving.raw_features import short_floats

# The greatest integer, and the greatest number, that TF Serving takes for a 32-bit float.
EXACT, LARGEST = 2**24 - 1, float(np.finfo(np.float32).max)
TYPES = {bool: "Bool", int: "Number", float: "Number", str: "String", list: "Array", dict: "Object", type(None): "Null"}
SHOWN = 100


class RequestError(Exception):
    """What a client is told, with the status of the answer."""

    def __init__(self, text: str, status: int = 400) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A signature's name, an array for each of its inputs, and whether the answer is wanted row by row."""

    signature: str
    inputs: dict[str, np.ndarray]
    by_row: bool


def parsed(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise RequestError(f"JSON Parse error: {error}") from None
    if not isinstance(document, dict):
        raise RequestError(f"JSON Value: {_shown(document)} Is not object")
    return document


def asked(document: Mapping[str, Any], signatures: Mapping[str, Mapping[str, str]]) -> Asked:
    """The arrays of a `:predict` request, for one of the signatures (inputs and their types by name)."""
    name = document.get("signature_name", DEFAULT_SIGNATURE)
    if not isinstance(name, str):
        raise RequestError(f"'signature_name' must be a string. Received: {_shown(name)}")
    name = name or DEFAULT_SIGNATURE
    if name not in signatures:
        known = ", ".join(sorted(signatures))
        raise RequestError(f'Serving signature name: "{name}" not found in signature def. Expected one of: {known}')
    kinds = signatures[name]
    match "instances" in document, "inputs" in document:
        case True, True:
            raise RequestError("Expected only one of 'inputs' or 'instances'. Received both")
        case True, False:
            return Asked(signature=name, inputs=_by_row(document["instances"], kinds), by_row=True)
        case False, True:
            return Asked(signature=name, inputs=_by_column(document["inputs"], kinds), by_row=False)
    raise RequestError("Missing 'inputs' or 'instances' key")


def _by_row(instances: Any, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    if not isinstance(instances, list) or not instances:
        raise RequestError("Expected 'instances' to be a list of at least one element")
    if len(kinds) == 1 and (not isinstance(instances[0], dict) or _is_base64(instances[0])):
        instances = [{next(iter(kinds)): value} for value in instances]
    for at, row in enumerate(instances):
        if not isinstance(row, dict) or row.keys() != kinds.keys():
            received = ", ".join(sorted(row)) if isinstance(row, dict) else _shown(row)
            raise RequestError(
                f"Failed to process element: {at} of 'instances' list. JSON object keys must be equal to: "
                f"{', '.join(sorted(kinds))}. Received: {received[: SHOWN * 5]}"
            )
    where = "Failed to process element: {at} key: {name} of 'instances' list. "
    return {name: array(name, [row[name] for row in instances], kind, where) for name, kind in kinds.items()}


def _by_column(inputs: Any, kinds: Mapping[str, str]) -> dict[str, np.ndarray]:
    if len(kinds) == 1 and (not isinstance(inputs, dict) or _is_base64(inputs)):
        inputs = {next(iter(kinds)): inputs}
    if not isinstance(inputs, dict):
        raise RequestError("Expected 'inputs' to be an object with a list for each input of the signature")
    for name in kinds:
        if name not in inputs:
            raise RequestError(f"Missing named input: {name} in 'inputs' object")
        if not isinstance(inputs[name], list):
            raise RequestError(f"Expected a list for the input {name}. Received: {_shown(inputs[name])}")
    if len({len(inputs[name]) for name in kinds}) > 1:
        raise RequestError("Expected lists of one length for all inputs. Received lists of different lengths")
    where = "Failed to process element: {at} of the input {name}. "
    return {name: array(name, inputs[name], kind, where) for name, kind in kinds.items()}


def array(name: str, values: Sequence[Any], kind: str, where: str) -> np.ndarray:
    """One value a row; RequestError, beginning with `where`, if one is of another type."""
    made = []
    for at, value in enumerate(values):
        try:
            made.append(_scalar(value, kind))
        except (ValueError, binascii.Error) as error:
            raise RequestError(f"{where.format(at=at, name=name)}{error}") from None
    return np.array(made, np.dtype("O") if kind == "string" else kind)


def _scalar(value: Any, kind: str) -> Any:
    numeric = isinstance(value, int | float) and not isinstance(value, bool)
    if kind == "float32" and numeric:
        within = abs(value) <= EXACT if isinstance(value, int) else not math.isfinite(value) or abs(value) <= LARGEST
        if not within:
            raise ValueError(f"Cannot convert JSON value: {_shown(value)} to float without loss of precision")
        return value
    if kind == "int64" and numeric and isinstance(value, int) and -(2**63) <= value < 2**63:
        return value
    if kind == "string" and isinstance(value, str):
        return value.encode()
    if kind == "string" and _is_base64(value):
        return base64.b64decode(value["b64"], validate=True)
    names = {"float32": "float", "int64": "int64", "string": "string"}
    raise ValueError(
        f"JSON Value: {_shown(value)} Type: {TYPES[type(value)]} is not of expected type: {names.get(kind, kind)}"
    )


def answer(outputs: Mapping[str, np.ndarray], by_row: bool) -> dict[str, Any]:
    """The outputs of a signature as the client wanted them; one that is alone goes without its name."""
    if by_row:
        each = rows(outputs)
        return {"predictions": each if len(outputs) > 1 else [next(iter(row.values())) for row in each]}
    columns = {name: plain(name, values) for name, values in sorted(outputs.items())}
    return {"outputs": columns if len(columns) > 1 else next(iter(columns.values()))}


def rows(outputs: Mapping[str, np.ndarray]) -> list[dict[str, Any]]:
    """Each row's outputs by name."""
    columns = {name: plain(name, values) for name, values in sorted(outputs.items())}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def plain(name: str, values: np.ndarray) -> Any:
    """As JSON holds it: a float32 in its own shortest digits, text as text, bytes by base64."""
    if values.dtype.kind == "f":
        return short_floats(values)
    if values.dtype.kind != "O":
        return values.tolist()
    contents = values.ravel().tolist()
    flat: list[Any] = (
        [{"b64": base64.b64encode(content).decode()} for content in contents]
        if name.endswith("_bytes")
        else [content.decode(errors="replace") for content in contents]
    )
    return np.array([*flat, None], np.dtype("O"))[:-1].reshape(values.shape).tolist()


def written(document: Any) -> bytes:
    """NaN and Infinity as TF Serving writes them, though JSON knows neither."""
    return json.dumps(document, ensure_ascii=False).encode("utf-8", errors="replace") + b"\n"


def _is_base64(value: Any) -> bool:
    return isinstance(value, dict) and value.keys() == {"b64"} and isinstance(value["b64"], str)


def _shown(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= SHOWN else text[: SHOWN - 3] + "..."
