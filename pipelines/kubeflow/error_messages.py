"""What goes wrong between here and a cluster, in a sentence each, without ever showing a token."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tasks import InputError

TOKENS = ("SLUICE_KFP_TOKEN", "KFP_TOKEN")
COOKIES = ("SLUICE_KFP_COOKIE", "KFP_COOKIE")
SCHEME = re.compile(r"^bearer(\s+|$)", re.IGNORECASE)
# Shorter values of a cookie are settings such as a language, which would be cut out of ordinary words.
TELLING = 6
CONNECT, READ = 10.0, 60.0
# What proxies and gateways answer when the backend does not.
AWAY = {429, 502, 503, 504}
SHOWN = 300
# What OpenSSL makes of an answer in plain HTTP.
PLAIN = ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE")


@dataclass
class Secret:
    """A token or cookie, from a file that may be renewed or from the environment. It has no text of its own."""

    file: Path | None = None
    variable: str = ""
    kind: str = "token"
    seen: set[str] = field(default_factory=set, repr=False)

    def read(self) -> str:
        try:
            found = (self.file.read_text() if self.file else os.environ.get(self.variable, "")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(
                f"The {self.kind} file {self.file} cannot be read: {getattr(error, 'strerror', error)}."
            ) from None
        found = SCHEME.sub("", found) if self.kind == "token" else found
        if not found or not found.isascii() or not found.isprintable():
            where = str(self.file) if self.file else f"${self.variable}"
            raise InputError(
                f"Expected a {self.kind} in {where}: one line of printable characters. Received: something else."
            )
        self.seen.add(found)
        if self.kind == "cookie":
            values = (pair.partition("=")[2].strip() for pair in found.split(";"))
            self.seen.update(value for value in values if len(value) >= TELLING)
        return found

    def refresh_api_key_hook(self, configuration: Any) -> None:
        """KFP's client asks before each request, so a renewed token counts at once."""
        configuration.api_key["authorization"] = self.read()

    def hidden(self, text: str) -> str:
        for word in sorted(self.seen, key=len, reverse=True):
            text = text.replace(word, "…")
        return text


class Unreachable(RuntimeError):
    """A fault that may pass. Away: it did not even come to the backend, as far as can be known."""

    def __init__(self, words: str, *, away: bool = True) -> None:
        super().__init__(words)
        self.away = away


class NoSuchHost(InputError):
    """A name that was typed wrong, or that does not resolve for a moment."""


@contextlib.contextmanager
def spoken(host: str, secrets: Sequence[Secret], doing: str = "") -> Iterator[None]:
    import kfp_server_api
    import urllib3

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except kfp_server_api.ApiException as error:
        raise _of_status(host, secrets, error, doing) from None
    except urllib3.exceptions.HTTPError as error:
        raise _of_wire(host, secrets, error, doing) from None
    except InputError as error:
        raise InputError(
            f"{host}: {error}" if doing == "reaching it" and host not in str(error) else str(error)
        ) from None


def _hidden(secrets: Sequence[Secret], text: str) -> str:
    for secret in secrets:
        text = secret.hidden(text)
    return text


def _of_status(host: str, secrets: Sequence[Secret], error: Any, doing: str) -> Exception:
    said = _hidden(secrets, _said(error.body))[:SHOWN]  # a token that is cut in two would not be found
    said = f" It said: {said}" if said else ""
    match error.status:
        case 401:
            way = "The token has expired or is not for this backend" if secrets else "It wants a token or cookie"
            return InputError(f"{host} does not know who is asking (401). {way}: see ${TOKENS[0]} and --token-file.")
        case 403:
            return InputError(f"{host} knows who is asking and does not allow it (403).{said}")
        case 404:
            what = f"{doing}: not found" if doing and doing != "reaching it" else "there is no Kubeflow Pipelines API"
            return InputError(f"{host}: {what} (404).{said}")
        case 400 | 409 | 422:
            return InputError(f"{host} refused the request ({error.status}).{said}")
        case 0 | None:
            reason = _hidden(secrets, str(error.reason)).splitlines()[-1][:SHOWN] if error.reason else "no reason"
            return InputError(f"{host} cannot be trusted or understood: {reason}.")
    words = f"{host} failed at {doing or 'the request'} ({error.status}). Try again later.{said}"
    return Unreachable(words, away=error.status in AWAY)


def _of_wire(host: str, secrets: Sequence[Secret], error: Exception, doing: str) -> Exception:
    import urllib3

    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return NoSuchHost(f"There is no host of that name: {host}.")
    if isinstance(reason, urllib3.exceptions.LocationParseError):
        return InputError(f"Expected an address such as https://kubeflow.example. Received: {host!r}.")
    if isinstance(reason, urllib3.exceptions.SSLError):
        return _of_tls(host, _hidden(secrets, str(reason))[:SHOWN])
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return Unreachable(f"{host} cannot be reached: the connection was refused or there is no way to it.")
    if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        return Unreachable(f"{host} did not answer within {CONNECT:.0f} seconds.")
    if isinstance(reason, urllib3.exceptions.ReadTimeoutError | urllib3.exceptions.TimeoutError):
        return Unreachable(f"{host} took more than {READ:.0f} seconds for an answer.")
    return Unreachable(f"The connection to {host} broke{f' at {doing}' if doing else ''}.")


def _of_tls(host: str, reason: str) -> InputError:
    if any(word in reason for word in PLAIN):
        return InputError(f"{host} speaks http, not https. Expected {host.replace('https:', 'http:', 1)}.")
    if "CERTIFICATE_VERIFY_FAILED" in reason or "certificate" in reason.lower():
        return InputError(f"The certificate of {host} cannot be verified: {reason}.")
    return InputError(f"No secure connection to {host} could be made: {reason}.")


def _said(body: Any) -> str:
    """The message in an error's body, on one line."""
    try:
        found = json.loads(body)
        text = found.get("message") or found.get("error") or found.get("error_message") or ""
    except (ValueError, TypeError, AttributeError):
        return ""
    return " ".join(str(text).split())
