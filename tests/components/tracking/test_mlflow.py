"""What a real MLflow server has been told, asked by MLflow's own client; and what happens where there is none."""

from __future__ import annotations

import socket
import subprocess
import sys
import time

import numpy as np
import pytest
from mlflow_server import free_port, mlflow_server
from repository import ROOT

from components.serving import report_outcome
from components.storage.atomic_files import write_json
from components.tracking import finished_run, registered_model, server
from components.tracking.finished_run import FinishedRun
from components.tracking.registered_model import PushedModel


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    with mlflow_server(tmp_path_factory.mktemp("mlflow")) as address:
        yield address


@pytest.fixture
def client(address, monkeypatch):
    """MLflow's own client; and ours speaks to the same server."""
    monkeypatch.setenv(server.VARIABLE, address)
    monkeypatch.delenv(finished_run.RUN_ID, raising=False)
    from mlflow import MlflowClient

    return MlflowClient(address)


def newest(client, experiment):
    found = client.get_experiment_by_name(experiment)
    return client.search_runs([found.experiment_id], max_results=1)[0]


@pytest.mark.slow
def test_a_run_that_came_to_its_push_is_told_whole(client, address, tmp_path):
    model = tmp_path / "model"
    write_json(model / "history.json", {"loss": [3.0, 2.0], "val_mae": [2.5, None, 1.5]})
    write_json(model / "training.json", {"settings": {"train.learning_rate": 0.01, "model.layers": [32, 16]}})
    report = tmp_path / "report"  # as a step's artifact is named
    report.write_text("<h1>Rejected</h1>")
    verdict = {
        "metrics": {"mae": 3.5, "r2": None},
        "blessed": False,
        "reasons": ["mae is too high"],
        "model_sha256": "beef",
    }
    run = finished_run.of_push(
        "auto_mpg", "auto_mpg-7", {"data": "gs://me:hush@cars/days.csv?sig=key", "seed": "3"}, model=model,
        report=report, verdict=verdict,
        statistics={"fingerprint": "f00d"}, outcome=report_outcome.not_pushed(verdict, ["mae is too high"]), version=0,
    )  # fmt: skip
    said = finished_run.tell(run)
    found = newest(client, "auto_mpg")
    assert said == f"MLflow {address}/#/experiments/{found.info.experiment_id}/runs/{found.info.run_id}"
    assert (found.info.run_name, found.info.status) == ("auto_mpg-7", "FINISHED")
    assert found.data.params == {
        "data": "gs://cars/days.csv?…", "seed": "3", "train.learning_rate": "0.01", "model.layers": "[32, 16]",
    }  # fmt: skip
    assert found.data.metrics == {"test/mae": 3.5, "train/loss": 2.0, "val/mae": 1.5}
    steps = client.get_metric_history(found.info.run_id, "val/mae")
    assert [(each.step, each.value) for each in steps] == [(1, 2.5), (3, 1.5)]
    told = {name: value for name, value in found.data.tags.items() if name.startswith("sluice.")}
    assert told == {
        "sluice.run": "auto_mpg-7", "sluice.task": "auto_mpg", "sluice.verdict": "Rejected", "sluice.blessed": "False",
        "sluice.reasons": "mae is too high", "sluice.fingerprint": "f00d", "sluice.model_sha256": "beef",
        "sluice.version": "",
    }  # fmt: skip
    assert [each.path for each in client.list_artifacts(found.info.run_id)] == ["report.html"]


@pytest.mark.slow
def test_more_than_mlflow_takes_at_once_is_told_in_parts(client):
    finished_run.tell(
        FinishedRun(
            name="long-1",
            task="long",
            parameters={f"model.p{number}": "x" * 9000 for number in range(150)},
            curves={"loss": [float(number) for number in range(1500)]},
            metrics={"odd (name)": 1.0},
        )
    )
    found = newest(client, "long")
    assert len(found.data.params) == 150
    assert found.data.metrics == {"train/loss": 1499.0, "test/odd _name_": 1.0}


@pytest.mark.slow
def test_a_pushed_model_is_the_champion_and_answers_from_the_registry(client, tmp_path):
    """As MLflow itself loads it, asked for raw columns."""
    import mlflow.pyfunc
    import small_versions

    small_versions.save(tmp_path / "one", "auto_mpg", small_versions.mpg(100.0))
    model = PushedModel(version=1, sha256="0001", path=tmp_path / "one")
    assert finished_run.tell(FinishedRun(name="auto_mpg-1", task="auto_mpg", model=model)).startswith("MLflow http")
    rows = {
        name: np.array([value], "int64" if name == "origin" else "float32")
        for name, value in small_versions.ROWS["auto_mpg"].items()
    }
    answer = mlflow.pyfunc.load_model("models:/auto_mpg@champion").predict(rows)
    assert {name: np.ravel(value).tolist() for name, value in answer.items()} == {"prediction": [pytest.approx(35.84)]}


