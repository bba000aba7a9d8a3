"""KFP's own local runner runs the same pipeline.yaml to the same result as ours."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from repository import ROOT

OVERRIDES = {"train.epochs": "3"}
STOCK = """
import json
import sys
from kfp import components, local

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1], raise_on_error=True)
pipeline = components.load_component_from_file("pipeline.yaml")
pipeline(task="auto_mpg", destination=sys.argv[2], overrides=json.loads(sys.argv[3]), force="a test")
"""


def run(*command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def signatures(model: Path) -> dict[str, Any]:
    from tensorflow.core.protobuf import saved_model_pb2

    (graph,) = saved_model_pb2.SavedModel.FromString((model / "saved_model.pb").read_bytes()).meta_graphs
    return {
        name: {
            "inputs": {key: (tensor.dtype, str(tensor.tensor_shape)) for key, tensor in signature.inputs.items()},
            "outputs": {key: (tensor.dtype, str(tensor.tensor_shape)) for key, tensor in signature.outputs.items()},
        }
        for name, signature in graph.signature_def.items()
    }


@pytest.mark.slow
def test_both_runners_push_the_same_model(tmp_path: Path) -> None:
    ours, stock = tmp_path / "ours", tmp_path / "stock"
    settings = [f"--set={key}={value}" for key, value in OVERRIDES.items()]
    places = ["--runs", str(tmp_path / "runs"), "--serving", str(ours)]
    run("-m", "pipelines", "run", "auto_mpg", *settings, "--force", "a test", *places)
    run("-c", STOCK, str(tmp_path / "root"), str(stock), json.dumps(OVERRIDES))
    versions = [place / "auto_mpg" / "1" for place in (ours, stock)]
    first, second = (json.loads((path / "assets.extra" / "provenance.json").read_text()) for path in versions)
    assert first["metrics"] == pytest.approx(second["metrics"], rel=1e-6)
    assert first["fingerprint"] == second["fingerprint"]
    assert first["rows"] == second["rows"]
    assert first["inputs"] == second["inputs"]
    assert signatures(versions[0]) == signatures(versions[1])
    assert {"serving_default", "features"} <= signatures(versions[0]).keys()
