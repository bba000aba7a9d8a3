"""What was found of why a model answers as it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from components.evaluate.importance import Importance
from components.evaluate.left_out_words import Moved


@dataclass(frozen=True, kw_only=True)
class Explained:
    """`columns` are the numbers and categories of the test rows looked at, whose places are `rows`."""

    rows: NDArray[Any] = field(default_factory=lambda: np.zeros(0, np.int64))
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    importances: Sequence[Importance] = ()
    words: Mapping[int, Moved] = field(default_factory=dict)
