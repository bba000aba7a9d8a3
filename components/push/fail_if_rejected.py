"""Conclude: end a cluster's run as failed where the gate rejected the model, for whoever waits for its end."""

from __future__ import annotations


def run(*, publish: bool, blessed: bool, version: int, reasons: list[str]) -> None:
    """Kubeflow shows others a step's state, but not what it put out: so the verdict becomes a state."""
    if (version == 0 or reasons) if publish else not blessed:
        raise RuntimeError(f"The gate rejected the model; nothing was pushed. {' '.join(reasons)}".rstrip())
