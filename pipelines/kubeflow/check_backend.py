"""What can be seen of a Kubeflow from outside, and what cannot."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.kubeflow import client, recurring_runs
from pipelines.kubeflow.client import Cluster
from pipelines.kubeflow.profile import Profile
from tasks import InputError

Check = tuple[str, str, str, str]
HIDDEN = (
    ("pipeline root", "the config map kfp-launcher, which says how steps reach the object store"),
    ("attempts", "the retryPolicy in the config map workflow-controller-configmap"),
    (
        "cluster",
        "whether nodes can pull the image and have the GPUs, and whether volume claims are bound",
    ),
)


def checks(chosen: Profile, *, token_file: str) -> Iterator[Check]:
    """Subject, state, what was found, and advice."""
    try:
        cluster = client.connect(chosen.host, namespace=chosen.namespace, token_file=token_file)
    except (InputError, RuntimeError) as error:
        yield "kubeflow", "bad", str(error), "Nothing else was looked at. Mend this and ask again."
        return
    users = f"many users; namespace {cluster.namespace}" if cluster.namespace else "one user"
    yield "kubeflow", "ok", f"{cluster.host}: version {cluster.version or 'untold'}, {users}", ""
    try:
        yield from _runs(cluster)
        schedules = recurring_runs.ours(cluster)
        yield "schedules", "ok", f"{len(schedules)} of Sluice", ""
    except (InputError, RuntimeError) as error:
        yield "runs", "bad", str(error), "The token needs the right to list runs and recurring runs there."
    for what, hidden in HIDDEN:
        yield what, "?", f"not seen from outside: {hidden}", ""
    yield (
        "secrets",
        "?",
        "not seen from outside",
        "See docs/kubeflow.md, Object stores, for what an administrator sets.",
    )


def _runs(cluster: Cluster) -> Iterator[Check]:
    """The last run tells the most: one that was done has reached the store, the image and the nodes."""
    listed = cluster.newest_runs(1)
    if not listed:
        yield "runs", "?", "none yet: `sluice submit TASK --wait` tries image, nodes and store together", ""
        return
    last = listed[0]
    state = str(last.state or "PENDING")
    advice = f"See {cluster.run_url(last.run_id)}" if state == "FAILED" else ""
    yield "runs", "low" if state == "FAILED" else "ok", f"the last, {last.display_name!r}: {state.lower()}", advice
