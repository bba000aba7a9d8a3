"""Frames that were given as data, kept beside the runs that read them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path

import pandas as pd
import pyarrow as pa

from components.storage import atomic_files
from pipelines.local.remove_runs import FRAMES
from tasks import InputError


def keep(frame: pd.DataFrame, runs: Path) -> Path:
    """The frame's Parquet file, named by its content; the index is left out."""
    written = io.BytesIO()
    try:
        frame.to_parquet(written, index=False)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(
            f"The DataFrame cannot be written as Parquet: {error}. Expected columns named by strings, each of one kind."
        ) from error
    content = written.getvalue()
    path = runs / FRAMES / f"frame-{hashlib.sha256(content).hexdigest()[:16]}.parquet"
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"The runs directory {runs} cannot be made: {error.strerror}. Name another.") from error
        atomic_files.write_bytes(path, content)
    return path
