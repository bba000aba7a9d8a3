"""What the checks of honesty ask of the rows that a model learned from, each split read once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate import honesty_checks
from components.examples import example_bytes
from components.examples.parse import SomeRecords, columns_of, shards
from tasks import Task

Array = NDArray[Any]
LOOKED_AT = 10_000


def look(task: Task, examples: str, test_ids: Array, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Features and labels of some rows of train, and the ids of test rows that stand in train or eval, too.

    `statistics` tell how many rows train has, so that some from all over it can be taken in one reading.
    """
    columns, asked = honesty_checks.checked_features(task), np.sort(test_ids)
    rows = statistics["rows"]["train"]
    taken = SomeRecords(honesty_checks.spread(rows, LOOKED_AT) if columns else np.arange(0))
    seen = {"train": _common(examples, "train", asked, taken), "eval": _common(examples, "eval", asked)}
    if taken.rows != rows:
        raise RuntimeError(f"The statistics tell of {rows:,} rows of train, where {taken.rows:,} stand. Run again.")
    features, label = columns_of(task, columns, taken.found) if columns else ({}, None)
    return {"features": features, "known_label": label, "seen": seen}


def _common(examples: str, split: str, asked: Array, taken: SomeRecords | None = None) -> Array:
    """Which of these ids, which are sorted, stand in the split."""
    found = [asked[:0]]
    for piece in example_bytes.of_shards(shards(examples, split)):
        ids = np.sort(example_bytes.row_ids(piece))
        at = np.searchsorted(asked, ids)
        at[at == len(asked)] = 0
        found.append(ids[asked[at] == ids] if len(asked) else ids[:0])
        if taken is not None:
            taken.add(piece)
    return np.concatenate(found)
