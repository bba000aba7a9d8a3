"""The trainer on several machines: by the models of Kubeflow Trainer's API, and read as TensorFlow will read it."""

from __future__ import annotations

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from repository import ROOT

from pipelines import command_line
from pipelines.commands import compile as compile_command
from pipelines.kubeflow import training_runtime
from pipelines.kubeflow.profile import Profile
from tasks import InputError

EVERYTHING = Profile(
    image="r/s:1", gpu_image="r/s:1-gpu", pull_policy="Always", pull_secrets=["registry"], gpus=2, shm="8Gi",
    namespace="team", service_account="trainer", run_as_user=1000, node_selector={"pool": "ml"},
    gpu_node_selector={"gpu": "h200"}, tolerations=["dedicated=ml:NoSchedule"],
    gpu_tolerations=["nvidia.com/gpu:NoSchedule"], volumes=["shared:/shared"],
    secrets={"s3": {"key": "AWS_ACCESS_KEY_ID"}}, env={"HF_HOME": "/tmp/hf"}, labels={"team": "cars"},
    resources={"train": {"memory": "32Gi", "memory_limit": "64Gi"}},
)  # fmt: skip


def trainjob() -> dict[str, Any]:
    """The one in the docs."""
    blocks = re.findall(r"```yaml\n(.*?)```", (ROOT / "docs/kubeflow.md").read_text(), re.DOTALL)
    (found,) = (yaml.safe_load(block) for block in blocks if "kind: TrainJob" in block)
    return dict(found)


@pytest.mark.slow
@pytest.mark.parametrize("chosen", [Profile(), EVERYTHING], ids=["plain", "everything"])
def test_trainer_s_own_models_know_all_of_it(chosen: Profile) -> None:
    """They drop what they do not know, and refuse what has another type."""
    from kubeflow_trainer_api import models

    runtime = yaml.safe_load(training_runtime.manifest(chosen, 4))
    assert models.TrainerV1alpha1TrainingRuntime.from_dict(runtime).to_dict() == runtime
    assert models.TrainerV1alpha1TrainJob.from_dict(trainjob()).to_dict() == trainjob()


def job(chosen: Profile, workers: int = 4) -> tuple[dict[str, Any], dict[str, Any]]:
    spec = yaml.safe_load(training_runtime.manifest(chosen, workers))["spec"]
    assert spec["mlPolicy"] == {"numNodes": workers}
    (found,) = spec["template"]["spec"]["replicatedJobs"]
    return found, found["template"]["spec"]["template"]["spec"]


def test_what_trainer_s_webhook_demands() -> None:
    """One replica, of which the pods are counted; its label; and a container of the name that a TrainJob changes."""
    found, pod = job(EVERYTHING)
    assert (found["name"], found["replicas"]) == ("node", 1)
    assert found["template"]["metadata"]["labels"] == {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}
    assert [container["name"] for container in pod["containers"]] == ["node"]


def test_each_worker_is_told_the_others_and_itself() -> None:
    (container,) = job(Profile(), 3)[1]["containers"]
    marks = {
        "metadata.annotations['jobset.sigs.k8s.io/jobset-name']": "cnn",
        "metadata.annotations['batch.kubernetes.io/job-completion-index']": "2",
    }
    environment: dict[str, str] = {}
    for each in container["env"]:  # as Kubernetes does it: a value may name those before it
        value = each["value"] if "value" in each else marks[each["valueFrom"]["fieldRef"]["fieldPath"]]
        environment[each["name"]] = re.sub(r"\$\((\w+)\)", lambda match: environment[match[1]], value)
    addresses = ["cnn-node-0-0.cnn:2222", "cnn-node-0-1.cnn:2222", "cnn-node-0-2.cnn:2222"]
    task = {"type": "worker", "index": 2}
    assert json.loads(environment["TF_CONFIG"]) == {"cluster": {"worker": addresses}, "task": task}


def test_the_profile_is_that_of_the_trainer() -> None:
    _, pod = job(EVERYTHING)
    (container,) = pod["containers"]
    assert (container["image"], container["imagePullPolicy"]) == ("r/s:1-gpu", "Always")
    assert container["resources"]["requests"] == {"cpu": "2", "memory": "32Gi", "nvidia.com/gpu": "2"}
    assert container["resources"]["limits"] == {"cpu": "8", "memory": "64Gi", "nvidia.com/gpu": "2"}
    assert {mount["mountPath"] for mount in container["volumeMounts"]} == {"/shared", "/dev/shm"}
    assert {mount["name"] for mount in container["volumeMounts"]} == {volume["name"] for volume in pod["volumes"]}
    assert {each["name"] for each in container["env"]} >= {"HF_HOME", "AWS_ACCESS_KEY_ID"}
    assert pod["nodeSelector"] == {"pool": "ml", "gpu": "h200"}
    assert [each["key"] for each in pod["tolerations"]] == ["dedicated", "nvidia.com/gpu"]
    assert (pod["serviceAccountName"], pod["imagePullSecrets"]) == ("trainer", [{"name": "registry"}])
    assert pod["securityContext"] == {"runAsUser": 1000}


def test_the_job_of_the_docs_gives_the_parameters_of_the_training_step() -> None:
    tree = ast.parse((ROOT / "components/train/step.py").read_text())
    (run,) = (node.args for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "run")
    known = {each.arg for each in run.kwonlyargs}
    needed = {each.arg for each, value in zip(run.kwonlyargs, run.kw_defaults, strict=True) if value is None}
    (argument,) = trainjob()["spec"]["trainer"]["args"]
    assert needed <= json.loads(argument).keys() <= known
    assert trainjob()["spec"]["runtimeRef"] == {"kind": "TrainingRuntime", "name": training_runtime.NAME}


def test_it_is_written_beside_the_pipeline(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    given = command_line.parser().parse_args(["compile", "--training-runtime", "2", "--image", "r/s:1"])
    assert compile_command.main(given) == 0
    assert capsys.readouterr() == ("training-runtime.yaml\n", "")
    assert (tmp_path / "training-runtime.yaml").read_text() == training_runtime.manifest(Profile(image="r/s:1"), 2)


@pytest.mark.parametrize("workers", [1, 0, -3])
def test_one_machine_needs_none(workers: int) -> None:
    with pytest.raises(InputError, match=f"expected 2 or more. Received: {workers}"):
        training_runtime.manifest(Profile(), workers)
