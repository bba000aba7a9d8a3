"""The pipeline with a place for each step: image, room, retries, and what kfp-kubernetes adds."""

from __future__ import annotations

import functools
import hashlib
import inspect
import tempfile
from pathlib import Path
from typing import Any

from components import beam_runners
from pipelines.kfp_import import import_without_client
from pipelines.kubeflow import resource_quantities
from pipelines.kubeflow.profile import Profile, shows_names, toleration, volume
from tasks import InputError, nearest

TITLE = "Sluice: raw data to a served model"
TRAINER = "train"
# Requests and limits of CPU and memory. A step that is not named here gets the last.
ROOM = {
    "resolve": ("250m", "1", "1Gi", "2Gi"),
    "ingest": ("1", "4", "2Gi", "8Gi"),
    "validate": ("250m", "1", "1Gi", "2Gi"),
    "transform": ("1", "4", "4Gi", "16Gi"),
    "train": ("2", "8", "4Gi", "16Gi"),
    "evaluate": ("1", "4", "4Gi", "16Gi"),
    "push": ("250m", "1", "1Gi", "2Gi"),
    "conclude": ("100m", "500m", "128Mi", "512Mi"),
    "": ("1", "2", "2Gi", "8Gi"),
}
# Which steps share a pod where there are to be few.
COMBINED = {"ingest-and-validate": ["ingest", "validate"], "evaluate-and-push": ["evaluate", "rehearse", "push"]}
# In the order in which they run.
TITLES = {
    "resolve": "Resolve data and champion",
    "ingest": "Ingest rows",
    "ingest-and-validate": "Ingest and validate rows",
    "validate": "Validate data",
    "transform": "Analyse for preprocessing",
    "train": "Train",
    "evaluate": "Evaluate and judge",
    "evaluate-and-push": "Evaluate, rehearse and push",
    "rehearse": "Rehearse serving",
    "push": "Push what was blessed",
    "conclude": "Conclude",
}
# Two more attempts, half a minute and a minute later. KFP counts the hour from the first attempt's start.
RETRIES, BACKOFF, FACTOR, WITHIN = 2, "30s", 2.0, "3600s"


def placed(profile: Profile, *, cached: bool = True, labels: dict[str, str] | None = None, **how: bool) -> Any:
    """The training pipeline for a cluster; how else it may be, `pipelines.training` says."""
    named = not profile.backend or shows_names(profile.backend)
    import_without_client()
    from kfp import dsl
    from kfp.dsl import pipeline_context

    from pipelines import training

    made = training.pipeline(few=profile.steps == "few", **how)
    pipeline = made.pipeline_func

    @functools.wraps(pipeline)
    def anywhere(*given: Any, **parameters: Any) -> Any:
        outputs = pipeline(*given, **parameters)
        steps = pipeline_context.Pipeline.get_default_pipeline().tasks
        known = [part for name in steps for part in COMBINED.get(name, [name])]
        if unknown := sorted(profile.resources.keys() - {*known}):
            raise InputError(f"There is no step {unknown[0]!r} to give resources to.{nearest(unknown[0], known)}")
        for name, step in steps.items():
            _place(name, step, profile, {**profile.labels, **(labels or {})})
            if named:
                step.set_display_name(TITLES[name])
            if not cached:
                step.set_caching_options(False)
        return outputs

    whole = dsl.pipeline(name=made.name, description=made.description, display_name=TITLE)
    return whole(_with_default(anywhere, "beam_args", beam_runners.flink(profile.flink)) if profile.flink else anywhere)


def _with_default(function: Any, name: str, value: Any) -> Any:
    """The same function, whose parameter of that name has this default; KFP reads it from there."""
    signature = inspect.signature(function)
    changed = [each.replace(default=value) if each.name == name else each for each in signature.parameters.values()]
    function.__signature__ = signature.replace(parameters=changed)
    return function


def compiled(profile: Profile, **how: Any) -> str:
    """The text of pipeline.yaml."""
    return _yaml(placed(profile, **how))


def _yaml(pipeline: Any, **options: Any) -> str:
    from kfp import compiler

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "pipeline.yaml"
        compiler.Compiler().compile(pipeline, str(path), **options)
        return path.read_text()


def manifest(profile: Profile) -> str:
    """The same as the objects Pipeline and PipelineVersion of Kubernetes, the version named by its content."""
    name = "sluice"
    digest = hashlib.sha256(compiled(profile).encode()).hexdigest()[:12]
    pipeline = placed(profile)
    from kfp.compiler.compiler_utils import KubernetesManifestOptions

    options = KubernetesManifestOptions(
        pipeline_name=name, pipeline_version_name=f"{name}-{digest}",
        pipeline_version_display_name=f"{name}-{digest}", namespace=profile.namespace or None,
        include_pipeline_manifest=True,
    )  # fmt: skip
    return _yaml(pipeline, kubernetes_manifest_format=True, kubernetes_manifest_options=options)


def _place(name: str, step: Any, profile: Profile, labels: dict[str, str]) -> None:
    step.container_spec.image = image(name, profile) or step.container_spec.image
    for key, value in room(name, profile).items():
        setter = {"cpu": "cpu_request", "memory": "memory_request"}.get(key, key)
        getattr(step, f"set_{setter}")(value)
    if name != "conclude":
        step.set_retry(RETRIES, backoff_duration=BACKOFF, backoff_factor=FACTOR, backoff_max_duration=WITHIN)
    for variable, value in profile.env.items():
        step.set_env_variable(variable, value)
    _on_kubernetes(name, step, profile, labels)
    if name == TRAINER and profile.gpus > 0:
        step.set_accelerator_type(profile.gpu_type)
        step.set_accelerator_limit(profile.gpus)


def image(name: str, profile: Profile) -> str:
    """The profile's for this step; empty where it names none."""
    return (name == TRAINER and profile.gpus > 0 and profile.gpu_image) or profile.image


def room(name: str, profile: Profile) -> dict[str, str]:
    """CPU and memory of a step. Of those that share a pod, the largest counts: they run one after the other."""
    parts = COMBINED.get(name, [name])
    each = [resource_quantities.room(profile.resources.get(part, {}), ROOM.get(part, ROOM[""])) for part in parts]
    found = {key: max((one[key] for one in each), key=resource_quantities.amount) for key in each[0]}
    resource_quantities.check_shared(profile.shm if name == TRAINER else "", found["memory_limit"])
    return found


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
    if profile.run_as_user or profile.run_as_group:
        kubernetes.set_security_context(
            step, run_as_user=profile.run_as_user or None, run_as_group=profile.run_as_group or None
        )
    if profile.pull_policy:
        kubernetes.set_image_pull_policy(step, profile.pull_policy)
    if profile.pull_secrets:
        kubernetes.set_image_pull_secrets(step, profile.pull_secrets)
    if trainer and profile.shm:
        kubernetes.empty_dir_mount(step, "shm", "/dev/shm", medium="Memory", size_limit=profile.shm)
