"""A word to a webhook when what nobody watches was rejected or failed: JSON by POST, and never a failure of its own."""

from __future__ import annotations

import json
import socket
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from http.client import HTTPException
from typing import Any
from urllib.parse import urlsplit

from components.storage.secrets_in_text import without_secrets
from tasks import InputError

# From the first look-up of the host's name to the answer.
SECONDS = 10.0


class _NoOtherPlace(urllib.request.HTTPRedirectHandler):
    """What is said to one address goes to no other, which a redirection could name."""

    def redirect_request(self, *_: Any) -> None:
        return None


def check(url: str) -> None:
    """InputError, before anything runs, for what cannot be called. The address itself, often a secret, is not told."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not url.isascii() or not url.isprintable() or " " in url:
        raise InputError(
            "--notify takes the address of a webhook, such as https://hooks.example/T0/B1. Received another."
        )
    if "@" in parts.netloc:
        raise InputError(
            "--notify takes no address with a user or password in it, which others on this machine could see. "
            "Expected a webhook whose address is all it needs."
        )


def tell(url: str, event: str, text: str, exit_status: int, **facts: Any) -> None:
    """Call the webhook; one that is dead costs ten seconds at most, and a line."""
    document = {
        "event": event, "text": text, "exit_status": exit_status, "host": socket.gethostname(),
        "time": datetime.now(UTC).isoformat(timespec="seconds"), **facts,
    }  # fmt: skip
    if trouble := _posted(url, json.dumps(_harmless(document)).encode()):
        place = urlsplit(url)
        print(
            f"sluice: the webhook at {place.scheme}://{place.hostname} was not told: {trouble}. "
            f"The exit status stays {exit_status}.",
            file=sys.stderr,
        )


def _posted(url: str, body: bytes) -> str:
    """What went wrong, or nothing. In a thread: looking up a name heeds no timeout, a slow answer begins it anew."""
    said: list[str] = []
    caller = threading.Thread(target=lambda: said.append(_post(url, body)), daemon=True)
    caller.start()
    caller.join(SECONDS)
    return said[0] if said else f"no answer in {SECONDS:g} seconds"


def _post(url: str, body: bytes) -> str:
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", "User-Agent": "sluice"})
    try:
        with urllib.request.build_opener(_NoOtherPlace).open(request, timeout=SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        error.close()
        return f"it answered {error.code}"
    except urllib.error.URLError as error:
        return str(error.reason)
    except (OSError, HTTPException, ValueError) as error:
        return type(error).__name__


def _harmless(value: Any) -> Any:
    """Without what could open a door: users, passwords and signatures in addresses, wherever they stand."""
    match value:
        case str():
            return without_secrets(value)
        case Mapping():
            return {str(name): _harmless(one) for name, one in value.items()}
        case list() | tuple():
            return [_harmless(one) for one in value]
    return value
