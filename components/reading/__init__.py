"""Reading: from the user's files (CSV, JSON lines, Parquet, TFRecord, text, pictures) to batches that know positions.

`check_rows` turns a batch into typed columns; ingest and predict share both. Knows nothing of splits or models.
"""

from __future__ import annotations

from components.examples.rejected import Rejected
from components.reading.data_frames import read_frames
from components.reading.find_files import FilePart, Reader, divided, file_names, file_parts, read_file
from components.reading.raw_batch import Batch
from components.reading.standard_input import read_stream
from components.reading.text_and_pictures import Pictures, read_picture, read_text

__all__ = [
    "Batch",
    "FilePart",
    "Pictures",
    "Reader",
    "Rejected",
    "divided",
    "file_names",
    "file_parts",
    "read_file",
    "read_frames",
    "read_picture",
    "read_stream",
    "read_text",
]
