"""A real MLflow server of a test's own, with SQLite: MLflow's own application in a process beside us."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

SERVE = """
import os, sys
place, port = sys.argv[1:]
store = f"sqlite:///{place}/mlflow.db"
os.environ.update({
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true",
    "_MLFLOW_SERVER_FILE_STORE": store, "_MLFLOW_SERVER_REGISTRY_STORE": store,
    "_MLFLOW_SERVER_ARTIFACT_ROOT": "mlflow-artifacts:/", "_MLFLOW_SERVER_SERVE_ARTIFACTS": "true",
    "_MLFLOW_SERVER_ARTIFACT_DESTINATION": f"{place}/artifacts",
})
from mlflow.server import app
from mlflow.server.handlers import initialize_backend_stores
from werkzeug.serving import make_server
initialize_backend_stores(store, store, "mlflow-artifacts:/")
make_server("127.0.0.1", int(port), app, threaded=True).serve_forever()
"""
SECONDS = 120


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def mlflow_server(place: Path) -> Iterator[str]:
    """Its address."""
    port = free_port()
    with (
        (place / "log").open("wb") as log,
        subprocess.Popen([sys.executable, "-c", SERVE, str(place), str(port)], stdout=log, stderr=log) as server,
    ):
        try:
            _await(f"http://127.0.0.1:{port}/health", server, place / "log")
            yield f"http://127.0.0.1:{port}"
        finally:
            server.kill()


def _await(address: str, server: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        assert server.poll() is None, log.read_text()
        with suppress(urllib.error.URLError, ConnectionError), urllib.request.urlopen(address, timeout=2):
            return
        time.sleep(0.1)
    raise TimeoutError(log.read_text())
