"""TF Serving's `:classify` and `:regress`: rows as JSON examples in, labels with scores or one number a row out."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

import numpy as np

from components.rest_server.tensor_json import Asked, RequestError, plain
from components.serving.output_names import DEFAULT_SIGNATURE, main_output
from tasks import Category, Feature, Number, Task

VERBS = {"regression": "regress", "binary": "classify", "classes": "classify"}


def asked(document: Mapping[str, Any], task: Task, verb: str) -> Asked:
    """The examples, and the context that all of them share, as the default signature takes them."""
    if verb != VERBS[task.kind]:
        raise RequestError(f"The model does not {verb}: its label is {task.kind}. Expected :{VERBS[task.kind]}")
    if document.get("signature_name") not in (None, "", DEFAULT_SIGNATURE):
        raise RequestError(
            f"Only the signature {DEFAULT_SIGNATURE} takes examples. Received: {document['signature_name']!r}"
        )
    examples = document.get("examples")
    if not isinstance(examples, list) or not examples:
        raise RequestError("Expected 'examples' to be a list of at least one object")
    context = document.get("context", {})
    kinds = {feature.name: _list(feature) for feature in task.features}
    made = [_example(given, context, kinds) for given in examples]
    return Asked(signature=DEFAULT_SIGNATURE, inputs={"examples": np.array(made, np.dtype("O"))}, by_row=True)


def answer(task: Task, outputs: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """The main output: a number a row, or each label with its score."""
    main = outputs[main_output(task)]
    if task.kind == "regression":
        return {"results": plain("", main)}
    assert isinstance(task.label, Category)
    scores = plain("", np.stack([1 - main, main], axis=1) if task.kind == "binary" else main)
    return {"results": [[list(pair) for pair in zip(task.label.labels, row, strict=True)] for row in scores]}


def _list(feature: Feature) -> str:
    """Which of a tf.Example's lists the model looks for it in."""
    if isinstance(feature, Number):
        return "float_list"
    return "int64_list" if isinstance(feature, Category) and feature.integer else "bytes_list"


def _example(given: Any, context: Any, kinds: Mapping[str, str]) -> bytes:
    from tensorflow.core.example.example_pb2 import Example  # comes with what has loaded the model

    example = Example()
    for features in (context, given):
        if not isinstance(features, dict):
            raise RequestError("Example must be JSON object")
        for name, content in features.items():
            feature = example.features.feature[name]
            feature.Clear()
            for value in content if isinstance(content, list) else [content]:
                _add(name, feature, value)
            wanted, received = kinds.get(name), feature.WhichOneof("kind")
            if wanted and received and wanted != received:
                hint = ", such as 8.0" if wanted == "float_list" else ""
                raise RequestError(f"Feature: {name} is a {received}. Expected a {wanted}{hint}")
    return bytes(example.SerializeToString(deterministic=True))


def _add(name: str, feature: Any, value: Any) -> None:
    """A whole number goes into the integers, one with a point into the floats: 8.0 where the feature is a float."""
    made: Any
    match value:
        case bool() | int():
            kind, made = "int64_list", int(value)
        case float():
            kind, made = "float_list", value
        case str():
            kind, made = "bytes_list", value.encode()
        case {"b64": str(text)} if len(value) == 1:
            kind, made = "bytes_list", _decoded(name, text)
        case _:
            raise RequestError(f"Feature: {name} has element with unexpected JSON type: {type(value).__name__}")
    if feature.WhichOneof("kind") not in (None, kind):
        raise RequestError(f"Unexpected element type in feature: {name}. Expected values of one type")
    try:
        getattr(feature, kind).value.append(made)
    except ValueError as error:
        raise RequestError(f"Feature: {name} has a value out of range: {error}") from None


def _decoded(name: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        raise RequestError(f"Feature: {name} cannot be decoded from base64") from None
