"""Which split a row lands in: train, eval or test, by the hash of its content or by its date, and nothing else."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from components.reading.row_ids import row_ids
from tasks import Feature, Splits


def splits_of(ids: np.ndarray, shares: tuple[float, float, float]) -> np.ndarray:
    """0 for train, 1 for eval, 2 for test: where the hash falls among the shares, whatever other rows there are."""
    position = (ids >> np.uint64(11)) * 2.0**-53
    train, held_out, test = shares
    total = train + held_out + test
    return (position >= train / total).astype(np.int8) + (position >= (train + held_out) / total)


def splits_by_date(moments: pa.Array, dates: tuple[int, int]) -> np.ndarray:
    """The same by when eval begins, and when test does."""
    when = moments.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return (when >= dates[0]).astype(np.int8) + (when >= dates[1])


def rule(features: Sequence[Feature], splits: Splits, named: Sequence[str]) -> dict[str, Any]:
    """What decides the split of a row: two sets of data split by the same rule never mix train and test.

    The hash is told by what it makes of a few values, so that it cannot change unseen. Dates that move are no part of
    the rule of a split by time: models of two of its days are compared on rows that are new to both.
    """
    if splits.by:
        return {"by": splits.by}
    probe = {
        "number": pa.array([0.0, 1.5, None], pa.float32()),
        "integer": pa.array([-1, 7, None], pa.int64()),
        "text": pa.array(["", "é", None], pa.string()),
    }
    ids = row_ids(probe, 3)
    told = hashlib.sha256(ids.tobytes() + splits_of(ids, (0.5, 0.25, 0.25)).tobytes()).hexdigest()[:16]
    kinds = sorted(f"{feature.name}: {_kind(feature)}" for feature in features)
    return {"hash": told, "features": kinds, "shares": list(splits.shares), "named_by_the_source": sorted(set(named))}


def _kind(feature: Feature) -> str:
    return f"integer {type(feature).__name__}" if getattr(feature, "integer", False) else type(feature).__name__
