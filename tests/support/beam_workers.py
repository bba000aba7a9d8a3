"""Beam's own portable runner on the loopback: a job server, and a pool that starts a Python worker for each job."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from components import beam_runners

PATIENCE = 60


@contextmanager
def running(folder: Path, environment: Mapping[str, str]) -> Iterator[list[str]]:
    """Beam's options. Whatever the processes write beside what they are told to lies in `folder`."""
    folder.mkdir()
    # The pool starts its workers as `python`.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    around = {**os.environ, **environment, "TMPDIR": str(folder), "PATH": path}
    ports = [_free(), _free()]
    programs = [
        ["apache_beam.runners.portability.local_job_service_main", f"--port={ports[0]}"],
        ["apache_beam.runners.worker.worker_pool_main", f"--service_port={ports[1]}"],
    ]
    started = []
    try:
        for number, words in enumerate(programs):
            log = (folder / f"log-{number}").open("wb")
            started.append(
                subprocess.Popen(
                    [sys.executable, "-m", *words],
                    cwd=folder,
                    env=around,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            )
        for port in ports:
            _wait_for(port)
        yield beam_runners.flink(",".join(f"127.0.0.1:{port}" for port in ports))
    finally:
        for process in started:
            os.killpg(process.pid, 9)
            process.wait()


def _free() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _wait_for(port: int) -> None:
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise RuntimeError(f"nothing listens on port {port} after {PATIENCE} s")
