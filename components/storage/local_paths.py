"""Paths of this machine as people type them."""

from __future__ import annotations

import os
from pathlib import Path


def local_path(words: str) -> Path:
    """With ~ as the home; where there is no such user it stays, as in a shell, and no such file will be found."""
    return Path(os.path.expanduser(words))  # noqa: PTH111 (pathlib's fails there)


def is_place(data: str) -> bool:
    """Whether data so named are files: `sample`, `real` and `tfds:NAME` are none."""
    return data not in {"sample", "real"} and not data.startswith("tfds:")