@pytest.mark.slow
def test_the_alias_moves_with_pushes_and_rollbacks(client, tmp_path):
    def pushed(version, sha256):
        folder = tmp_path / sha256
        folder.mkdir(exist_ok=True)
        (folder / "saved_model.pb").write_text(sha256)
        model = PushedModel(version=version, sha256=sha256, path=folder)
        said = finished_run.tell(FinishedRun(name=f"cars-{version}", task="cars", model=model))
        assert said.startswith("MLflow http")

    def champion():
        found = client.get_model_version_by_alias("cars", "champion")
        return found.version, found.tags["sluice.version"]

    pushed(1, "aaaa")
    pushed(2, "bbbb")
    assert champion() == ("2", "2")
    assert (
        registered_model.move_champion("cars", 3, "aaaa")
        == "MLflow's alias champion is on its version 1 of cars again."
    )
    assert champion() == ("1", "3")
    pushed(4, "bbbb")  # the very model that the registry has
    assert champion() == ("2", "4")
    assert len(client.search_model_versions("name = 'cars'")) == 2
    said = registered_model.move_champion("cars", 5, "from before MLflow")
    assert said == "MLflow has no version of this model, so its alias champion stays where it is."
    assert champion() == ("2", "4")


@pytest.mark.slow
def test_a_run_with_nothing_new_is_told_only_if_its_model_is_not_the_champion_over_there(client, tmp_path):
    (tmp_path / "saved_model.pb").write_text("a model")
    model = PushedModel(version=1, sha256="cccc", path=tmp_path)
    again = FinishedRun(name="vans-2", task="vans", model=model, nothing_new=True)
    assert finished_run.tell(again).startswith("MLflow http")  # at the push the server was down
    assert client.get_model_version_by_alias("vans", "champion").tags["sluice.version"] == "1"
    assert finished_run.tell(again) == ""
    assert len(client.search_runs([client.get_experiment_by_name("vans").experiment_id])) == 1


@pytest.mark.slow
def test_the_run_that_kubeflow_has_made_is_taken_up_and_left_for_it_to_end(client, monkeypatch):
    experiment = client.create_experiment("of the plugin")
    given = client.create_run(experiment, run_name="push")
    monkeypatch.setenv(finished_run.RUN_ID, given.info.run_id)
    said = finished_run.tell(FinishedRun(name="a-job-id", task="bikes", metrics={"mae": 1.0}))
    found = client.get_run(given.info.run_id)
    assert said.endswith(f"/#/experiments/{experiment}/runs/{given.info.run_id}")
    assert (found.info.status, found.info.run_name, found.data.metrics) == ("RUNNING", "push", {"test/mae": 1.0})
    assert client.get_experiment_by_name("bikes") is None


@pytest.mark.slow
def test_trials_and_failed_runs_are_told_though_they_come_to_no_push(client, tmp_path):
    import small_search

    models = iter(["good", "bad"])
    filled = {"filled": lambda chosen: {"model": next(models), "rate": float(chosen[small_search.RATE.key])}}
    small_search.conduct(tmp_path, 2, **filled)
    experiment = client.get_experiment_by_name("fits").experiment_id
    failed, done = client.search_runs([experiment], order_by=["attributes.start_time DESC"])
    assert (done.info.run_name, done.info.status) == ("fits-1", "FINISHED")
    assert (done.data.tags["sluice.search"], done.data.tags["sluice.trial"]) == ("fits-1", "0")
    assert len(client.get_metric_history(done.info.run_id, "val/loss")) == small_search.EPOCHS
    assert (failed.info.status, failed.data.tags["sluice.reasons"]) == ("FAILED", "The loss is no number.")


@pytest.mark.slow
@pytest.mark.parametrize(("listens", "why"), [(False, "Connection refused"), (True, "it was silent for too long")])
def test_a_server_that_is_down_or_silent_is_one_line_within_seconds(listens, why, monkeypatch):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        port = silent.getsockname()[1] if listens else free_port()
        if listens:
            silent.listen()
        monkeypatch.setenv(server.VARIABLE, f"http://me:secret@127.0.0.1:{port}")
        began = time.monotonic()
        said = finished_run.tell(FinishedRun(name="cars-1", task="cars"))
    assert said == f"MLflow was not told: http://127.0.0.1:{port} does not answer: {why}."
    assert time.monotonic() - began < 30  # of which importing MLflow is most


def test_without_an_address_nothing_is_told_and_mlflow_is_not_imported(monkeypatch, tmp_path):
    monkeypatch.delenv(server.VARIABLE, raising=False)
    assert finished_run.tell(FinishedRun(name="cars-1", task="cars")) == ""
    look = (
        "import sys, components.push.step, pipelines.local.run, pipelines.commands.versions; from components.tracking "
        "import registered_model; registered_model.move_champion('a', 1, 'b'); assert 'mlflow' not in sys.modules"
    )
    env = {"PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", look], cwd=tmp_path, env=env, check=True)


def test_without_the_client_a_sentence_says_how_to_install_it(monkeypatch):
    monkeypatch.setenv(server.VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setitem(sys.modules, "mlflow", None)
    said = finished_run.tell(FinishedRun(name="cars-1", task="cars"))
    assert said.endswith(f"To install it: {sys.executable} -m pip install 'mlflow-skinny==3.*'")


def test_what_the_user_says_of_patience_counts_and_nothing_of_ours_is_left(monkeypatch):
    import os

    monkeypatch.setenv(server.VARIABLE, "http://127.0.0.1:1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "9")
    monkeypatch.setitem(sys.modules, "mlflow", type(sys)("mlflow"))
    seen = {}
    sys.modules["mlflow"].MlflowClient = lambda: seen.update(os.environ)
    server.attempt(lambda _: "")
    assert (seen["MLFLOW_HTTP_REQUEST_TIMEOUT"], seen["MLFLOW_DISABLE_TELEMETRY"]) == ("9", "true")
    assert "MLFLOW_DISABLE_TELEMETRY" not in os.environ
