"""A run that is over, as MLflow keeps it: settings, curves, scores, tags, report, and the model if it was pushed."""

from __future__ import annotations

import math
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.serving.report_outcome import Outcome
from components.storage.atomic_files import read_json
from components.storage.secrets_in_text import without_secrets
from components.tracking import registered_model, server
from components.tracking.registered_model import PushedModel

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from mlflow.entities import Metric

# Kubeflow's plugin for MLflow makes a run for each step, and says here which.
RUN_ID = "MLFLOW_RUN_ID"
EXPERIMENT, EXPERIMENT_ID = "MLFLOW_EXPERIMENT_NAME", "MLFLOW_EXPERIMENT_ID"
# What MLflow takes at once, and how long a value may be.
PARAMETERS, METRICS, CHARACTERS = 100, 1000, 5000
REPORT = "report.html"
NOT_IN_NAMES = re.compile(r"[^\w.\- :/]")


@dataclass(frozen=True, kw_only=True)
class FinishedRun:
    """`curves` are the trainer's, an epoch a value; `metrics` those of the test rows.

    One with `nothing_new` is told only if its model is not the champion over there: then the server was down.
    """

    name: str
    task: str
    status: str = "FINISHED"
    parameters: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    curves: Mapping[str, Sequence[float | None]] = field(default_factory=dict)
    tags: Mapping[str, Any] = field(default_factory=dict)
    report: Path | None = None
    model: PushedModel | None = None
    nothing_new: bool = False


def of_push(
    task: str,
    run: str,
    parameters: Mapping[str, Any],
    *,
    model: Path,
    report: Path,
    verdict: Mapping[str, Any],
    statistics: Mapping[str, Any],
    outcome: Outcome,
    version: int,
    nothing_new: bool = False,
) -> FinishedRun:
    """A run that has come as far as its push, whatever came of that; a version that is served has a model."""
    sha256 = str(verdict.get("model_sha256", ""))
    tags = {
        "sluice.verdict": outcome.title.lstrip("✓✗ "),
        "sluice.blessed": verdict.get("blessed") is True,
        "sluice.reasons": " ".join(outcome.reasons),
        "sluice.fingerprint": statistics.get("fingerprint", ""),
        registered_model.SHA256: sha256,
        registered_model.VERSION: version or "",
    }
    return FinishedRun(
        name=run,
        task=task,
        parameters={**parameters, **trained(model)},
        metrics=verdict.get("metrics", {}),
        curves=written(model / "history.json"),
        tags=tags,
        report=report,
        model=PushedModel(version=version, sha256=sha256, path=model / "serving") if version else None,
        nothing_new=nothing_new,
    )


def trained(model: Path) -> dict[str, Any]:
    """The settings of a fit, as it wrote them down."""
    return dict(written(model / "training.json").get("settings") or {})


def written(paper: Path) -> dict[str, Any]:
    """Nothing where there is none."""
    try:
        return dict(read_json(paper))
    except (OSError, ValueError):
        return {}


def tell(run: FinishedRun) -> str:
    """The address of the run over there, or why there is none; "" where no server is named."""
    return server.attempt(lambda client: _log(client, run))


def _log(client: MlflowClient, run: FinishedRun) -> str:
    if run.nothing_new and run.model and registered_model.is_champion(client, run.task, run.model):
        return ""
    from mlflow.entities import Param, RunTag

    run_id, experiment, ours = _begun(client, run)
    parameters = [Param(_name(name), _words(value)) for name, value in run.parameters.items()]
    metrics = _metrics(run)
    for at in range(0, len(parameters), PARAMETERS):
        client.log_batch(run_id, params=parameters[at : at + PARAMETERS])
    for at in range(0, len(metrics), METRICS):
        client.log_batch(run_id, metrics=metrics[at : at + METRICS])
    tags = {"sluice.run": run.name, "sluice.task": run.task, **run.tags}
    client.log_batch(run_id, tags=[RunTag(name, _words(value)) for name, value in tags.items()])
    if run.report:
        _log_report(client, run_id, run.report)
    if run.model:
        registered_model.register(client, run_id, run.task, run.model)
    if ours:
        client.set_terminated(run_id, run.status)
    place = os.environ[server.VARIABLE].rstrip("/")
    if not place.startswith(("http://", "https://")):
        return f"MLflow run {run_id} in {place}"
    return f"MLflow {place}/#/experiments/{experiment}/runs/{run_id}"


def _log_report(client: MlflowClient, run_id: str, report: Path) -> None:
    """Under a name by which MLflow shows it as a page: an artifact of a step has none."""
    with tempfile.TemporaryDirectory() as folder:
        page = Path(shutil.copyfile(report, Path(folder) / REPORT))
        client.log_artifact(run_id, str(page))


def _begun(client: MlflowClient, run: FinishedRun) -> tuple[str, str, bool]:
    """The run's id and its experiment's, and whether it is ours to end."""
    if given := os.environ.get(RUN_ID):
        return given, client.get_run(given).info.experiment_id, False
    experiment = os.environ.get(EXPERIMENT_ID) or _experiment(client, os.environ.get(EXPERIMENT) or run.task)
    return client.create_run(experiment, run_name=run.name).info.run_id, experiment, True


def _experiment(client: MlflowClient, name: str) -> str:
    from mlflow.exceptions import MlflowException

    if found := client.get_experiment_by_name(name):
        return str(found.experiment_id)
    try:
        return str(client.create_experiment(name))
    except MlflowException:
        if found := client.get_experiment_by_name(name):  # another run has just made it
            return str(found.experiment_id)
        raise


def _metrics(run: FinishedRun) -> list[Metric]:
    """By the rows they are taken on, which MLflow shows as groups: test, train and val."""
    from mlflow.entities import Metric

    now = int(time.time() * 1000)
    scores = {f"test/{name}": [(0, value)] for name, value in run.metrics.items()}
    curves = {
        f"val/{name.removeprefix('val_')}" if name.startswith("val_") else f"train/{name}": list(enumerate(values, 1))
        for name, values in run.curves.items()
    }
    return [
        Metric(_name(name), float(value), now, step)
        for name, points in [*scores.items(), *curves.items()]
        for step, value in points
        if value is not None and math.isfinite(value)
    ]


def _words(value: Any) -> str:
    """A place of data may hold a password; and here others read it."""
    return without_secrets(str(value))[:CHARACTERS]


def _name(text: str) -> str:
    return NOT_IN_NAMES.sub("_", text)
