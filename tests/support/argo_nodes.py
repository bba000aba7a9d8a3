"""A run as KFP 2.17's API server shows it, with what it keeps of Argo's nodes and what it does not.

Each node has a row: a display name, a state, whole seconds, and for those below it the ids that Argo has, called
pod_name. A row's own id is the database's; its own pod is not told; a time that is not yet is in the year 1.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
NEVER = "0001-01-01T00:00:00Z"
PRIME, BASIS = 16777619, 2166136261


@dataclass
class Node:
    """One of Argo's nodes; its name is the path from the workflow down to it."""

    workflow: str
    name: str
    display: str
    state: str
    start: int
    end: int | None
    template: str = ""
    children: list[Node] = field(default_factory=list)

    @property
    def hash(self) -> int:
        found = BASIS
        for byte in self.name.encode():
            found = ((found ^ byte) * PRIME) % 2**32
        return found

    @property
    def id(self) -> str:
        return self.workflow if self.name == self.workflow else f"{self.workflow}-{self.hash}"

    @property
    def pod(self) -> str:
        return f"{self.workflow}-{self.template}-{self.hash}"

    def row(self, run_id: str) -> dict[str, Any]:
        state = self.state if self.state != "OMITTED" else "SKIPPED"
        return {
            "run_id": run_id,
            "task_id": str(uuid.uuid4()),
            "display_name": self.display,
            "create_time": when(0),
            "start_time": when(self.start),
            "end_time": NEVER if self.end is None else when(self.end),
            "state": state,
            "execution_id": "0",
            "child_tasks": [{"pod_name": child.id} for child in self.children],
        }


def when(seconds: int) -> str:
    return (BEGAN + timedelta(seconds=seconds)).isoformat().replace("+00:00", "Z")


def step(group: Node, name: str, state: str, place: int, *, cached: bool, template: str) -> list[Node]:
    """A step's nodes: a driver; the step; its only attempt; in that the executor, and its pod unless it is cached."""
    start, end = place * 60, None if state == "RUNNING" else place * 60 + 42
    cached = cached and state == "SUCCEEDED"
    if cached:
        start, end = start + 10, start + 10

    def below(parent: Node, display: str, state: str = state, template: str = "") -> Node:
        return Node(group.workflow, f"{parent.name}.{display}", display, state, start, end, template)

    driver = below(group, f"{name}-driver", "SUCCEEDED")
    driver.start, driver.end = place * 60, place * 60 + 8
    outer, attempt = below(group, name), below(group, f"{name}(0)")
    executor = below(attempt, "executor", "SKIPPED" if cached else state)
    outer.children, attempt.children, driver.children = [attempt], [executor], [outer]
    if cached:
        return [driver, outer, attempt, executor]
    pod = below(attempt, "executor(0)", template=template)
    executor.children = [pod]
    return [driver, outer, attempt, executor, pod]


def groups(workflow: str, state: str, conditions: list[str]) -> list[Node]:
    """The workflow, its root, and the groups under conditions, each with its only attempt."""
    found = [
        Node(workflow, workflow, workflow, state, 0, None),
        Node(workflow, f"{workflow}(0)", f"{workflow}(0)", state, 0, None),
    ]
    found[0].children = [found[1]]
    for display in ["root", *conditions]:
        parent = found[-1]
        outer = Node(workflow, f"{parent.name}.{display}", display, state, 0, None)
        inner = Node(workflow, f"{parent.name}.{display}(0)", f"{display}(0)", state, 0, None)
        outer.children = [inner]
        parent.children.append(outer)
        found += [outer, inner]
    return found
