"""Runs that end before their push, as MLflow is told of them; of the others the step push tells."""

from __future__ import annotations

from pathlib import Path

from components.tracking import finished_run, server
from components.tracking.finished_run import FinishedRun
from pipelines.local.run_record import Record

STATUSES = {"failed": "FAILED", "pruned": "KILLED", "done": "FINISHED", "rejected": "FINISHED"}


def tell(record: Record, status: str) -> None:
    """Nothing of one that goes on when it is begun again, that never began, or that had nothing to do."""
    facts = record.facts
    if not server.is_named() or not record.path.exists() or status not in STATUSES or facts.get("nothing_new"):
        return
    if any(step["name"] == "push" and step["status"] == "ran" for step in facts["steps"]):
        return
    given = facts.get("parameters", {})
    model = Path(facts.get("artifacts", {}).get("train/model") or record.path / "train" / "model")
    parameters = {name: given[name] for name in ("model", "data", "seed") if name in given}
    failed = [step.get("why", "") for step in facts["steps"] if step["status"] == "failed"]
    tags = {
        "sluice.verdict": status,
        "sluice.reasons": " ".join(failed),
        **{f"sluice.{name}": facts[name] for name in ("search", "trial") if name in facts},
    }
    said = finished_run.tell(
        FinishedRun(
            name=record.name,
            task=facts["task"],
            status=STATUSES[status],
            parameters={**parameters, **given.get("overrides", {}), **finished_run.trained(model)},
            metrics=facts.get("metrics", {}),
            curves=finished_run.written(model / "history.json"),
            tags=tags,
            report=Path(facts["report"]) if facts.get("report") else None,
        )
    )
    record.update(mlflow=said)
