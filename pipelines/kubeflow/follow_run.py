"""Following a run on the cluster to its end, step by step."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from pipelines.kubeflow.client import Cluster
from pipelines.kubeflow.error_messages import NoSuchHost, Unreachable
from pipelines.kubeflow.step_resources import TITLES
from tasks import InputError

DONE, FAILED, WRONG_INPUT, REJECTED = 0, 1, 2, 3
ENDED = {"SUCCEEDED", "FAILED", "SKIPPED", "CANCELED"}
PATIENCE = 600.0
LEAST = 0.1
# So often is asked again when the backend refuses: a token may be about to be renewed.
AGAIN = 5
CONCLUDE = "conclude"
EXECUTOR = "executor"
# The backend tells whole seconds.
TOGETHER = timedelta(seconds=1)
OWN = {title: name for name, title in TITLES.items()}


@dataclass
class Seen:
    """How far a run has come."""

    state: str = "PENDING"
    run: Any = None
    steps: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def nothing_new(self) -> bool:
        """The first step was the last."""
        return self.state == "SUCCEEDED" and [*self.steps] == ["resolve"]

    @property
    def failed(self) -> list[str]:
        return [name for name, step in self.steps.items() if step["status"] == "failed"]

    @property
    def status(self) -> int:
        """The exit status that a local run would have."""
        failed = self.failed
        if self.state == "SUCCEEDED":
            return DONE
        if failed == [CONCLUDE]:
            return REJECTED
        return WRONG_INPUT if failed == ["resolve"] else FAILED


def follow(cluster: Cluster, run_id: str, names: Iterable[str], say: Callable[[str], None], every: float = 5.0) -> Seen:
    """Wait for the end. The backend may be away for a while; the run does not need us."""
    names, before = list(names), Seen()
    while True:
        now = seen(_asked(cluster, run_id, every), names)
        for name, step in now.steps.items():
            if step != before.steps.get(name) and (line := _line(name, step, before.steps.get(name))):
                say(line)
        if now.state in ENDED:
            return now
        before = now
        time.sleep(every)


def check_every(seconds: float) -> None:
    if not (math.isfinite(seconds) and seconds >= LEAST):
        raise InputError(f"--every takes a number of seconds, {LEAST} or more. Received: {seconds}.")


def _asked(cluster: Cluster, run_id: str, every: float) -> Any:
    """The run as it is now. What the backend refuses while we wait is no wrong input: it had taken the same before."""
    since, refusals = time.monotonic(), 0
    while True:
        try:
            with cluster.spoken("asking for the run"):
                return cluster.client.get_run(run_id)
        except (Unreachable, InputError) as error:
            refusals += isinstance(error, InputError) and not isinstance(error, NoSuchHost)
            if refusals > AGAIN or time.monotonic() - since > PATIENCE:
                raise RuntimeError(f"{error} The run goes on without us: {cluster.run_url(run_id)}") from None
        time.sleep(every)


def seen(run: Any, names: Iterable[str]) -> Seen:
    """The states of our steps among all that the backend lists: drivers, groups and retries too."""
    details = list((run.run_details and run.run_details.task_details) or [])
    # Argo's nodes have the steps' own names; backends that keep tasks themselves show the display names.
    by_name = {OWN.get(detail.display_name, detail.display_name): detail for detail in details}
    skipped = [detail for detail in details if detail.display_name == EXECUTOR and detail.state == "SKIPPED"]
    found = {name: _step(name, by_name[name], skipped) for name in names if name in by_name}
    return Seen(run.state or "PENDING", run, {name: step for name, step in found.items() if step})


def _step(name: str, detail: Any, skipped: Sequence[Any]) -> dict[str, Any]:
    state = detail.state or "PENDING"
    seconds = 0.0
    if detail.start_time and detail.end_time and state in ENDED:
        seconds = max(0.0, (detail.end_time - detail.start_time).total_seconds())
    cached = state == "SUCCEEDED" and any(_together(detail, each) for each in skipped)
    status = "cached" if cached else {"SUCCEEDED": "ran", "FAILED": "failed", "RUNNING": "running"}.get(state, "")
    return {"name": name, "status": status, "seconds": seconds} if status else {}


def _together(step: Any, executor: Any) -> bool:
    """Whether this is the executor of the step, skipped because the cache has its outputs.

    No row has the id by which another calls it. But only a step that starts no pod begins and ends with its executor.
    """
    pairs = ((step.start_time, executor.start_time), (step.end_time, executor.end_time))
    return all(one and other and abs(one - other) <= TOGETHER for one, other in pairs)


def _line(name: str, step: dict[str, Any], before: dict[str, Any] | None) -> str:
    match step["status"]:
        case "running":
            return "" if before else f"{name}: started"
        case "cached":
            return f"{name}: cached"
        case "failed":
            return f"{name}: failed after {step['seconds']:.0f} s"
    return f"{name}: done in {step['seconds']:.0f} s"
