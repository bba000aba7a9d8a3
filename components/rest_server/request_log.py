"""What was asked and answered, one JSON object a line for each row. docs/serving.md has the format."""

from __future__ import annotations

import json
import sys
import threading
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from components.rest_server.tensor_json import Asked, rows
from components.serving.raw_features import raw_rows
from components.storage.atomic_files import json_value
from tasks import InputError, Task


class RequestLog:
    """Appends to a file; a disk that is full stops no answer."""

    def __init__(self, path: Path) -> None:
        try:
            self._file = path.open("ab", buffering=0)
        except OSError as error:
            raise InputError(f"The log {str(path)!r} cannot be written: {error.strerror}.") from error
        self._path, self._lock, self._broken = path, threading.Lock(), False

    def write(
        self, name: str, task: Task, version: int, asked: Asked, outputs: Mapping[str, np.ndarray], request: str
    ) -> None:
        instances = raw_rows(task, asked.signature, asked.inputs)
        facts = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "task": name,
            "version": version,
            "signature": asked.signature,
        }
        lines = []
        for at, (instance, prediction) in enumerate(zip(instances, rows(outputs), strict=True)):
            key = request if len(instances) == 1 else f"{request}-{at}"
            whole = {"id": key, **facts, "instance": instance, "prediction": json_value(prediction)}
            lines.append(json.dumps(whole, ensure_ascii=False) + "\n")
        self._append("".join(lines).encode("utf-8", errors="replace"))

    def _append(self, lines: bytes) -> None:
        try:
            with self._lock:
                self._file.write(lines)
            self._broken = False
        except OSError as error:
            if not self._broken:
                print(f"The log {self._path} cannot be written: {error.strerror}.", file=sys.stderr)
            self._broken = True
