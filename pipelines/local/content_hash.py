"""What lies at a path: a hash of its content, and a cheap listing that shows whether it may have changed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

Listing = list[list[Any]]


def listing(path: Path) -> Listing:
    """[relative name, size, time of change] of each file, by name; empty if there is none."""
    return [[name, file.stat().st_size, file.stat().st_mtime_ns] for name, file in _files(path)]


def content(path: Path, metadata: Mapping[str, Any]) -> str:
    """The hash of a file's or a directory's content and of what is said about it."""
    total = hashlib.sha256(json.dumps(metadata, sort_keys=True).encode())
    for name, path_of_file in _files(path):
        with path_of_file.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        total.update(os.fsencode(name) + b"\0" + digest.encode() + b"\n")
    return total.hexdigest()


def _files(path: Path) -> list[tuple[str, Path]]:
    if path.is_file():
        return [("", path)]
    found = (Path(folder, name) for folder, _, names in os.walk(path) for name in names)
    return sorted((file.relative_to(path).as_posix(), file) for file in found)
