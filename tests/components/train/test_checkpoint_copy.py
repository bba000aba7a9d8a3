"""A fit's state outlives its pod: on a volume, in a bucket, and with the step's own command, killed and given again."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import fsspec
import pytest
import yaml
from repository import ROOT

from components.ingest import step as ingest
from components.train import checkpoint_copy
from components.transform import step as transform

STATE = b"weights"


@pytest.fixture(params=["volume", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    yield f"memory://fits/{tmp_path.name}" if request.param == "bucket" else str(tmp_path / "volume")
    fsspec.filesystem("memory").store.clear()


def test_what_one_pod_kept_the_next_one_has(place: str, tmp_path: Path) -> None:
    first, second, third = tmp_path / "1", tmp_path / "2", tmp_path / "3"
    for pod in (first, second, third):
        pod.mkdir()
    with suppress(KeyboardInterrupt), checkpoint_copy.kept(place, first / "resume", chief=True):
        (first / "resume" / "state.npz").write_bytes(STATE)
        raise KeyboardInterrupt
    with checkpoint_copy.kept(place, second / "resume", chief=True):
        assert (second / "resume" / "state.npz").read_bytes() == STATE
    with checkpoint_copy.kept(place, third / "resume", chief=True):  # the second was done
        assert not (third / "resume" / "state.npz").exists()


def test_a_bucket_has_the_state_while_the_fit_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoint_copy, "EVERY", 0.01)
    system = fsspec.filesystem("memory")
    with checkpoint_copy.kept("memory://fits/x", tmp_path / "resume", chief=True):
        (tmp_path / "resume" / "state.npz").write_bytes(STATE)
        end = time.monotonic() + 10
        while not system.exists("/fits/x/state.npz"):
            assert time.monotonic() < end
            time.sleep(0.01)
    assert not system.exists("/fits/x/state.npz")


def test_a_place_that_cannot_be_written_does_not_stop_the_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    with checkpoint_copy.kept(str(tmp_path / "file" / "state"), tmp_path / "resume", chief=True):
        pass
    assert "the fit begins afresh" in capsys.readouterr().out


def test_another_fit_has_another_state(tmp_path: Path) -> None:
    (tmp_path / "examples").mkdir()
    folders = (str(tmp_path / "examples"),)
    keys = {checkpoint_copy.key("auto_mpg", seed, folders=folders) for seed in (1, 1, 2)}
    (tmp_path / "examples" / "more").touch()
    assert len({*keys, checkpoint_copy.key("auto_mpg", 1, folders=folders)}) == 3


@pytest.mark.slow
def test_the_step_s_own_command_goes_on_in_another_pod(tmp_path: Path) -> None:
    examples, graph = str(tmp_path / "examples"), str(tmp_path / "graph")
    ingest.run(
        task="auto_mpg", data="sample", data_dir="", snapshot="", beam_args=[], examples=examples,
        examples_uri=examples, statistics=str(tmp_path / "statistics"),
    )  # fmt: skip
    transform.run(
        task="auto_mpg", settings={}, beam_args=[], analysis="", examples=examples, examples_uri=examples,
        transform_graph=graph, transform_graph_uri=graph,
    )  # fmt: skip
    inputs = {"examples": examples, "transform_graph": graph}
    killed = _start(tmp_path, "1", inputs)
    end = time.monotonic() + 300
    while not list((tmp_path / "state").glob("*/state.npz")):
        assert killed.poll() is None, killed.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    said, _ = _start(tmp_path, "2", inputs).communicate(timeout=300)
    resumed = re.search(r"resuming after epoch (\d+)", said)
    assert resumed, said[-3000:]
    facts = json.loads((tmp_path / "2" / "model" / "training.json").read_text())
    history = json.loads((tmp_path / "2" / "model" / "history.json").read_text())
    assert len(history["loss"]) == facts["epochs"] > int(resumed[1]) > 0
    assert not (tmp_path / "2" / "model" / "resume").is_symlink()
    assert list((tmp_path / "state").iterdir()) == []


def _start(folder: Path, pod: str, inputs: dict[str, str]) -> subprocess.Popen[str]:
    """The command of the compiled pipeline, as the cluster's launcher starts it, in a folder of the pod's own."""
    spec = next(yaml.safe_load_all((ROOT / "pipeline.yaml").read_text()))
    container = spec["deploymentSpec"]["executors"]["exec-train"]["container"]
    here = folder / pod
    here.mkdir()
    given = {
        "task": "auto_mpg", "model_name": "mlp", "settings": {"train.epochs": "150"}, "seed": 7, "start": "",
        "state": str(folder / "state"), "code": "",
    }  # fmt: skip

    def artifact(name: str, uri: str, kind: str) -> dict[str, Any]:
        return {"artifacts": [{"name": name, "uri": uri, "metadata": {}, "type": {"schemaTitle": kind}}]}

    asked = {
        "inputs": {
            "parameterValues": given,
            "artifacts": {name: artifact(name, uri, "system.Artifact") for name, uri in inputs.items()},
        },
        "outputs": {
            "artifacts": {"model": artifact("model", str(here / "model"), "system.Model")},
            "outputFile": str(here / "output.json"),
        },
    }
    words = [word.replace("{{$}}", json.dumps(asked)) for word in (*container["command"], *container["args"])]
    environment = {**os.environ, "PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        words, cwd=here, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        start_new_session=True,
    )  # fmt: skip
