"""A run that is over: its numbers, rows, report and models."""

from __future__ import annotations

import functools
import html
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.storage.atomic_files import read_json
from pipelines.commands import run_summary
from pipelines.local import run_record
from pipelines.native_output import only_our_words
from tasks import InputError

if TYPE_CHECKING:
    import keras
    import pandas as pd

    from sluice.served_model import ServedModel


class Report:
    """The report's file, which a notebook shows as it is."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __repr__(self) -> str:
        return f"Report({str(self.path)!r})"

    def _repr_html_(self) -> str:
        page = html.escape(self.path.read_text(encoding="utf-8"), quote=True)
        return f'<iframe srcdoc="{page}" style="width: 100%; height: 42rem; border: 0" sandbox></iframe>'


class Run:
    """A run's record and what its steps made; what costs time is read when it is asked for, and kept."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.facts: dict[str, Any] = run_record.load(path)

    @property
    def name(self) -> str:
        return str(self.facts["run"])

    @property
    def task(self) -> str:
        return str(self.facts["task"])

    @property
    def status(self) -> str:
        """done, rejected, failed or interrupted."""
        return str(self.facts["status"])

    @property
    def metrics(self) -> dict[str, float]:
        """On the test split, by name."""
        return dict(self.facts.get("metrics", {}))

    @property
    def blessed(self) -> bool:
        """Whether the model cleared the gate."""
        return bool(self.facts.get("blessed"))

    @property
    def reasons(self) -> list[str]:
        """Why the model was not pushed, if it was rejected."""
        return list(self.facts.get("reasons", []))

    @property
    def version(self) -> int:
        """The number of the version that serves it; 0 if nothing was pushed."""
        return int(self.facts.get("version", 0))

    @property
    def report(self) -> Report:
        if not self.facts.get("report"):
            raise self._absent("report")
        return Report(Path(self.facts["report"]))

    @functools.cached_property
    def settings(self) -> dict[str, Any]:
        """Every setting of the model and its fit as they were."""
        return dict(read_json(self._artifact("train/model") / "training.json")["settings"])

    @functools.cached_property
    def history(self) -> pd.DataFrame:
        """A row for each epoch, from 1."""
        import pandas as pd

        curves = read_json(self._artifact("train/model") / "history.json")
        epochs = max(map(len, curves.values()), default=0)
        return pd.DataFrame(curves, index=pd.RangeIndex(1, epochs + 1, name="epoch"))

    @functools.cached_property
    def predictions(self) -> pd.DataFrame:
        """The raw test rows with their label and what the exported model, and the champion, answer."""
        from sluice.predicted_rows import predicted_rows

        return predicted_rows(self.task, self._artifact("ingest/examples"), self._artifact("evaluate/predictions"))

    @functools.cached_property
    def model(self) -> keras.Model:
        """The Keras model, which takes what the task's preprocessing gives; `served` takes raw rows."""
        with only_our_words():
            from sluice.keras_model import keras_model

        return keras_model(self.task, str(self.facts["model"]), self._artifact("train/model") / "model.keras")

    @functools.cached_property
    def served(self) -> ServedModel:
        """The exported model: raw rows in, answers out."""
        from sluice.served_model import ServedModel

        return ServedModel(self.task, self._artifact("train/model") / "serving")

    def _artifact(self, name: str) -> Path:
        path = Path(self.facts.get("artifacts", {}).get(name, ""))
        if name not in self.facts.get("artifacts", {}) or not path.exists():
            raise self._absent(name.rpartition("/")[2])
        return path

    def _absent(self, what: str) -> InputError:
        told = "; ".join(run_summary.verdict(self.facts)) if "blessed" in self.facts else self.status
        return InputError(f"{self.name} has no {what} of its own: {told}.")

    def __repr__(self) -> str:
        if "blessed" not in self.facts:
            return f"{self.name}: {self.status}"
        return run_summary.summary(self.facts, hint=False)

    def _repr_html_(self) -> str:
        return f"<pre>{html.escape(repr(self))}</pre>"
