"""Frames that were given as data, kept beside the runs that read them."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.reading.data_frames import with_index
from components.storage import atomic_files
from pipelines.local.remove_runs import FRAMES
from tasks import InputError


def keep(frame: Any, runs: Path) -> Path:
    """The Parquet file, named by its content, of a DataFrame or an Arrow table; of an index, its named levels."""
    written = io.BytesIO()
    try:
        if isinstance(frame, pd.DataFrame):
            with_index(frame).to_parquet(written, index=False)
        else:
            pq.write_table(pa.table(frame), written)
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise InputError(
            f"The {type(frame).__name__} cannot be written as Parquet: {error}. "
            "Expected columns named by strings, each of one kind."
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
