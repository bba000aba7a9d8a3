"""Recurring runs: listed, made, replaced and removed, each by a name that is there once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.kubeflow import run_parameters, try_again
from pipelines.kubeflow.client import Cluster
from pipelines.kubeflow.profile import Profile

PAGE = 100
KEEP_RUNS = "ORPHAN"


@dataclass(frozen=True, kw_only=True)
class Plan:
    """A recurring run to be."""

    name: str
    about: str
    cron: str
    enabled: bool
    catchup: bool
    concluding: bool
    cached: bool


def ours(cluster: Cluster) -> list[Any]:
    """All recurring runs of our pipeline, page by page."""
    found: list[Any] = []
    token = ""
    while True:
        with cluster.spoken("listing the schedules"):
            page = cluster.client.list_recurring_runs(
                page_token=token, page_size=PAGE, namespace=cluster.namespace or None
            )
        found += [each for each in page.recurring_runs or [] if _is_ours(each)]
        if not (token := page.next_page_token or ""):
            return found


def last_runs(cluster: Cluster) -> dict[str, Any]:
    """The newest run of each schedule, by the schedule's id, as far as the newest runs go. KFP names them itself."""
    listed = cluster.newest_runs(PAGE)
    return {str(run.recurring_run_id): run for run in reversed(listed) if run.recurring_run_id}


def replace(cluster: Cluster, chosen: Profile, parameters: dict[str, Any], plan: Plan) -> tuple[str, list[Any]]:
    """Make the new one, then remove those of its name: so there is never none. Gives its id, and those that went."""
    gone = [each for each in ours(cluster) if each.display_name == plan.name]
    before = {str(each.recurring_run_id) for each in gone}
    made = _create(cluster, chosen, parameters, plan, before)
    try:
        for old in before:
            remove(cluster, old)
    except (RuntimeError, ValueError) as error:
        raise RuntimeError(
            f"{str(error).rstrip('.')}. The new schedule {plan.name!r} is there, and the old one still is. Give the "
            "same command again."
        ) from None
    return made, gone


def remove(cluster: Cluster, recurring_run_id: str) -> None:
    """The schedule, not the run of it that may be going on, which Kubernetes would take with it."""
    api = cluster.client._recurring_run_api

    def delete() -> bool:
        with cluster.spoken("removing the schedule"):
            api.recurring_run_service_delete_recurring_run(recurring_run_id, propagation_policy=KEEP_RUNS)
        return True

    try_again.changing(delete, lambda: all(str(each.recurring_run_id) != recurring_run_id for each in ours(cluster)))


def _create(cluster: Cluster, chosen: Profile, parameters: dict[str, Any], plan: Plan, before: set[str]) -> str:
    with run_parameters.package(
        chosen, parameters, cached=plan.cached, concluding=plan.concluding, scheduled=True
    ) as path:
        experiment_id = cluster.experiment(parameters["task"])

        def make() -> str:
            with cluster.spoken("making the schedule"):
                made = cluster.client.create_recurring_run(
                    experiment_id, plan.name, description=plan.about, cron_expression=plan.cron,
                    max_concurrency=1, no_catchup=not plan.catchup, params=parameters, pipeline_package_path=path,
                    enabled=plan.enabled, pipeline_root=chosen.pipeline_root or None,
                    service_account=chosen.service_account or None,
                )  # fmt: skip
            return str(made.recurring_run_id)

        def made_already() -> str:
            new = (each for each in ours(cluster) if each.display_name == plan.name)
            return next((str(each.recurring_run_id) for each in new if str(each.recurring_run_id) not in before), "")

        return try_again.changing(make, made_already)


def _is_ours(each: Any) -> bool:
    spec = each.pipeline_spec if isinstance(each.pipeline_spec, dict) else {}
    spec = spec.get("pipeline_spec", spec)
    config = each.runtime_config.parameters if each.runtime_config else None
    return spec.get("pipelineInfo", {}).get("name") == "sluice" and "task" in (config or {})
