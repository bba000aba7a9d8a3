"""Speaking to the tracking server: with little patience, and without ever failing because of it."""

from __future__ import annotations

import os
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from components.storage.secrets_in_text import without_secrets

if TYPE_CHECKING:
    from mlflow import MlflowClient

VARIABLE = "MLFLOW_TRACKING_URI"
# Where the user has not said otherwise: MLflow's own patience with a server that is down is many minutes, and it tells
# its makers of every use.
DEFAULTS = {
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT": "30",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
}
LONGEST = 300


def is_named() -> bool:
    return bool(os.environ.get(VARIABLE))


def attempt(action: Callable[[MlflowClient], str]) -> str:
    """What the action says, or why it came to nothing, in one line; "" where no server is named."""
    if not is_named():
        return ""
    with _defaults():
        try:
            from mlflow import MlflowClient

            return without_secrets(action(MlflowClient()))
        except ModuleNotFoundError as error:
            if error.name != "mlflow":
                return _not_told(error)
            return (
                f"MLflow was not told: {VARIABLE} is set, and its client is not installed. To install it: "
                f"{sys.executable} -m pip install 'mlflow-skinny==3.*'"
            )
        except Exception as error:  # a server that is down, full, of another version, or no MLflow at all
            return _not_told(error)


def _not_told(error: Exception) -> str:
    place = os.environ.get(VARIABLE, "")
    if silence := _silence(error):
        return without_secrets(f"MLflow was not told: {place} does not answer: {silence}.")
    first = next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
    return without_secrets(f"MLflow was not told: {place} did not do as asked: {first[:LONGEST]}")


def _silence(error: BaseException | None) -> str:
    """What kept a request from being answered, which MLflow wraps in pages of its own; "" if it was."""
    while error is not None:
        if isinstance(error, TimeoutError):
            return "it was silent for too long"
        if isinstance(error, ConnectionError | socket.gaierror | ssl.SSLError):
            return error.strerror or str(error)
        error = error.__cause__ or error.__context__
    return ""


@contextmanager
def _defaults() -> Iterator[None]:
    given = {name: os.environ.get(name) for name in DEFAULTS}
    os.environ.update({name: value for name, value in DEFAULTS.items() if given[name] is None})
    try:
        yield
    finally:
        for name, value in given.items():
            if value is None:
                os.environ.pop(name, None)
