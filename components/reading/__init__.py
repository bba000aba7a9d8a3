"""User data: CSV, JSON lines, Parquet or TFRecord files, streamed as raw record batches that know their positions.

`check_rows` turns a Batch into typed columns; ingest and predict share both.
"""

from __future__ import annotations

from components.reading.batch import Batch, Rejected
from components.reading.data_frames import read_frames
from components.reading.find_files import FilePart, Reader, file_names, file_parts, read_file, read_stream
from components.reading.text_and_pictures import Pictures, read_picture, read_text

__all__ = [
    "Batch",
    "FilePart",
    "Pictures",
    "Reader",
    "Rejected",
    "file_names",
    "file_parts",
    "read_file",
    "read_frames",
    "read_picture",
    "read_stream",
    "read_text",
]
