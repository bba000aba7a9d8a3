"""`sluice submit`."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from pipelines.kubeflow import client, follow_run, run_parameters, step_logs, try_again
from pipelines.kubeflow.client import Cluster
from pipelines.kubeflow.follow_run import DONE, FAILED, REJECTED, WRONG_INPUT, Seen
from pipelines.kubeflow.profile import Profile
from pipelines.kubeflow.step_resources import TITLES

INTERRUPTED = 130


def main(given: argparse.Namespace) -> int:
    follow_run.check_every(given.every)
    chosen = run_parameters.profile_of(given)
    parameters = run_parameters.parameters(given, chosen)
    cluster = client.connect(chosen.host, namespace=chosen.namespace, token_file=given.token_file)
    name = run_parameters.name_of(parameters)
    chosen = run_parameters.for_backend(chosen, cluster.version)
    run_id = start(cluster, chosen, parameters, name, waiting=given.wait, cached=not given.no_cache)
    url = cluster.run_url(run_id)
    facts = {"run": name, "run_id": run_id, "url": url, "task": given.task, "model": run_parameters.model(parameters),
             "data": parameters["data"]}  # fmt: skip
    if not given.json:
        print(f"{name}\nrun {run_id}\n{url}", flush=True)
    if not given.wait:
        if given.json:
            print(json.dumps({**facts, "steps": []}, indent=1))
        return DONE
    try:
        seen = follow_run.follow(cluster, run_id, TITLES, _say, given.every)
    except KeyboardInterrupt:
        print(f"sluice: no longer waiting; the run goes on: {url}", file=sys.stderr)
        return INTERRUPTED
    why = step_logs.reasons(cluster, seen)
    if given.json:
        print(json.dumps({**facts, **_outcome(seen, parameters), "error": "\n".join(why.values())}, indent=1))
    return _end(seen, why, f"sluice logs {run_id} STEP --host {cluster.host}", url)


def start(
    cluster: Cluster, chosen: Profile, parameters: dict[str, Any], name: str, *, waiting: bool, cached: bool = True
) -> str:
    """The id of the new run. Where an answer is lost on its way, the run is looked for by its name."""
    with run_parameters.package(chosen, parameters, concluding=waiting, cached=cached) as path:
        experiment_id = cluster.experiment(parameters["task"])

        def begin() -> str:
            with cluster.spoken("starting the run"):
                run = cluster.client.run_pipeline(
                    experiment_id, name, pipeline_package_path=path, params=parameters,
                    pipeline_root=chosen.pipeline_root or None, service_account=chosen.service_account or None,
                )  # fmt: skip
            return str(run.run_id)

        return try_again.changing(begin, lambda: _started(cluster, experiment_id, name))


def _started(cluster: Cluster, experiment_id: str, name: str) -> str:
    with cluster.spoken("looking for the run"):
        listed = cluster.client.list_runs(experiment_id=experiment_id, sort_by="created_at desc", page_size=20)
    return next((str(run.run_id) for run in listed.runs or [] if run.display_name == name), "")


def _outcome(seen: Seen, parameters: dict[str, Any]) -> dict[str, Any]:
    """As a local run has it, as far as the backend tells: it shows states, not what steps put out."""
    unknown = parameters["force"] or seen.nothing_new
    judged = {DONE: None if unknown else True, REJECTED: False}.get(seen.status)
    steps = [step for step in seen.steps.values() if step["name"] != follow_run.CONCLUDE]
    return {"state": seen.state, "steps": steps, "blessed": judged, "nothing_new": seen.nothing_new}


def _end(seen: Seen, why: dict[str, str], command: str, url: str) -> int:
    match seen.status:
        case 0:
            if seen.nothing_new:
                _say("nothing new: what this run would come to is served already")
            return DONE
        case 3:
            _say(
                f"sluice: the gate rejected the model; nothing was pushed. Its reasons are in evaluate's verdict: {url}"
            )
            return REJECTED
    for name, sentence in why.items():
        _say(f"sluice: The step {name} failed. {sentence}\nThe whole log: {command.replace('STEP', name)}")
    if not why:
        _say(f"sluice: The run ended as {seen.state.lower()}.")
    _say(f"The run's page: {url}")
    return WRONG_INPUT if seen.status == WRONG_INPUT else FAILED


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
