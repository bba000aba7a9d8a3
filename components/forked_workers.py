"""Work on one machine's cores: a forked process for each item, and so many of them at a time."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from multiprocessing.connection import Connection, wait
from multiprocessing.context import ForkProcess
from typing import Any, NoReturn, TypeVar

Item = TypeVar("Item")
Made = TypeVar("Made")


class DiedError(RuntimeError):
    """A process that ended before it gave its result."""


def each(
    work: Callable[[Item], Made], items: Sequence[Item], workers: int, died: Callable[[Item, DiedError], Made]
) -> Iterator[Made]:
    """`work` on every item, in no order; `died` stands in for one whose process was killed.

    A fork needs no pickling and imports nothing again. What `work` raises ends its process: it should catch that.
    """
    waiting = list(reversed(items))
    running: dict[Connection, tuple[Item, ForkProcess]] = {}
    try:
        while waiting or running:
            while waiting and len(running) < workers:
                item = waiting.pop()
                answers, process = _start(work, item)
                running[answers] = item, process
            ready = wait([*running])
            for answers in [answers for answers in running if answers in ready]:
                item, process = running.pop(answers)
                yield _result(answers, process, item, died)
    finally:
        for _, process in running.values():
            process.kill()
        for answers, (_, process) in running.items():
            process.join()
            answers.close()


def _start(work: Callable[[Item], Any], item: Item) -> tuple[Connection, ForkProcess]:
    answers, ours = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.get_context("fork").Process(target=_work, args=(work, item, ours))
    process.start()
    ours.close()
    return answers, process


def _result(answers: Connection, process: ForkProcess, item: Item, died: Callable[[Item, DiedError], Made]) -> Made:
    try:
        made: Made = answers.recv()
    except EOFError:
        process.join()
        return died(item, DiedError(_end(process.exitcode)))
    finally:
        answers.close()
    process.join()
    return made


def _end(code: int | None) -> str:
    if code is not None and code < 0:
        hint = " Memory may have run out." if -code == signal.SIGKILL else ""
        return f"its process was killed by {signal.Signals(-code).name}.{hint}"
    return f"its process ended with status {code}."


def _work(work: Callable[[Item], Any], item: Item, answers: Connection) -> NoReturn:
    """A Ctrl-C is for the parent to act on; the parent's own handlers are not for us."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    threading.Thread(target=_die_with_parent, daemon=True).start()
    try:
        made = work(item)
        sys.stdout.flush()
        answers.send(made)
    except BaseException:
        traceback.print_exc()
        os._exit(1)
    os._exit(0)  # without Python's leave-taking, which would wait for threads that are not here


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
