"""KFP's own client, with bounded waiting, tokens that stay secret, and errors in a sentence."""

from __future__ import annotations

import contextlib
import io
import json
import os
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipelines._kfp import without_client
from tasks import InputError

TOKENS = ("SLUICE_KFP_TOKEN", "KFP_TOKEN")
COOKIES = ("SLUICE_KFP_COOKIE", "KFP_COOKIE")
HOST = "KF_PIPELINES_ENDPOINT"
CONNECT, READ = 10.0, 60.0
NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass
class Secret:
    """A token, from a file that may be renewed or from the environment. It has no text of its own."""

    file: Path | None = None
    variable: str = ""
    seen: set[str] = field(default_factory=set, repr=False)

    def read(self) -> str:
        try:
            found = (self.file.read_text() if self.file else os.environ.get(self.variable, "")).strip()
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"The token file {self.file} cannot be read: {getattr(error, 'strerror', error)}.") from None
        if not found or not found.isascii() or not found.isprintable():
            where = str(self.file) if self.file else f"${self.variable}"
            raise InputError(f"Expected a token in {where}: one line of printable characters. Received: something else.")
        self.seen.add(found)
        return found

    def refresh_api_key_hook(self, configuration: Any) -> None:
        """KFP's client asks before each request, so a renewed token counts at once."""
        configuration.api_key["authorization"] = self.read()

    def hidden(self, text: str) -> str:
        for token in self.seen:
            text = text.replace(token, "…")
        return text


@dataclass(frozen=True)
class Cluster:
    """A Kubeflow Pipelines backend that has answered."""

    client: Any
    host: str
    namespace: str
    secret: Secret | None

    @contextlib.contextmanager
    def spoken(self, doing: str = "") -> Iterator[None]:
        """Errors of the client as one sentence; what it prints is dropped."""
        with spoken(self.host, self.secret, doing):
            yield

    def run_url(self, run_id: str) -> str:
        return f"{self.host}/#/runs/details/{run_id}"

    def schedule_url(self, recurring_run_id: str) -> str:
        return f"{self.host}/#/recurringrun/details/{recurring_run_id}"


def connect(host: str, *, namespace: str = "", token_file: str = "") -> Cluster:
    """Reach the backend and make sure that it is one of ours to talk to."""
    host = address(host)
    secret = _secret(token_file)
    if secret:
        secret.read()
    with spoken(host, secret, "reaching it"):
        client = _client_class()(
            host=host, namespace=namespace or "kubeflow", credentials=secret,
            cookies=next((os.environ[name] for name in COOKIES if os.environ.get(name)), None),
        )  # fmt: skip
        about = _healthz(client)
    namespace = namespace or client.get_user_namespace()
    if about.get("multi_user") and not namespace:
        raise InputError(f"The Kubeflow at {host} has many users. Expected --namespace, or namespace in the profile.")
    return Cluster(client, host, namespace if about.get("multi_user") else "", secret)


def address(host: str) -> str:
    host = (host or os.environ.get(HOST, "")).rstrip("/")
    if not host:
        raise InputError(f"Expected --host URL, or host in the profile, or ${HOST}. Received: none.")
    if not host.startswith(("http://", "https://")):
        host = f"https://{host}"
    if "@" in host.partition("://")[2].partition("/")[0]:
        raise InputError(f"The host must not hold a password or token. Put the token into ${TOKENS[0]}.")
    return host


def _secret(token_file: str) -> Secret | None:
    if token_file:
        return Secret(file=Path(token_file).expanduser())
    for name in TOKENS:
        if os.environ.get(name):
            return Secret(variable=name)
    projected = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH") or "/var/run/secrets/kubeflow/pipelines/token"
    return Secret(file=Path(projected)) if Path(projected).is_file() else None


def _client_class() -> Any:
    with without_client():
        import kfp  # noqa: F401
    from kfp.client import Client

    class Bounded(Client):  # type: ignore[misc]
        """Asks once where KFP's client asks five times with tracebacks, and writes no file in the home directory."""

        def get_kfp_healthz(self, sleep_duration: int = 5) -> Any:
            _bound(self._healthz_api.api_client)
            _healthz(self)
            return self._healthz_api.healthz_service_get_healthz()

        def set_user_namespace(self, namespace: str) -> None:
            self._context_setting["namespace"] = namespace

        def _load_context_setting_or_default(self) -> None:
            super()._load_context_setting_or_default()
            if not self._context_setting.get("namespace") and NAMESPACE.is_file():
                self._context_setting["namespace"] = NAMESPACE.read_text().strip()

    return Bounded


