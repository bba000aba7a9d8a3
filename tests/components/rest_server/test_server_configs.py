from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from google.protobuf import text_format
from tensorflow_serving.config.model_server_config_pb2 import ModelServerConfig

from components.rest_server.server_configs import inference_service, labelled, model_config
from components.serving import versions
from tasks import InputError


def push(serving: Path, **provenance) -> int:
    model = serving.parent / "model"
    model.mkdir(exist_ok=True)
    (model / "saved_model.pb").write_bytes(b"model")
    return versions.add(serving, "cars", model, {"provenance.json": provenance} if provenance else {}).number


def numbers(serving: Path, stable: int | None = None) -> tuple[int, int]:
    found = labelled(str(serving), "cars", stable)
    return found.stable, found.canary


def test_the_newest_is_canary_and_its_champion_stable(tmp_path):
    serving = tmp_path / "serving"
    push(serving)
    assert numbers(serving) == (1, 1)
    push(serving, champion="1:abc")
    push(serving, champion="1:abc", force="better in spring")
    assert numbers(serving) == (1, 3)
    assert numbers(serving, 3) == (3, 3)
    push(serving)  # not judged against any
    assert numbers(serving) == (3, 4)


def test_a_rollback_is_both(tmp_path):
    serving = tmp_path / "serving"
    push(serving)
    push(serving, champion="1:abc")
    versions.rollback(serving, "cars", 1)
    assert numbers(serving) == (3, 3)
    push(serving)
    assert numbers(serving) == (3, 4)


def test_a_stable_version_must_be_there(tmp_path):
    push(tmp_path / "serving")
    with pytest.raises(InputError, match="There is no version 7 of cars"):
        numbers(tmp_path / "serving", 7)


def test_tf_serving_reads_the_model_config(tmp_path):
    push(tmp_path / "serving")
    push(tmp_path / "serving", champion="1:abc")
    found = labelled(str(tmp_path / "serving"), "cars", None)
    text = model_config(["cars", "films"], '/models/a "place"', {"cars": found})
    cars, films = text_format.Parse(text, ModelServerConfig()).model_config_list.config
    assert (cars.name, cars.base_path, cars.model_platform) == ("cars", '/models/a "place"/cars', "tensorflow")
    assert list(cars.model_version_policy.specific.versions) == [1, 2]
    assert dict(cars.version_labels) == {"stable": 1, "canary": 2}
    assert films.base_path == '/models/a "place"/films'
    assert not films.HasField("model_version_policy")


def test_kserve_gets_one_version():
    manifest = yaml.safe_load(inference_service("auto_mpg", 4, "gs://models/serving", pinned=True))
    assert manifest == {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "auto-mpg"},
        "spec": {
            "predictor": {
                "model": {"modelFormat": {"name": "tensorflow"}, "runtimeVersion": "2.19.1"},
                "storageUris": [{"uri": "gs://models/serving/auto_mpg/4", "mountPath": "/mnt/models/4"}],
            }
        },
    }


def test_kserve_gets_the_folder_of_all():
    manifest = yaml.safe_load(inference_service("auto_mpg", 4, "pvc://models/serving", pinned=False))
    assert manifest["spec"]["predictor"] == {
        "model": {
            "modelFormat": {"name": "tensorflow"},
            "runtimeVersion": "2.19.1",
            "storageUri": "pvc://models/serving/auto_mpg",
        }
    }


def test_kserve_reads_no_directory_of_ours():
    with pytest.raises(InputError, match="KServe fetches models from a URL"):
        inference_service("auto_mpg", 4, "/home/me/serving", pinned=True)
