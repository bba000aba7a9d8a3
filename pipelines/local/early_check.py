"""A look at the task in the warm process while rows are read: what would fail in training stops the run at once."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from components import code
from pipelines.local.run_record import Record
from pipelines.local.step_process import Failure, Job, Worker
from pipelines.local.warm_server import WarmServer

MODULE = "components.check_task.before_rows"
SOURCE = f"""
def look(task: str, model: str, preprocess: dict, train: dict):
    import {MODULE} as before_rows

    before_rows.run(task=task, model_name=model, preprocess_settings=preprocess, train_settings=train)
"""


class EarlyCheck:
    """Goes on beside the steps before training. Only what it finds wrong counts, not that it could not look."""

    def __init__(self, server: WarmServer, record: Record, task: str, resolved: dict[str, Any]) -> None:
        self.log: Path = record.log("check")
        given = {
            "task": task,
            "model": resolved["model"],
            "preprocess": resolved["preprocess_settings"],
            "train": resolved["train_settings"],
        }
        modules = (MODULE, f"tasks.{task}")
        job = Job(
            function="look",
            source=SOURCE,
            executor_input={
                "inputs": {"parameterValues": given},
                "outputs": {"outputFile": str(record.scratch / "check.json")},
            },
            log=self.log,
            scratch=record.scratch,
            modules=tuple(name for name in modules if code.exists(name)),
            sources=code.sources(*modules),
        )
        self.worker: Worker | None = Worker(job, None, server)
        self.worker.start()

    def found(self) -> Failure | None:
        """What is wrong with the task; None if nothing is, or as long as it is not known."""
        outcome = self.worker.outcome(0) if self.worker else None
        if outcome is False:
            return None
        self.stop()
        return outcome if isinstance(outcome, Failure) and outcome.wrong_input else None

    def stop(self) -> None:
        if self.worker:
            self.worker.stop()
        self.worker = None
