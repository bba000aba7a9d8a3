"""Paths of this machine, and names of data, as people type them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

Kind = Literal["sample", "real", "tfds", "user"]
TFDS = "tfds:"


def local_path(words: str) -> Path:
    """With ~ as the home; where there is no such user it stays, as in a shell, and no such file will be found."""
    return Path(os.path.expanduser(words))  # noqa: PTH111 (pathlib's fails there)


def default_place(name: str) -> Path:
    """Where runs, or versions, are kept when nobody says otherwise."""
    return (local_path(os.environ.get("SLUICE_HOME") or ".") / name).absolute()


def source_kind(data: str) -> Kind:
    """What data so named are; "user" for files of one's own."""
    if data.startswith(TFDS):
        return "tfds"
    return "sample" if data == "sample" else "real" if data == "real" else "user"
