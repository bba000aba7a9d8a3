"""A served or exported model, asked with frames."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import tasks
from components.storage.local_paths import default_place, local_path
from pipelines.native_output import only_our_words
from sluice.task_definition import definition
from tasks import InputError

if TYPE_CHECKING:
    import pandas as pd


class ServedModel:
    """A SavedModel with its preprocessing inside. Call it, or its `predict`, with raw rows."""

    def __init__(self, task: str, path: Path, *, version: int = 0, provenance: dict[str, Any] | None = None) -> None:
        from components.serving.pushed_model import RawModel

        self.task, self.path, self.version, self.provenance = task, path, version, provenance or {}
        self._definition = definition(task)
        with only_our_words():
            self._model = RawModel(path, self._definition)

    def predict(self, rows: Any) -> pd.DataFrame:
        """An answer for each row, under the frame's own index; a row that cannot be answered says why in `error`."""
        import pandas as pd

        from components.predict.predict import answered
        from components.predict.write_answers import table
        from components.reading import headers
        from components.reading.data_frames import read_frames

        features = self._definition.features
        if not hasattr(rows, "__arrow_c_stream__"):
            raise InputError(
                f"Rows are a DataFrame or an Arrow table with the columns "
                f"{', '.join(feature.name for feature in features)}. Received: {type(rows).__name__}."
            )
        absent = [feature.name for feature in features if feature.when_missing != "reject"]
        batches = headers.renamed(read_frames(rows, "the frame", *headers.asked(features, absent)), features, absent)
        parts = [table(answered(self._definition, self._model, batch, False)).to_pandas() for batch in batches]
        found = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()
        return found.set_axis(rows.index) if isinstance(rows, pd.DataFrame) else found

    __call__ = predict

    def __repr__(self) -> str:
        return f"ServedModel({self.task!r}, {str(self.path)!r})"


def load(task: str, version: int | None = None, *, serving: str | Path | None = None) -> ServedModel:
    """The newest version of a task's model, or the one of that number."""
    from components.serving import versions

    tasks.use_folder("")
    tasks.check_name(task)
    place = default_place("serving") if serving is None else serving
    place = str(place) if "://" in str(place) else str(local_path(str(place)).absolute())
    found = versions.numbered(place, task, version)
    with versions.fetched(found) as path:
        return ServedModel(task, path, version=found.number, provenance=found.provenance)
