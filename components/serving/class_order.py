"""Which classes a served model means by the places of its answer."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def means_the_same(labels: Sequence[str], probabilities: np.ndarray, said: np.ndarray | None) -> bool:
    """Whether these are probabilities of the labels, in their order, as far as the model says which class is best."""
    if probabilities.ndim != 2 or probabilities.shape[1] != len(labels):
        return False
    if said is None:
        return True
    expected = np.array([label.encode() for label in labels], np.dtype("O"))[probabilities.argmax(axis=1)]
    return bool(np.all((expected == said) | ~np.isfinite(probabilities).all(axis=1)))
