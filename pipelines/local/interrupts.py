"""Requests to stop become one KeyboardInterrupt, which is not lost."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def heeded() -> Iterator[Callable[[], None]]:
    """Any request to stop raises KeyboardInterrupt; what comes while we tidy up changes nothing.

    Python drops an exception that comes up in a finalizer or a hook. So there is a function to ask now and then, which
    raises it again.
    """
    asked = False

    def stop(*_: object) -> NoReturn:
        nonlocal asked
        asked = True
        for number in wanted:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    def ask() -> None:
        if asked:
            raise KeyboardInterrupt

    # What is ignored already stays so: nohup ignores SIGHUP.
    wanted = [number for number in STOPPING if signal.getsignal(number) != signal.SIG_IGN]
    before = {number: signal.signal(number, stop) for number in wanted}
    try:
        yield ask
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def held_back(numbers: Sequence[signal.Signals] = STOPPING) -> Iterator[None]:
    """Signals wait until the block has ended; a child that is made in it has them blocked."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
