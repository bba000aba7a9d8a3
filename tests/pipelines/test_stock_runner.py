"""KFP's own local runner runs the same pipeline to the same result as ours, also with few steps."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import ROOT

from pipelines.kubeflow import step_resources
from pipelines.kubeflow.profile import Profile

OVERRIDES = {"train.epochs": "3"}
SAME = ("fingerprint", "rows", "inputs", "champion")
STOCK = """
import json
import sys
from kfp import components, local

local.init(local.SubprocessRunner(use_venv=False), pipeline_root=sys.argv[1], raise_on_error=True)
pipeline = components.load_component_from_file(sys.argv[4])
pipeline(task="auto_mpg", destination=sys.argv[2], overrides=json.loads(sys.argv[3]), force="a test")
"""


def run(*command: str) -> None:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]


def both_forms(few_served: Path) -> str:
    """pipeline.yaml, and beside its steps those that share a pod, as they are compiled, with another destination.

    They take the outputs of the same transform and train, so that those run once.
    """
    whole, few = (
        yaml.safe_load(text)
        for text in ((ROOT / "pipeline.yaml").read_text(), step_resources.compiled(Profile(steps="few")))
    )
    for name in step_resources.COMBINED:
        for kind, key in (("components", f"comp-{name}"), ("executors", f"exec-{name}")):
            place, source = (each["deploymentSpec"] if kind == "executors" else each for each in (whole, few))
            place[kind][key] = source[kind][key]
        whole["root"]["dag"]["tasks"][name] = few["root"]["dag"]["tasks"][name]
    last = whole["root"]["dag"]["tasks"]["evaluate-and-push"]
    last["inputs"]["parameters"]["destination"] = {"runtimeValue": {"constant": str(few_served)}}
    return yaml.safe_dump(whole)


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


@pytest.mark.thorough
@pytest.mark.slow
def test_both_runners_push_the_same_model_in_all_steps_and_in_few(tmp_path: Path) -> None:
    ours = tmp_path / "ours"
    settings = [f"--set={key}={value}" for key, value in OVERRIDES.items()]
    places = ["--runs", str(tmp_path / "runs"), "--serving", str(ours)]
    run("-m", "pipelines", "run", "auto_mpg", *settings, "--force", "a test", *places)
    stock, few = tmp_path / "stock", tmp_path / "few"
    (tmp_path / "both.yaml").write_text(both_forms(few))
    run("-c", STOCK, str(tmp_path / "root"), str(stock), json.dumps(OVERRIDES), str(tmp_path / "both.yaml"))
    first, *others = (place / "auto_mpg" / "1" for place in (ours, stock, few))
    assert {"serving_default", "features"} <= signatures(first).keys()
    for second in others:
        one, other = (json.loads((path / "assets.extra" / "provenance.json").read_text()) for path in (first, second))
        assert one["metrics"] == pytest.approx(other["metrics"], rel=1e-6)
        assert [one[key] for key in SAME] == [other[key] for key in SAME]
        assert signatures(first) == signatures(second)
    put_out = {path.parent.name: {each.name for each in path.parent.iterdir()}
               for path in (tmp_path / "root").glob("*/*/executor_output.json")}  # fmt: skip
    for name, parts in step_resources.COMBINED.items():
        assert put_out[name] - {"judged"} == set[str]().union(*(put_out[part] for part in parts))
