from __future__ import annotations

import json

import numpy as np
import pytest

from components.rest_server.tensor_json import Asked, RequestError, answer, asked, parsed, written

CAR = {"serving_default": {"examples": "string"}, "features": {"weight": "float32", "origin": "int64"}}
REVIEW = {"serving_default": {"examples": "string"}, "features": {"text": "string"}}


def ask(document, signatures=CAR) -> Asked:
    return asked({"signature_name": "features", **document}, signatures)


def told(document, signatures=CAR) -> str:
    with pytest.raises(RequestError) as error:
        ask(document, signatures)
    assert error.value.status == 400
    return str(error.value)


def test_rows_become_a_column_for_each_input():
    found = ask({"instances": [{"weight": 3504, "origin": 1}, {"origin": 3, "weight": 1.5}]})
    assert found.by_row
    assert found.inputs["weight"].dtype == np.float32
    assert found.inputs["weight"].tolist() == [3504, 1.5]
    assert found.inputs["origin"].dtype == np.int64
    assert found.inputs["origin"].tolist() == [1, 3]


def test_columns_are_taken_as_they_are():
    found = ask({"inputs": {"weight": [3504, float("nan")], "origin": [1, 3]}})
    assert not found.by_row
    assert np.isnan(found.inputs["weight"][1])


@pytest.mark.parametrize("given", [{"instances": ["é", {"b64": "AP8="}]}, {"inputs": ["é", {"b64": "AP8="}]}])
def test_an_input_that_is_alone_needs_no_name_and_bytes_come_as_base64(given):
    assert ask(given, REVIEW).inputs["text"].tolist() == ["é".encode(), b"\x00\xff"]
    named = {"instances": [{"text": "é"}, {"text": {"b64": "AP8="}}]}
    assert ask(named, REVIEW).inputs["text"].tolist() == ["é".encode(), b"\x00\xff"]


def test_the_default_signature_takes_serialized_examples():
    found = asked({"instances": [{"b64": "CgA="}, {"examples": {"b64": "CgA="}}][:1]}, CAR)
    assert found.signature == "serving_default"
    assert found.inputs["examples"].tolist() == [b"\n\x00"]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (
            {"instances": [{"weight": 1}]},
            "element: 0 of 'instances' list. JSON object keys must be equal to: origin, w",
        ),
        ({"instances": [{"weight": 1, "origin": 1, "x": 2}]}, "Received: origin, weight, x"),
        ({"instances": [{"weight": "a", "origin": 1}]}, "key: weight of 'instances' list. JSON Value: \"a\" Type: Str"),
        ({"instances": [{"weight": True, "origin": 1}]}, "JSON Value: true Type: Bool is not of expected type: float"),
        ({"instances": [{"weight": None, "origin": 1}]}, "Type: Null is not of expected type: float"),
        ({"instances": [{"weight": [1], "origin": 1}]}, "Type: Array is not of expected type: float"),
        ({"instances": [{"weight": 1, "origin": 1.5}]}, "JSON Value: 1.5 Type: Number is not of expected type: int64"),
        ({"instances": [{"weight": 1, "origin": 2**63}]}, "is not of expected type: int64"),
        ({"instances": [{"weight": 2**24, "origin": 1}]}, "without loss of precision"),
        ({"instances": [{"weight": 1e39, "origin": 1}]}, "without loss of precision"),
        ({"instances": []}, "at least one element"),
        ({"instances": [1, 2]}, "JSON object keys must be equal to: origin, weight. Received: 1"),
        ({"inputs": [1, 2]}, "Expected 'inputs' to be an object"),
        ({"inputs": {"weight": [1]}}, "Missing named input: origin"),
        ({"inputs": {"weight": [1], "origin": [1, 2]}}, "lists of one length"),
        ({"inputs": {"weight": 1, "origin": [1]}}, "Expected a list for the input weight"),
        ({}, "Missing 'inputs' or 'instances' key"),
        ({"inputs": {}, "instances": []}, "only one of 'inputs' or 'instances'"),
        ({"signature_name": "classify", "instances": [1]}, 'Serving signature name: "classify" not found'),
        ({"signature_name": 5, "instances": [1]}, "'signature_name' must be a string"),
    ],
)
def test_what_is_wrong_is_told_as_tf_serving_tells_it(document, words):
    assert words in told(document)


@pytest.mark.parametrize("text", [{"b64": "?"}, {"b64": "A"}, {"b65": "AA=="}, 5, "\ud800"])
def test_text_that_is_none(text):
    assert "Failed to process element: 0" in told({"instances": [{"text": text}]}, REVIEW)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"9" * 5000 + b"}", b"[1]"])
def test_bodies_that_are_no_json_object(body):
    with pytest.raises(RequestError, match="JSON"):
        parsed(body)


def test_answers_by_row_and_by_column():
    outputs = {"class": np.array([b"Coat", b"\xff"], "O"), "probabilities": np.array([[0.1, 0.9], [1, 0]], np.float32)}
    rows = [{"class": "Coat", "probabilities": [0.1, 0.9]}, {"class": "\ufffd", "probabilities": [1.0, 0.0]}]
    assert answer(outputs, by_row=True) == {"predictions": rows}
    columns = {"class": ["Coat", "\ufffd"], "probabilities": [[0.1, 0.9], [1.0, 0.0]]}
    assert answer(outputs, by_row=False) == {"outputs": columns}


def test_an_output_that_is_alone_goes_without_its_name():
    outputs = {"prediction": np.array([19.69163, np.nan], np.float32)}
    assert written(answer(outputs, by_row=True)) == b'{"predictions": [19.69163, NaN]}\n'
    assert written(answer(outputs, by_row=False)) == b'{"outputs": [19.69163, NaN]}\n'


def test_outputs_named_bytes_go_as_base64():
    body = written(answer({"picture_bytes": np.array([b"\x00\xff"], "O")}, by_row=True))
    assert json.loads(body) == {"predictions": [{"b64": "AP8="}]}
