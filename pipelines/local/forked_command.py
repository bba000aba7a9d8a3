"""A command carried out by a process that has its libraries loaded already, where earlier commands have left one."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from multiprocessing.connection import Connection, wait

from components import warm_process
from components.storage.local_paths import default_place
from pipelines.local import kept_process


def elsewhere(words: Sequence[str]) -> int | None:
    """The command's exit status, its words on our streams; None if there is no such process, or it is loading still."""
    address = kept_process.found(default_place("runs"))
    if not address:
        return None
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    begun, told = False, None
    with (
        suppress(EOFError, OSError),
        warm_process.fork(address, _obey, list(words), descriptors=[0, 1, 2]) as answers,
    ):
        begun = bool(answers.recv())
        told = answers.recv()
    if not begun:
        return None
    if not isinstance(told, int):
        raise RuntimeError("The process that carried the command out was killed. Give the command again.")
    return told


def _obey(words: list[str], answers: Connection, descriptors: list[int]) -> None:
    """In the forked process: the command, as if it had been started here."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number)
        os.close(descriptor)
    sys.stdin, sys.stdout, sys.stderr = (_text(number) for number in range(3))
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    threading.Thread(target=_end_with, args=[answers], daemon=True).start()
    os.environ[kept_process.VARIABLE] = "0"
    from pipelines.__main__ import main

    try:
        status = main(words)
    except SystemExit as end:  # argparse has said all
        status = end.code if isinstance(end.code, int) else 1
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
    wait([answers])
    os.kill(os.getpid(), signal.SIGTERM)
