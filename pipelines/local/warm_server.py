"""A process that has TensorFlow, tf.Transform and Beam imported already, from which heavy steps are forked."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing import forkserver, get_context, resource_tracker
from pathlib import Path
from typing import Any

from pipelines.kfp_import import without_client
from pipelines.local.interrupts import held_back

PRELOAD = (
    "tensorflow", "keras", "tensorflow_transform", "tensorflow_transform.beam", "apache_beam", "pandas", "pyarrow",
    "pyarrow.parquet", "sklearn.metrics", "kfp.dsl.executor", "tensorboard.summary.v2",
    "pyarrow.dataset",
)  # fmt: skip


class WarmServer:
    """Python's fork server, started in the background, its words in a log, and ended with us."""

    def __init__(self, log: Path, preload: tuple[str, ...] = PRELOAD) -> None:
        self.log, self.preload, self.running = log, preload, False

    def start(self) -> None:
        """Begin to import; returns at once."""
        if self.running:
            return
        get_context("forkserver").set_forkserver_preload(list(self.preload))
        resource_tracker.ensure_running()  # first, because it changes the signal mask
        # So Ctrl-C in the terminal, which reaches it too, does not end it in the middle of an import.
        with without_client(), _output_to(self.log), held_back([signal.SIGINT]):
            forkserver.ensure_running()
        self.running = True

    def stop(self) -> None:
        if not self.running:
            return
        self.running = False
        # The one place where Python's fork server can be told to end is marked private.
        server: Any = forkserver._forkserver
        with suppress(ProcessLookupError, TypeError):
            os.kill(server._forkserver_pid, signal.SIGKILL)
        with suppress(ChildProcessError, OSError):
            server._stop()


@contextmanager
def _output_to(log: Path) -> Iterator[None]:
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    saved = [os.dup(stream) for stream in (1, 2)]
    try:
        for stream in (1, 2):
            os.dup2(descriptor, stream)
        yield
    finally:
        for stream, original in zip((1, 2), saved, strict=True):
            os.dup2(original, stream)
            os.close(original)
        os.close(descriptor)
