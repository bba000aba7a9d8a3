from __future__ import annotations

import numpy as np
import pytest
from tensorflow.core.example.example_pb2 import Example

import tasks
from components.rest_server import classify_regress
from components.rest_server.tensor_json import RequestError


def test_examples_and_what_they_share():
    car = {"cylinders": 8.0, "origin": 2, "horsepower": [95.5]}
    document = {"context": {"origin": 1, "model_year": 70.0}, "examples": [car, {}]}
    asked = classify_regress.asked(document, tasks.get("auto_mpg"), "regress")
    assert asked.signature == "serving_default"
    first, second = (Example.FromString(one).features.feature for one in asked.inputs["examples"])
    assert first["cylinders"].float_list.value == [8.0]
    assert first["horsepower"].float_list.value == [95.5]
    assert first["origin"].int64_list.value == [2]
    assert second["origin"].int64_list.value == [1]
    assert second["model_year"].float_list.value == [70.0]


def test_text_and_bytes():
    asked = classify_regress.asked({"examples": [{"text": "é"}]}, tasks.get("imdb_padded"), "classify")
    assert Example.FromString(asked.inputs["examples"][0]).features.feature["text"].bytes_list.value == ["é".encode()]
    picture = {"examples": [{"image": {"b64": "AP8="}}]}
    asked = classify_regress.asked(picture, tasks.get("fashion_mnist"), "classify")
    assert Example.FromString(asked.inputs["examples"][0]).features.feature["image"].bytes_list.value == [b"\x00\xff"]


@pytest.mark.parametrize(
    ("document", "verb", "words"),
    [
        ({"examples": [{"cylinders": 8}]}, "regress", "cylinders is a int64_list. Expected a float_list, such as 8.0"),
        ({"examples": [{"origin": 1.0}]}, "regress", "origin is a float_list. Expected a int64_list"),
        ({"examples": [{"origin": None}]}, "regress", "origin has element with unexpected JSON type: NoneType"),
        ({"examples": [{"origin": [1, "a"]}]}, "regress", "Unexpected element type in feature: origin"),
        ({"examples": [{"origin": 2**63}]}, "regress", "origin has a value out of range"),
        ({"examples": [{"origin": {"b64": "?"}}]}, "regress", "cannot be decoded from base64"),
        ({"examples": ["a"]}, "regress", "Example must be JSON object"),
        ({"examples": []}, "regress", "at least one object"),
        ({"examples": [{}], "signature_name": "features"}, "regress", "Only the signature serving_default"),
        ({"examples": [{}]}, "classify", "does not classify: its label is regression. Expected :regress"),
    ],
)
def test_what_is_wrong_is_told(document, verb, words):
    with pytest.raises(RequestError, match=words):
        classify_regress.asked(document, tasks.get("auto_mpg"), verb)


def test_labels_with_their_scores():
    answer = classify_regress.answer(tasks.get("imdb_padded"), {"probability": np.array([0.25], np.float32)})
    assert answer == {"results": [[["negative", 0.75], ["positive", 0.25]]]}
    probabilities = np.eye(10, dtype=np.float32)[:1]
    answer = classify_regress.answer(tasks.get("fashion_mnist"), {"probabilities": probabilities})
    assert answer["results"][0][:2] == [["T-shirt/top", 1.0], ["Trouser", 0.0]]
    answer = classify_regress.answer(tasks.get("auto_mpg"), {"prediction": np.array([20.5], np.float32)})
    assert answer == {"results": [20.5]}
