"""What a model answered when its training was over: what is exported of it is held against that."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from components.storage.atomic_files import replacing

FILE = "answers.npz"
ROWS = 1024
# A GPU multiplies with fewer digits, and the exported model may be asked on a machine that has none.
DEVICE = "/CPU:0"


def write(path: Path, rows: np.ndarray, answers: np.ndarray) -> None:
    """The ids of the first test rows, and the main output for them."""
    with replacing(path) as file:
        np.savez(file, rows=rows, answers=answers)


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open("rb") as file, np.load(file, allow_pickle=False) as kept:
        return kept["rows"], kept["answers"]
