"""The log of a step, had through Kubeflow's API, which asks for a pod and tells the names of none.

What it tells of a run are Argo's nodes: rows with a name and, as hashes of the whole path, the ids of those below. So
the paths are found again from the hashes; Argo makes the names of pods from the same.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.kubeflow.client import Cluster
from pipelines.kubeflow.follow_run import DONE, EXECUTOR, REJECTED, Seen
from pipelines.kubeflow.step_resources import COMBINED
from tasks import InputError

# What KFP's launcher and Argo's executor write between and after the lines of the step.
OF_OTHERS = re.compile(r"[IWEF]\d{4} \d|time=\S+ level=|Error: exit status|\[KFP ")
TRACEBACK = "Traceback (most recent call last):"
RAISED = re.compile(r"((?:\w+\.)*\w+)(?:: (.*))?")
# Errors whose text is a sentence of ours; of others it goes on for pages.
OURS = ("InputError", "ValueError", "RuntimeError")
LONGEST = 4000


def read(cluster: Cluster, run: Any, step: str) -> str:
    """The log of the step's last attempt that has one; of a step that shares a pod, the log of that."""
    shared = (name for name, parts in COMBINED.items() if step in parts)
    tried = [pod for name in (step, *shared) for pod in pods(run, name)]
    for pod in tried:
        with cluster.spoken("reading the log"):
            log = _asked(cluster, str(run.run_id), pod)
        if log is not None:
            return log
    if not tried:
        raise RuntimeError(f"There is no pod of the step {step} in this run: it has not started, or was not needed.")
    raise RuntimeError(
        f"The log of the step {step} is gone with its pod, and the backend has no archive of it that it can read. See "
        f"{cluster.run_url(run.run_id)}"
    )


def _asked(cluster: Cluster, run_id: str, pod: str) -> str | None:
    """Nothing where there is no such pod, or no longer: the backend answers that as any other fault of its own."""
    import kfp_server_api

    try:
        answer = cluster.client._run_api.api_client.call_api(
            "/apis/v1beta1/runs/{run}/nodes/{node}/log", "GET", path_params={"run": run_id, "node": pod},
            auth_settings=["Bearer"], _preload_content=False, _return_http_data_only=True,
        )  # fmt: skip
    except kfp_server_api.ApiException as error:
        if error.status in {400, 404, 500}:
            return None
        raise
    return str(answer.data.decode(errors="replace"))


def reasons(cluster: Cluster, seen: Seen) -> dict[str, str]:
    """Why each failed step failed. A log that cannot be had is no fault of the run."""
    if seen.status in {DONE, REJECTED}:
        return {}
    found = {}
    for step in seen.failed:
        try:
            found[step] = reason(read(cluster, seen.run, step)) or "Its log has no reason: it was killed, as a rule."
        except (RuntimeError, InputError) as error:
            found[step] = f"Why could not be found out: {error}"
    return found


def pods(run: Any, step: str) -> list[str]:
    """What the pods of a step may be called, the last attempt's first; then Argo's ids, which archives use."""
    rows = list((run.run_details and run.run_details.task_details) or [])
    ids = {str(child.pod_name) for row in rows for child in row.child_tasks or [] if child.pod_name}
    if not ids:
        return []
    workflow = min(ids, key=len).rpartition("-")[0]
    wanted = re.compile(rf".*\.{re.escape(step)}(\(\d+\))?\.{EXECUTOR}(\((\d+)\))?")
    matches = (wanted.fullmatch(path) for path in _paths(workflow, ids, {str(row.display_name) for row in rows}))
    attempts = sorted((int(match[3] or -1), match[0]) for match in matches if match)[::-1]
    names = [f"{workflow}-{template}-{node_hash(path)}" for _, path in attempts for template in _templates(run, step)]
    return [*names, *(f"{workflow}-{node_hash(path)}" for _, path in attempts)]


def _paths(workflow: str, ids: set[str], names: set[str]) -> Iterator[str]:
    """All nodes of which a row tells, by their paths: group.step.executor, each with its attempt, as `train(0)`."""
    frontier = [workflow, *(name for name in names if name.startswith(f"{workflow}("))]
    while frontier:
        yield from frontier
        below = (f"{group}.{name}" for group in frontier for name in names)
        frontier = [path for path in below if f"{workflow}-{node_hash(path)}" in ids]


def node_hash(path: str) -> int:
    """FNV-1a of 32 bits, as Argo has it."""
    found = 2166136261
    for byte in path.encode():
        found = (found ^ byte) * 16777619 & 0xFFFFFFFF
    return found


def _templates(run: Any, step: str) -> list[str]:
    """How KFP's compiler calls the step's template: it counts the labels and tells whether there are more attempts."""
    spec = run.pipeline_spec if isinstance(run.pipeline_spec, Mapping) else {}
    executors = (
        spec.get("platform_spec", {}).get("platforms", {}).get("kubernetes", {})
        .get("deploymentSpec", {}).get("executors", {})
    )  # fmt: skip
    about = executors.get(f"exec-{step}", {}).get("podMetadata")
    counts = f"metadata-{len(about.get('annotations', {}))}-{len(about.get('labels', {}))}-" if about else ""
    plain = "system-container-impl"
    return [f"{before}{retry}{plain}" for before in dict.fromkeys([counts, ""]) for retry in ("retry-", "")]


def reason(log: str) -> str:
    """The sentence with which the step ended, as a local run would print it; empty where it was killed."""
    _, found, after = log.rpartition(TRACEBACK)
    lines = [line for line in after.splitlines() if not OF_OTHERS.match(line)] if found else []
    for place, line in enumerate(lines):
        if match := RAISED.fullmatch(line):
            name, text = match[1].rpartition(".")[2], match[2] or ""
            if name in OURS:
                rest = [text, *(more for more in lines[place + 1 :] if more.strip())]
                return "\n".join(rest).strip()[:LONGEST]
            return f"{name}: {text}"[:500]
    return ""
