"""The newest version of a task, in memory: another takes its place when it is loaded and has answered."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tasks
from components.rest_server.form_fields import Span, spans
from components.serving import versions
from components.serving.output_names import WARMUP
from components.serving.prediction_log import predicted
from components.serving.pushed_model import RawModel
from components.serving.versions import Version


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A version that answers; `example` is one real row and `spans` what the training rows lay between, if it tells."""

    number: int
    model: RawModel
    signatures: dict[str, dict[str, str]]
    metadata: dict[str, Any]
    example: dict[str, np.ndarray]
    spans: dict[str, Span]


class LiveModel:
    """Whoever reads `loaded` has a version that is whole, and may go on using it after another has come."""

    def __init__(self, serving: str, name: str) -> None:
        self.name, self.task, self.serving = name, tasks.get(name), serving
        self.loaded = self._load(versions.numbered(serving, name, None))
        self.failed: dict[int, str] = {}

    def refresh(self) -> str:
        """Take over the newest version if it is another; gives what there is to say about it."""
        newest = versions.newest_number(self.serving, self.name)
        if newest is None or newest == self.loaded.number or newest in self.failed:
            return ""
        try:
            before, self.loaded = self.loaded, self._load(versions.numbered(self.serving, self.name, newest))
        except Exception as error:  # whatever a damaged model may raise, the one before goes on answering
            self.failed[newest] = str(error)
            return f"{self.name}: version {newest} is not taken over, {self.loaded.number} goes on. {error}"
        return f"{self.name}: version {newest} has taken over from {before.number}"

    def _load(self, version: Version) -> Loaded:
        with versions.fetched(version) as path:
            model = RawModel(path, self.task)
            example: dict[str, np.ndarray] = {}
            for signature, inputs in warmup_requests(path):
                model.ask(signature, inputs)
                if signature == "features" and not example:
                    example = {name: values[:1] for name, values in inputs.items()}
            return Loaded(
                number=version.number, model=model, signatures=model.signatures, metadata=_metadata(path),
                example=example, spans=spans(self.task.features, versions.paper(version, "statistics.json") or {}),
            )  # fmt: skip


def warmup_requests(path: Path) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """What the version says it should be asked first, by signature; nothing if it was not pushed by us."""
    file = path / versions.EXTRA / WARMUP
    if not file.exists():
        return
    with file.open("rb") as stream:
        for request in filter(None, predicted(stream)):
            yield request.signature, request.inputs


def _metadata(path: Path) -> dict[str, Any]:
    """The signatures with their tensors, as TF Serving tells them."""
    from google.protobuf.json_format import MessageToDict
    from tensorflow.core.protobuf.saved_model_pb2 import SavedModel

    graph = SavedModel.FromString((path / "saved_model.pb").read_bytes()).meta_graphs[0]
    return {
        name: MessageToDict(signature, preserving_proto_field_name=True, always_print_fields_with_no_presence=True)
        for name, signature in graph.signature_def.items()
    }
