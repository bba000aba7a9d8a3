"""`sluice logs`."""

from __future__ import annotations

import argparse
import json
import re
from typing import Any

from pipelines.kubeflow import client, run_parameters, step_logs
from pipelines.kubeflow.client import Cluster
from pipelines.kubeflow.step_resources import TITLES
from tasks import InputError, nearest

ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def main(given: argparse.Namespace) -> int:
    if given.step not in TITLES:
        raise InputError(f"There is no step {given.step!r}.{nearest(given.step, [*TITLES])}")
    chosen = run_parameters.profile_of(given)
    cluster = client.connect(chosen.host, namespace=chosen.namespace, token_file=given.token_file)
    log = step_logs.read(cluster, _run(cluster, given.run), given.step)
    print(log, end="" if log.endswith("\n") else "\n")
    return 0


def _run(cluster: Cluster, words: str) -> Any:
    """By its id, or by the name that is shown on Kubeflow's pages."""
    if not ID.fullmatch(words):
        predicate = {"operation": "EQUALS", "key": "display_name", "stringValue": words}
        with cluster.spoken("looking for the run"):
            listed = cluster.client.list_runs(
                filter=json.dumps({"predicates": [predicate]}), namespace=cluster.namespace or None, page_size=2
            )
        if not listed.runs:
            raise InputError(f"There is no run {words!r} at {cluster.host}. Expected its id or its name.")
        words = str(listed.runs[0].run_id)
    with cluster.spoken(f"the run {words}"):
        return cluster.client.get_run(words)
