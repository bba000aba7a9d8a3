"""Faults of a network or an object store that pass are waited out; all others come through at once."""

from __future__ import annotations

import errno
import functools
import logging
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from components.progress import say
from tasks import InputError

Answer = TypeVar("Answer")
# So many seconds at most from the first try to the last; the drivers have tried a few times within each.
LIMIT = 90.0
# A name that does not exist has most likely been typed wrong, though a name service may be a moment behind.
NO_NAME = 20.0
FIRST, LONGEST = 1.0, 20.0
UNKNOWN = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
BUSY = {408, 425, 429, 500, 502, 503, 504}
NUMBERS = {
    errno.EBUSY,
    errno.ETIMEDOUT,
    getattr(errno, "EREMOTEIO", errno.EIO),
    errno.ENETUNREACH,
    errno.EHOSTUNREACH,
    errno.ENETDOWN,
}
# Without this, what these have to say of a fault, with tracebacks, would stand before our sentence.
for _driver in ("gcsfs", "s3fs", "fsspec"):
    logging.getLogger(_driver).addHandler(logging.NullHandler())
# By name: each driver has exceptions of its own, and importing them all takes seconds.
NAMES = {
    "ClientConnectionError", "ClientPayloadError", "IncompleteRead", "ReadTimeoutError", "ProtocolError",
    "HTTPClientError", "ChunkedEncodingError", "ConnectionError", "Timeout", "TransportError", "ServiceRequestError",
    "ServiceResponseError",
}  # fmt: skip
# What of a file system goes over the wire, and comes to the same when it is done twice.
OPERATIONS = {
    "info", "ls", "glob", "find", "size", "ukey", "modified", "cat_file", "pipe_file", "put_file", "get_file",
    "cp_file", "rm", "rm_file", "makedirs",
}  # fmt: skip


def passing(error: BaseException) -> bool:
    """Whether the same may go well in a moment."""
    chain = list(_chain(error))
    if any(isinstance(each, ssl.SSLCertVerificationError) for each in chain):
        return False
    return any(_is_passing(each) for each in chain)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        inner = getattr(error, "kwargs", None)  # botocore's
        told = inner.get("error") if isinstance(inner, dict) else None
        error = error.__cause__ or getattr(error, "os_error", None) or told


def _is_passing(error: BaseException) -> bool:
    if isinstance(error, ConnectionError | TimeoutError | socket.gaierror):
        return True
    if isinstance(error, OSError) and error.errno in NUMBERS:
        return True
    told = [next((getattr(error, name) for name in ("status", "status_code", "code") if hasattr(error, name)), None)]
    response = getattr(error, "response", None)
    if isinstance(response, dict):  # botocore's
        told.append(response.get("ResponseMetadata", {}).get("HTTPStatusCode"))
    if any(str(each) in map(str, BUSY) for each in told if each is not None):
        return True
    return not NAMES.isdisjoint(kind.__name__ for kind in type(error).__mro__)


def no_such_host(error: BaseException) -> str:
    """The name that the name service knows not to exist, as far as it is told; empty where it may be out of order."""
    chain = list(_chain(error))
    if not any(isinstance(each, socket.gaierror) and each.errno in UNKNOWN for each in chain):
        return ""
    return next((repr(each.host) for each in chain if hasattr(each, "host")), "of that name")


def patiently(call: Callable[..., Answer], doing: str) -> Callable[..., Answer]:
    """The same function, which tries again while what stops it may pass."""

    @functools.wraps(call)
    def trying(*words: Any, **named: Any) -> Answer:
        began = time.monotonic()
        try:
            return call(*words, **named)
        except Exception as error:  # drivers have exceptions of their own
            if not passing(error):
                raise
        try:
            return _again(functools.partial(call, *words, **named), doing, began)
        except Exception as error:
            if unknown := no_such_host(error):
                raise InputError(
                    f"There is no host {unknown}: it was asked for during {time.monotonic() - began:.0f} s. Check the "
                    "address that was given, and the name service."
                ) from error
            raise

    return trying


def _again(call: Callable[[], Answer], doing: str, began: float) -> Answer:
    import tenacity

    def over(state: tenacity.RetryCallState) -> bool:
        limit = NO_NAME if no_such_host(_error(state)) else LIMIT
        return time.monotonic() - began + state.upcoming_sleep > limit

    def tell(state: tenacity.RetryCallState) -> None:
        assert state.next_action is not None
        say(f"{doing} failed ({_brief(_error(state))}); trying again in {state.next_action.sleep:.0f} s")

    return tenacity.Retrying(
        wait=tenacity.wait_exponential_jitter(initial=FIRST, max=LONGEST), stop=over,
        retry=tenacity.retry_if_exception(passing), before_sleep=tell, reraise=True,
    )(call)  # fmt: skip


def _error(state: Any) -> BaseException:
    error = state.outcome.exception()
    assert isinstance(error, BaseException)
    return error


def _brief(error: BaseException) -> str:
    """Of a chain, what made it one that may pass: drivers call some of these a missing file."""
    error = next((each for each in _chain(error) if _is_passing(each)), error)
    text = " ".join(str(error).split())[:200]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


class PatientFileSystem:
    """A file system of fsspec whose operations wait out what passes; and no fault looks like a missing file."""

    def __init__(self, system: Any) -> None:
        self._system = system

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        found = getattr(self._system, name)
        return patiently(found, f"{name} at the object store") if name in OPERATIONS else found

    def isfile(self, path: str) -> bool:
        return self._kind(path) == "file"

    def isdir(self, path: str) -> bool:
        return self._kind(path) == "directory"

    def exists(self, path: str) -> bool:
        return bool(self._kind(path))

    def _kind(self, path: str) -> str:
        """fsspec's own three take whatever goes wrong for an absence."""
        try:
            return str(self.info(path)["type"])
        except FileNotFoundError:
            return ""

    def open(self, path: str, mode: str = "rb", **how: Any) -> Any:
        file = patiently(self._system.open, "opening a file")(path, mode, **how)
        cache: Any = getattr(file, "cache", None)
        if hasattr(cache, "fetcher"):  # pieces are asked for by their place, so any may come again
            cache.fetcher = patiently(cache.fetcher, f"reading {path}")
        return file
