"""The requests in docs/serving.md, asked of versions with the signatures of real ones."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import small_versions as small
import tensorflow as tf
from google.protobuf import json_format
from repository import ROOT
from tensorflow_serving.apis.predict_pb2 import PredictRequest

from components.rest_server.http_server import Server
from components.rest_server.live_model import LiveModel

pytestmark = pytest.mark.slow
BLOCKS = re.findall(r"^```json (\S+) (\S+)\n(.*?)^```", (ROOT / "docs" / "serving.md").read_text(), re.M | re.S)
ANSWERS = {"auto_mpg": small.mpg(1024), "imdb_padded": small.review, "fashion_mnist": small.clothes}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, LiveModel]:
    folder: Path = tmp_path_factory.mktemp("documented")
    for name, answer in ANSWERS.items():
        small.push(folder / "serving", name, answer, folder / name)
    return {name: LiveModel(str(folder / "serving"), name) for name in ANSWERS}


def test_there_is_one_of_each_kind_by_both_ways():
    kinds = {"auto_mpg", "imdb_padded", "fashion_mnist"}
    assert {path.split("/")[-1].split(":")[0] for how, path, _ in BLOCKS if how == "POST"} == kinds
    assert {name for how, name, _ in BLOCKS if how == "PREDICT"} == kinds


@pytest.mark.parametrize(("path", "body"), [block[1:] for block in BLOCKS if block[0] == "POST"])
def test_rest(models, path, body):
    _, _, _, name = path.split("/")
    name, _, verb = name.partition(":")
    server = Server(models, None, "127.0.0.1")
    answer = json.loads(server.answered(name, None, verb, body.encode(), ""))
    assert len(answer["predictions"]) == len(json.loads(body)["instances"])


@pytest.mark.parametrize(("name", "body"), [block[1:] for block in BLOCKS if block[0] == "PREDICT"])
def test_grpc(models, name, body):
    request = json_format.Parse(body, PredictRequest())
    assert request.model_spec.name == name
    loaded = models[name].loaded
    takes = loaded.signatures[request.model_spec.signature_name]
    assert {key: tf.dtypes.as_dtype(tensor.dtype).name for key, tensor in request.inputs.items()} == takes
    inputs = {key: tf.make_ndarray(tensor) for key, tensor in request.inputs.items()}
    outputs = loaded.model.ask(request.model_spec.signature_name, inputs)
    assert {len(values) for values in outputs.values()} == {1}


def test_the_serialized_example_is_the_text_beside_it(models):
    [body] = [body for how, _, body in BLOCKS if how == "POST" and "signature_name" not in body]
    server = Server(models, None, "127.0.0.1")
    by_example = server.answered("imdb_padded", None, "predict", body.encode(), "")
    by_name = {"signature_name": "features", "instances": ["A wonderful film."]}
    assert by_example == server.answered("imdb_padded", None, "predict", json.dumps(by_name).encode(), "")
