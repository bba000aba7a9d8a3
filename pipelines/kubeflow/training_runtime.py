"""The trainer on several machines, as a TrainingRuntime of Kubeflow Trainer 2, which ships none for TensorFlow."""

from __future__ import annotations

import json
from typing import Any

import yaml

from pipelines.kubeflow import step_resources
from pipelines.kubeflow.profile import SHM, Profile, toleration, volume
from tasks import InputError

NAME = "sluice"
PORT = 2222
# The name that Trainer looks for, of its job and of the container in it.
NODE = "node"
# Of the training step, whose parameters are the only argument: a TrainJob gives it.
PROGRAM = "import json, sys; from components.train import step; step.run(**json.loads(sys.argv[1]))"
# A lost worker stops the others; all are started again, and go on after the last finished epoch.
RESTARTS = 3


def manifest(profile: Profile, workers: int) -> str:
    if workers < 2:
        raise InputError(f"A training runtime is for several machines: expected 2 or more. Received: {workers}.")
    labels = {"labels": profile.labels} if profile.labels else {}
    job = {
        "name": NODE,
        "replicas": 1,
        "template": {
            "metadata": {"labels": {"trainer.kubeflow.org/trainjob-ancestor-step": "trainer"}},
            "spec": {"backoffLimit": 0, "template": {"metadata": labels, "spec": _pod(profile, workers)}},
        },
    }  # fmt: skip
    runtime = {
        "apiVersion": "trainer.kubeflow.org/v1alpha1",
        "kind": "TrainingRuntime",
        "metadata": {
            "name": NAME,
            "labels": {"trainer.kubeflow.org/framework": "tensorflow"},
            **({"namespace": profile.namespace} if profile.namespace else {}),
        },
        "spec": {
            "mlPolicy": {"numNodes": workers},
            "template": {"spec": {"failurePolicy": {"maxRestarts": RESTARTS}, "replicatedJobs": [job]}},
        },
    }
    return yaml.safe_dump(runtime, sort_keys=False, width=120)


def _pod(profile: Profile, workers: int) -> dict[str, Any]:
    mounts = {f"volume-{number}": volume(words) for number, words in enumerate(profile.volumes)}
    volumes = [{"name": name, "persistentVolumeClaim": {"claimName": claim}} for name, (claim, _) in mounts.items()]
    places = [{"name": name, "mountPath": path} for name, (_, path) in mounts.items()]
    if profile.shm:
        volumes.append({"name": "shm", "emptyDir": {"medium": "Memory", "sizeLimit": profile.shm}})
        places.append({"name": "shm", "mountPath": SHM})
    on_gpus = profile.gpus > 0
    user = {"runAsUser": profile.run_as_user, "runAsGroup": profile.run_as_group}
    found = {
        "restartPolicy": "Never",
        "serviceAccountName": profile.service_account,
        "imagePullSecrets": [{"name": name} for name in profile.pull_secrets],
        "nodeSelector": profile.node_selector | (profile.gpu_node_selector if on_gpus else {}),
        "tolerations": [
            toleration(words) for words in profile.tolerations + (profile.gpu_tolerations if on_gpus else [])
        ],
        "securityContext": {name: number for name, number in user.items() if number},
        "volumes": volumes,
        "containers": [_container(profile, workers) | ({"volumeMounts": places} if places else {})],
    }
    return {name: value for name, value in found.items() if value}


def _container(profile: Profile, workers: int) -> dict[str, Any]:
    from components.ops import IMAGE

    room = step_resources.room(step_resources.TRAINER, profile)
    gpus = {profile.gpu_type: str(profile.gpus)} if profile.gpus else {}
    return {
        "name": NODE,
        "image": step_resources.image(step_resources.TRAINER, profile) or IMAGE,
        **({"imagePullPolicy": profile.pull_policy} if profile.pull_policy else {}),
        "command": ["python", "-c", PROGRAM],
        "env": [*_told(workers), *_given(profile)],
        "resources": {
            "requests": {"cpu": room["cpu"], "memory": room["memory"], **gpus},
            "limits": {"cpu": room["cpu_limit"], "memory": room["memory_limit"], **gpus},
        },
    }


def _told(workers: int) -> list[dict[str, Any]]:
    """TF_CONFIG, in which Kubernetes fills in what is written on each pod: the job's name and the pod's number."""
    marks = {"TRAINJOB": "jobset.sigs.k8s.io/jobset-name", "WORKER": "batch.kubernetes.io/job-completion-index"}
    addresses = [f"$(TRAINJOB)-{NODE}-0-{number}.$(TRAINJOB):{PORT}" for number in range(workers)]
    config = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": "$(WORKER)"}}
    return [
        *({"name": name, "valueFrom": {"fieldRef": {"fieldPath": f"metadata.annotations['{mark}']"}}}
          for name, mark in marks.items()),
        {"name": "TF_CONFIG", "value": json.dumps(config).replace('"$(WORKER)"', "$(WORKER)")},
    ]  # fmt: skip


def _given(profile: Profile) -> list[dict[str, Any]]:
    """The profile's variables, and those from secrets."""
    return [
        *({"name": name, "value": value} for name, value in profile.env.items()),
        *({"name": variable, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}}
          for secret, keys in profile.secrets.items() for key, variable in keys.items()),
    ]  # fmt: skip
