"""Requests to a backend that is away for a moment are made again, for half a minute, and that is told."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, TypeVar

from pipelines.kubeflow.error_messages import AWAY, Unreachable

Answer = TypeVar("Answer")
# A request that takes longer by itself is made once.
LIMIT = 30.0
FIRST, LONGEST = 1.0, 8.0


def reading(ask: Callable[[], Answer], host: str) -> Answer:
    """For requests that change nothing, with the client's own errors."""
    return _patiently(ask, _is_away, lambda error: f"{host} {_brief(error)}")


def changing(ask: Callable[[], Answer], done: Callable[[], Answer | None]) -> Answer:
    """For requests that must not be carried out twice: where an answer is lost, `done` looks for what came of it.

    It looks before the next attempt, and once more after the last: the backend may still have been at work before.
    """
    lost = False

    def attempt() -> Answer:
        nonlocal lost
        if lost and (found := done()):
            return found
        try:
            return ask()
        except Unreachable:
            lost = True
            raise

    try:
        return _patiently(attempt, lambda error: isinstance(error, Unreachable) and error.away, str)
    except Unreachable:
        if found := done():
            return found
        raise


def _patiently(
    ask: Callable[[], Answer], passing: Callable[[BaseException], bool], words: Callable[[BaseException], str]
) -> Answer:
    import tenacity

    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        assert error is not None
        assert state.next_action is not None
        print(f"note: {words(error).rstrip('.')}; trying again in {state.next_action.sleep:.0f} s", file=sys.stderr)

    retrying = tenacity.Retrying(
        wait=tenacity.wait_exponential_jitter(initial=FIRST, max=LONGEST, jitter=FIRST / 2),
        stop=tenacity.stop_after_delay(LIMIT), retry=tenacity.retry_if_exception(passing), before_sleep=tell,
        reraise=True,
    )  # fmt: skip
    answer: Answer = retrying(ask)
    return answer


def _is_away(error: BaseException) -> bool:
    import kfp_server_api
    import urllib3

    if isinstance(error, kfp_server_api.ApiException):
        return error.status in AWAY
    reason: Any = getattr(error, "reason", None) or error
    never = (
        urllib3.exceptions.NameResolutionError, urllib3.exceptions.LocationParseError, urllib3.exceptions.SSLError,
    )  # fmt: skip
    return isinstance(error, urllib3.exceptions.HTTPError) and not isinstance(reason, never)


def _brief(error: BaseException) -> str:
    """Nothing that came over the wire, which might repeat a token."""
    if status := getattr(error, "status", None):
        return f"answered {status}"
    return f"gave no answer ({type(getattr(error, 'reason', None) or error).__name__})"
