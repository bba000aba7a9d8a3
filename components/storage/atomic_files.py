"""Files that are complete or absent, and the hash of a directory's content."""

from __future__ import annotations

import hashlib
import json
import math
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO


def tree_hash(directory: Path | str) -> str:
    """The sha256 over the sorted (relative path, sha256) of all files, but for what lies beside a model."""
    root = Path(directory)
    if not root.is_dir():
        raise ValueError(f"Expected a directory to hash. Received: {str(root)!r}, which is none.")
    total = hashlib.sha256()
    relative = (path.relative_to(root) for path in _files(root))
    for name in sorted(path.as_posix() for path in relative if path.parts[0] != "assets.extra"):
        with (root / name).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        # File names may hold anything but NUL and be no valid UTF-8.
        total.update(os.fsencode(name) + b"\0" + digest.encode() + b"\n")
    return total.hexdigest()


def write_bytes(path: Path | str, content: bytes) -> None:
    """The whole file or none of it: a temporary name, fsync, rename."""
    with replacing(path) as file:
        file.write(content)


@contextmanager
def replacing(path: Path | str, *, lasting: bool = True) -> Iterator[BinaryIO]:
    """A file to write that takes its name at the end; after an error it is gone, and what bore the name stays.

    One that need not be lasting is whole to whoever reads it, but nobody waits until the disk has it.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("wb") as file:
            yield file
            if lasting:
                file.flush()
                os.fsync(file.fileno())
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if lasting:
        sync_directory(target.parent)


def write_json(path: Path | str, value: Any, *, lasting: bool = True) -> None:
    """Sorted keys, so that the same value is the same bytes; what JSON cannot hold (NaN, infinity) is null."""
    text = json.dumps(json_value(value), sort_keys=True, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing(path, lasting=lasting) as file:
        # A lone surrogate, as in text read with errors="surrogateescape", has no UTF-8.
        file.write((text + "\n").encode("utf-8", errors="replace"))


def read_json(path: Path | str) -> Any:
    if Path(path).exists() and not Path(path).is_file():  # a pipe would keep us waiting
        raise ValueError(f"Expected a JSON file. Received: {str(path)!r}, which is no plain file.")
    try:
        return json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:
        raise ValueError(f"Expected a whole JSON file. Received: {str(path)!r}, which is damaged: {error}.") from error


def sync_tree(directory: Path | str) -> None:
    """Return when every file below, and every directory's list of names, is on the disk."""
    for path in _files(Path(directory)):
        with path.open("rb") as file:
            os.fsync(file.fileno())
    for folder, _, _ in os.walk(directory, topdown=False):
        sync_directory(folder)


def sync_directory(directory: Path | str) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _files(root: Path) -> Iterator[Path]:
    for folder, _, names in os.walk(root, followlinks=True):
        yield from (Path(folder, name) for name in names)


def json_value(value: Any) -> Any:
    """The value in JSON's own types; numpy's scalars and arrays turn into them, what is no finite number into null."""
    if isinstance(value, dict):
        return {str(key): json_value(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [json_value(entry) for entry in value]
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if hasattr(value, "tolist"):
        return json_value(value.tolist())
    return value
