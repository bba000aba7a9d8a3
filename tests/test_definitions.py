"""What a task's file may not say is refused, in words, when it is read."""

from __future__ import annotations

import pytest

from tasks import Category


@pytest.mark.parametrize("when_missing", ["keep", "skip_training"])
@pytest.mark.parametrize("values", [(-1, 0, 1), ("", "left")])
def test_a_value_that_stands_for_a_missing_one(values: tuple, when_missing: str) -> None:
    with pytest.raises(ValueError, match=r"Category 'side' cannot have the value (-1|''), which stands for a missing"):
        Category("side", values, when_missing=when_missing)
    assert Category("side", values).values == values


@pytest.mark.parametrize("values", [(0, 1, 1), ("left", "left")])
def test_a_value_that_comes_twice(values: tuple) -> None:
    with pytest.raises(ValueError, match=r"Category 'side' needs values that differ\. Received: \("):
        Category("side", values)
