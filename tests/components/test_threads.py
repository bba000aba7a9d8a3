"""Several at once, given back in order, without reading all of the items first."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from components import threads


def test_results_come_in_order_though_a_later_one_is_done_first() -> None:
    later = threading.Event()

    def slow_first(item: int) -> int:
        if item == 0:
            assert later.wait(60)
        if item == 1:
            later.set()
        return item * 10

    assert list(threads.in_order(slow_first, range(5), 2)) == [0, 10, 20, 30, 40]


def test_items_are_taken_as_they_are_needed() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(100):
            taken.append(item)
            yield item

    results = threads.in_order(str, items(), 2)
    assert [next(results) for _ in range(3)] == ["0", "1", "2"]
    assert len(taken) <= 6


def test_what_one_raises_ends_it() -> None:
    with pytest.raises(ZeroDivisionError):
        list(threads.in_order(lambda item: 1 / item, [1, 0, 1], 2))