def _bound(api_client: Any) -> None:
    """KFP's client waits for ever where no request has a time limit."""
    import kfp_server_api

    rest = api_client.rest_client
    if "request" in vars(rest):
        return
    unbounded = rest.request

    def request(*words: Any, **named: Any) -> Any:
        named["_request_timeout"] = named.get("_request_timeout") or (CONNECT, READ)
        try:
            return unbounded(*words, **named)
        except kfp_server_api.ApiException as error:
            error.body = error.body or b""  # the client decodes it, whether there is one or not
            raise

    rest.request = request


def _healthz(client: Any) -> dict[str, Any]:
    """What the backend says of itself."""
    import kfp_server_api

    api = client._healthz_api
    _bound(api.api_client)
    try:
        response = api.healthz_service_get_healthz(_preload_content=False)
    except kfp_server_api.ApiException as error:
        if error.status == 404 and _is_version_1(api.api_client):
            raise InputError(
                "This is a backend of Kubeflow Pipelines 1, which cannot run pipelines of version 2. Expected 2.0 or later."
            ) from None
        raise
    try:
        found = json.loads(response.data)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError(
            "It answered with a page instead of the API's JSON: a login page, as a rule. Give a token by "
            f"${TOKENS[0]} or --token-file, a cookie by ${COOKIES[0]}, or the address of the API itself."
        )
    return found


def _is_version_1(api_client: Any) -> bool:
    import kfp_server_api

    try:
        api_client.call_api("/apis/v1beta1/healthz", "GET", auth_settings=["Bearer"], _preload_content=False)
    except kfp_server_api.ApiException:
        return False
    return True


@contextlib.contextmanager
def spoken(host: str, secret: Secret | None, doing: str = "") -> Iterator[None]:
    import kfp_server_api
    import urllib3

    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            yield
    except kfp_server_api.ApiException as error:
        raise _of_status(host, secret, error, doing) from None
    except urllib3.exceptions.HTTPError as error:
        raise _of_wire(host, error, doing) from None
    except InputError as error:
        raise InputError(f"{host}: {error}" if doing == "reaching it" and host not in str(error) else str(error)) from None


class Unreachable(RuntimeError):
    """A fault that may pass."""


def _of_status(host: str, secret: Secret | None, error: Any, doing: str) -> Exception:
    said = _said(error.body)
    said = f" It said: {secret.hidden(said) if secret else said}" if said else ""
    match error.status:
        case 401:
            way = "The token has expired or is not for this backend" if secret else "It wants a token or cookie"
            return InputError(f"{host} does not know who is asking (401). {way}: see ${TOKENS[0]} and --token-file.")
        case 403:
            return InputError(f"{host} knows who is asking and does not allow it (403).{said}")
        case 404:
            what = f"{doing}: not found" if doing and doing != "reaching it" else "there is no Kubeflow Pipelines API"
            return InputError(f"{host}: {what} (404).{said}")
        case 400 | 409 | 422:
            return InputError(f"{host} refused the request ({error.status}).{said}")
        case 0 | None:
            reason = str(error.reason).splitlines()[-1][:300] if error.reason else "no reason"
            return InputError(f"{host} cannot be trusted or understood: {reason}.")
    return Unreachable(f"{host} failed at {doing or 'the request'} ({error.status}). Try again later.{said}")


def _of_wire(host: str, error: Exception, doing: str) -> Exception:
    import urllib3

    reason = getattr(error, "reason", None) or error
    if isinstance(reason, urllib3.exceptions.NameResolutionError):
        return InputError(f"There is no host of that name: {host}.")
    if isinstance(reason, urllib3.exceptions.LocationParseError):
        return InputError(f"Expected an address such as https://kubeflow.example. Received: {host!r}.")
    if isinstance(reason, urllib3.exceptions.SSLError):
        return InputError(f"The certificate of {host} cannot be verified: {str(reason)[:300]}.")
    if isinstance(reason, urllib3.exceptions.NewConnectionError):
        return Unreachable(f"{host} cannot be reached: the connection was refused or there is no way to it.")
    if isinstance(reason, urllib3.exceptions.ConnectTimeoutError):
        return Unreachable(f"{host} did not answer within {CONNECT:.0f} seconds.")
    if isinstance(reason, urllib3.exceptions.ReadTimeoutError | urllib3.exceptions.TimeoutError):
        return Unreachable(f"{host} took more than {READ:.0f} seconds for an answer.")
    return Unreachable(f"The connection to {host} broke{f' at {doing}' if doing else ''}.")


def _said(body: Any) -> str:
    """The message in an error's body, on one line."""
    try:
        found = json.loads(body)
        text = found.get("message") or found.get("error") or found.get("error_message") or ""
    except (ValueError, TypeError, AttributeError):
        return ""
    return " ".join(str(text).split())[:300]
