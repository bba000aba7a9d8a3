"""Pushed versions in MLflow's registry; the alias `champion` is what Sluice serves."""

from __future__ import annotations

import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.tracking import server

if TYPE_CHECKING:
    from mlflow import MlflowClient

ALIAS = "champion"
VERSION, SHA256 = "sluice.version", "sluice.model_sha256"
FOLDER, SAVED_MODEL = "model", "saved_model"


@dataclass(frozen=True, kw_only=True)
class PushedModel:
    """A version that Sluice serves; `path` is its SavedModel."""

    version: int
    sha256: str
    path: Path


def register(client: MlflowClient, run_id: str, task: str, model: PushedModel) -> None:
    """Make it the champion over there, too: a new version, unless the registry has this very model already."""
    from mlflow.exceptions import MlflowException

    if known := _known(client, task, model.sha256):
        _make_champion(client, task, known, model.version)
        return
    client.log_artifacts(run_id, str(model.path), f"{FOLDER}/{SAVED_MODEL}")
    with tempfile.TemporaryDirectory() as folder:
        client.log_artifact(run_id, str(_described(Path(folder), run_id)), FOLDER)
    with suppress(MlflowException):  # it is there already; if it is not, the next request tells
        client.create_registered_model(task)
    tags = {SHA256: model.sha256}
    made = client.create_model_version(task, f"runs:/{run_id}/{FOLDER}", run_id, tags=tags, await_creation_for=0)
    _make_champion(client, task, str(made.version), model.version)


def is_champion(client: MlflowClient, task: str, model: PushedModel) -> bool:
    """Whether the registry has this very model, and knows it as what is served."""
    number = _known(client, task, model.sha256)
    return bool(number) and number == client.get_registered_model(task).aliases.get(ALIAS, "")


def move_champion(task: str, version: int, sha256: str) -> str:
    """After a rollback: the alias goes back to the model that is served again, as another of our versions."""
    return server.attempt(lambda client: _moved(client, task, version, sha256))


def _moved(client: MlflowClient, task: str, version: int, sha256: str) -> str:
    number = _known(client, task, sha256)
    if not number:
        return f"MLflow has no version of this model, so its alias {ALIAS} stays where it is."
    _make_champion(client, task, number, version)
    return f"MLflow's alias {ALIAS} is on its version {number} of {task} again."


def _known(client: MlflowClient, task: str, sha256: str) -> str:
    """The newest number under which the registry has this model; "" if it has none."""
    found = client.search_model_versions(f"name = '{task}' and tags.`{SHA256}` = '{sha256}'")
    return max((str(each.version) for each in found), key=int, default="")


def _make_champion(client: MlflowClient, task: str, number: str, version: int) -> None:
    client.set_model_version_tag(task, number, VERSION, str(version))
    client.set_registered_model_alias(task, ALIAS, number)


def _described(folder: Path, run_id: str) -> Path:
    """The file by which MLflow loads the SavedModel: its signature of raw columns, and TensorFlow alone."""
    import mlflow.pyfunc
    from mlflow.models import Model

    about = Model(artifact_path=FOLDER, run_id=run_id)
    about.add_flavor(
        "tensorflow", saved_model_dir=SAVED_MODEL, meta_graph_tags=["serve"], signature_def_key="features",
        model_type="tf1-estimator", code=None,
    )  # fmt: skip
    mlflow.pyfunc.add_to_model(about, loader_module="mlflow.tensorflow")
    about.save(str(folder / "MLmodel"))
    return folder / "MLmodel"
