"""Work on several cores in one process: for functions that spend their time where Python's lock is let go of."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from components import machine

Item = TypeVar("Item")
Made = TypeVar("Made")


def in_order(function: Callable[[Item], Made], items: Iterable[Item], threads: int = 0) -> Iterator[Made]:
    """`function` of every item, in the order of the items; of these, few more are taken than there are threads."""
    threads = threads or machine.cores()
    at_work: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        for item in items:
            at_work.append(pool.submit(function, item))
            if len(at_work) > threads:
                yield at_work.popleft().result()
        while at_work:
            yield at_work.popleft().result()
