"""Where a run's rows come from: the task's sample, its real data, or the user's own files."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from components.storage.local_paths import source_kind
from tasks import InputError, Task

if TYPE_CHECKING:
    from components.reading.source_rows import Source


def source_parts(task: Task, data: str, data_dir: str = "") -> list[Source]:
    """The parts of the data, each read by one worker; InputError if there are none."""
    parts = _parts(task, data, data_dir)
    if task.splits.by and (named := sorted({part.split for part in parts if part.split})):
        raise InputError(
            f"The data name their own splits ({', '.join(named)}), and the task splits its rows by {task.splits.by}. "
            "Expected one of both: data without, or a task without Splits(by=...)."
        )
    return parts


def _parts(task: Task, data: str, data_dir: str) -> list[Source]:
    kind = source_kind(data)
    if not data:
        raise InputError("The data must be 'sample', 'real', 'tfds:NAME', or a file or glob. Received: ''.")
    if data_dir and not Path(data_dir).is_dir():
        raise InputError(f"The data directory must be one that exists. Received: {data_dir!r}.")
    if kind == "sample":
        return list(task.sample())
    if kind == "real":
        if task.real is None:
            raise InputError(
                "This task has no real data set. Expected 'sample', 'tfds:NAME', or a file or glob of your own."
            )
        real = task.real(Path(data_dir) if data_dir else None)
        if not isinstance(real, str):
            return [*real]
        data = real
    # They take a quarter of a second to import, which the parts above do not need.
    from components.reading.find_files import file_parts
    from components.reading.picture_folders import meant, picture_parts
    from components.reading.tfds_source import tfds_parts

    if kind == "user":
        return [*(picture_parts(data) if meant(task.columns, data) else file_parts(data))]
    return [*tfds_parts(task, data, data_dir)]


def snapshot(parts: Sequence[Source]) -> str:
    """The state of a source: it changes when a part comes, goes or has another content."""
    listed = "\n".join(f"{part.name}\t{part.version}\t{part.split or ''}" for part in parts)
    return hashlib.sha256(listed.encode("utf-8", errors="surrogateescape")).hexdigest()
