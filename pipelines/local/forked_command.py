"""A command carried out by a process that has its libraries loaded already, where earlier commands have left one."""

from __future__ import annotations

import importlib
import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

from components import warm_process
from pipelines.local import kept_process

if TYPE_CHECKING:
    import argparse
    from multiprocessing.connection import Connection


class ForkedCommand:
    """It imports what the command needs while the command's words are read here, and does what they say."""

    def __init__(self, address: str, modules: Sequence[str]) -> None:
        self.answers: Connection | None = None
        if address:
            with suppress(OSError):  # there is none
                self.answers = warm_process.fork(address, _obey, tuple(modules), descriptors=[0, 1, 2])

    def __enter__(self) -> ForkedCommand:
        return self

    def __exit__(self, *_: object) -> None:
        if self.answers is not None:
            self.answers.close()

    def obey(self, given: argparse.Namespace) -> int | None:
        """The exit status, its words on our streams; None if there is no such process, or it cannot begin."""
        if self.answers is None or not self.answers.poll(kept_process.PATIENCE):
            return None
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        begun, told = False, None
        with suppress(EOFError, OSError):
            self.answers.recv()  # its number
            begun = self.answers.recv() is True
            if begun:
                self.answers.send(given)
                told = self.answers.recv()
        if not begun:
            return None
        if not isinstance(told, int):
            raise RuntimeError("The process that carried the command out was killed. Give the command again.")
        return told


def _obey(modules: Sequence[str], answers: Connection, descriptors: list[int]) -> None:
    """In the forked process: the command, as if it had been started here."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (_text(number) for number in range(3))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    os.environ[kept_process.VARIABLE] = "0"
    try:
        from pipelines import lazy_imports
        from pipelines.__main__ import obey

        lazy_imports.install()
        for name in modules:
            importlib.import_module(name)
    except Exception:
        return  # whoever asked comes upon the same, and tells of it
    answers.send(True)
    given = answers.recv()
    threading.Thread(target=_end_with, args=[answers], daemon=True).start()
    status = obey(given)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    for number in range(3):  # whoever reads our words need not wait until all of this memory is given back
        os.dup2(nowhere, number)
    answers.send(status)


def _text(descriptor: int) -> io.TextIOWrapper:
    binary = os.fdopen(descriptor, "wb" if descriptor else "rb", closefd=False)
    return io.TextIOWrapper(binary, line_buffering=descriptor == 2)


def _end_with(answers: Connection) -> None:
    """Whoever gave the command has gone, by Ctrl-C perhaps: so nothing half-written is left."""
    from multiprocessing.connection import wait

    wait([answers])
    os.kill(os.getpid(), signal.SIGTERM)
