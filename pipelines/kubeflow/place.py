"""The pipeline with a place for each step: image, room, retries, and what kfp-kubernetes adds."""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines._kfp import without_client
from pipelines.kubeflow.profile import Profile, toleration, volume
from tasks import InputError, nearest

TRAINER = "train"
# Requests and limits of CPU and memory. A step that is not named here gets the last.
ROOM = {
    "resolve": ("250m", "1", "512Mi", "2Gi"),
    "ingest": ("1", "4", "2Gi", "8Gi"),
    "validate": ("250m", "1", "512Mi", "2Gi"),
    "transform": ("1", "4", "4Gi", "16Gi"),
    "train": ("2", "8", "4Gi", "16Gi"),
    "evaluate": ("1", "4", "4Gi", "16Gi"),
    "push": ("250m", "1", "512Mi", "2Gi"),
    "conclude": ("100m", "500m", "128Mi", "512Mi"),
    "": ("1", "2", "2Gi", "8Gi"),
}
# Two more attempts, half a minute and a minute later. KFP counts the hour from the first attempt's start.
RETRIES, BACKOFF, FACTOR, WITHIN = 2, "30s", 2.0, "3600s"


def placed(
    profile: Profile, *, concluding: bool = False, scheduled: bool = False, labels: dict[str, str] | None = None
) -> Any:
    """The training pipeline for a cluster.

    Concluding, it has a last step that fails where the gate rejected. Scheduled, it asks the backend for when a run
    was due; kfp's local runner, which runs pipeline.yaml too, stumbles over that placeholder.
    """
    with without_client():
        import kfp  # noqa: F401
    from kfp import dsl
    from kfp.dsl import pipeline_context

    from pipelines.training import training

    pipeline = training.pipeline_func

    @functools.wraps(pipeline)
    def anywhere(*given: Any, **named: Any) -> Any:
        outputs = pipeline(*given, **named)
        steps = pipeline_context.Pipeline.get_default_pipeline().tasks
        if scheduled:
            steps["resolve"].inputs["scheduled"] = dsl.PIPELINE_JOB_SCHEDULE_TIME_UTC_PLACEHOLDER
        if concluding:
            _conclude(steps, named.get("publish", _named(pipeline, given, "publish")))
        if unknown := sorted(profile.resources.keys() - steps.keys()):
            raise InputError(f"There is no step {unknown[0]!r} to give resources to.{nearest(unknown[0], [*steps])}")
        for name, step in steps.items():
            _place(name, step, profile, {**profile.labels, **(labels or {})})
        return outputs

    about = training.description
    return dsl.pipeline(name=training.name, description=about, display_name="Sluice: raw data to a served model")(
        anywhere
    )


def compiled(profile: Profile, **how: Any) -> str:
    """The text of pipeline.yaml."""
    pipeline = placed(profile, **how)
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path))
        return path.read_text()


def _conclude(steps: dict[str, Any], publish: Any) -> None:
    from components import ops

    evaluate, push = steps["evaluate"].outputs, steps["push"].outputs
    ops.conclude(
        publish=publish, blessed=evaluate["blessed"], version=push["version"], reasons=push["reasons"]
    ).set_caching_options(False)


def _named(pipeline: Callable[..., Any], given: tuple[Any, ...], name: str) -> Any:
    return given[pipeline.__code__.co_varnames.index(name)]


def _place(name: str, step: Any, profile: Profile, labels: dict[str, str]) -> None:
    # No display name of its own: backends before 2.6 look a step's outputs up by it and do not find them.
    step.container_spec.image = profile.image or step.container_spec.image
    asked, room = profile.resources.get(name, {}), ROOM.get(name, ROOM[""])
    for key, usual in zip(("cpu", "cpu_limit", "memory", "memory_limit"), room, strict=True):
        setter = {"cpu": "cpu_request", "memory": "memory_request"}.get(key, key)
        getattr(step, f"set_{setter}")(asked.get(key, usual))
    if name != "conclude":
        step.set_retry(RETRIES, backoff_duration=BACKOFF, backoff_factor=FACTOR, backoff_max_duration=WITHIN)
    for variable, value in profile.env.items():
        step.set_env_variable(variable, value)
    _on_kubernetes(name, step, profile, labels)
    if name == TRAINER and profile.gpus:
        step.set_accelerator_type(profile.gpu_type)
        step.set_accelerator_limit(profile.gpus)


def _on_kubernetes(name: str, step: Any, profile: Profile, labels: dict[str, str]) -> None:
    from kfp import kubernetes

    trainer = name == TRAINER
    for key, value in labels.items():
        kubernetes.add_pod_label(step, key, value)
    for key, value in (profile.node_selector | (profile.gpu_node_selector if trainer and profile.gpus else {})).items():
        kubernetes.add_node_selector(step, key, value)
    for words in profile.tolerations + (profile.gpu_tolerations if trainer and profile.gpus else []):
        kubernetes.add_toleration(step, **toleration(words))
    for secret, keys in profile.secrets.items():
        kubernetes.use_secret_as_env(step, secret, keys)
    for words in profile.volumes:
        claim, path = volume(words)
        kubernetes.mount_pvc(step, claim, path)
    if profile.pull_policy:
        kubernetes.set_image_pull_policy(step, profile.pull_policy)
    if profile.pull_secrets:
        kubernetes.set_image_pull_secrets(step, profile.pull_secrets)
    if trainer and profile.shm:
        kubernetes.empty_dir_mount(step, "shm", "/dev/shm", medium="Memory", size_limit=profile.shm)
