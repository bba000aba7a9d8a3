"""KFP's own client, with bounded waiting, tokens that stay secret, and errors in a sentence."""

from __future__ import annotations

import contextlib
import functools
import ipaddress
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from components.storage.local_paths import local_path
from pipelines.kfp_import import import_without_client
from pipelines.kubeflow import error_messages, try_again
from pipelines.kubeflow.error_messages import COOKIES, TOKENS, Secret, spoken
from tasks import InputError

HOST = "KF_PIPELINES_ENDPOINT"
FIRST = "This is a backend of Kubeflow Pipelines 1, which cannot run pipelines of 2. Expected 2 or later."
NAMESPACE = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")


@dataclass(frozen=True)
class Cluster:
    """A Kubeflow Pipelines backend that has answered."""

    client: Any
    host: str
    namespace: str
    secrets: tuple[Secret, ...]
    version: str = ""

    @contextlib.contextmanager
    def spoken(self, doing: str = "") -> Iterator[None]:
        """Errors of the client as one sentence; what it prints is dropped."""
        with spoken(self.host, self.secrets, doing):
            yield

    def experiment(self, name: str) -> str:
        """Its id; it is made if it is not there."""

        def make() -> str:
            with self.spoken("making the experiment"):
                made = self.client.create_experiment(name, namespace=self.namespace or None)
            return str(made.experiment_id)

        return try_again.changing(make, lambda: None)  # which looks for it by its name first

    def run_url(self, run_id: str) -> str:
        return f"{self.host}/#/runs/details/{run_id}"

    def newest_runs(self, count: int) -> list[Any]:
        """As many runs as that, the newest first."""
        with self.spoken("listing the runs"):
            listed = self.client.list_runs(sort_by="created_at desc", page_size=count, namespace=self.namespace or None)
        return listed.runs or []

    def schedule_url(self, recurring_run_id: str) -> str:
        return f"{self.host}/#/recurringrun/details/{recurring_run_id}"


def connect(host: str, *, namespace: str = "", token_file: str = "") -> Cluster:
    """Reach the backend and make sure that it is one of ours to talk to."""
    host = address(host)
    token = _token(token_file)
    cookie = next((Secret(variable=name, kind="cookie") for name in COOKIES if os.environ.get(name)), None)
    secrets = tuple(secret for secret in (token, cookie) if secret)
    if secrets and host.startswith("http://") and not _is_near(host):
        raise InputError(
            f"A {secrets[0].kind} goes over plain http to this machine or inside the cluster only. Expected https://, "
            "or http://localhost:8888 after `kubectl port-forward -n kubeflow svc/ml-pipeline 8888:8888`, or inside "
            f"the cluster a name such as ml-pipeline.kubeflow.svc. Received: {host!r}."
        )
    for secret in secrets:
        secret.read()
    with spoken(host, secrets, "reaching it"):
        client = _client_class()(
            host=host, namespace=namespace or "kubeflow", credentials=token,
            cookies=cookie.read() if cookie else None,
        )  # fmt: skip
        about = _healthz(client)
        _check_version(version := str(about.get("tag_name", "")), host)
    namespace = namespace or client.get_user_namespace()
    if about.get("multi_user") and not namespace:
        raise InputError(f"The Kubeflow at {host} has many users. Expected --namespace, or namespace in the profile.")
    return Cluster(client, host, namespace if about.get("multi_user") else "", secrets, version)


def address(host: str) -> str:
    """The API's address, of one that may have been copied from the browser, where the page follows a #."""
    host = (host or os.environ.get(HOST, "")).strip()
    if "@" in host.rpartition("://")[2].partition("/")[0]:
        raise InputError(f"The host must not hold a password or token. Put the token into ${TOKENS[0]}.")
    host = host.partition("#")[0].partition("?")[0].rstrip("/")
    if not host:
        raise InputError(f"Expected --host URL, or host in the profile, or ${HOST}. Received: none.")
    scheme, separator, _ = host.partition("://")
    if not separator:
        host = f"https://{host}"
    elif scheme.lower() not in {"http", "https"}:
        raise InputError(f"The host is reached by https:// or http:// only. Received: {scheme}://.")
    else:
        host = scheme.lower() + host.removeprefix(scheme)
    try:
        fine = urlsplit(host).hostname and urlsplit(host).port != 0
    except ValueError:
        fine = False
    if not fine:
        raise InputError(f"Expected an address such as https://kubeflow.example. Received: {host!r}.")
    return host


def _check_version(version: str, host: str) -> None:
    found = re.match(r"v?(\d+)\.", version)
    major = int(found[1]) if found else 2
    if major < 2:
        raise InputError(FIRST)
    if major > 2:
        print(f"note: {host} is Kubeflow Pipelines {version}; Sluice was tried with 2 only.", file=sys.stderr)


def _is_near(host: str) -> bool:
    """Loopback, or a name that only a cluster or a local network has."""
    name = (urlsplit(host).hostname or "").rstrip(".")
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return "." not in name or name.endswith((".localhost", ".svc", ".svc.cluster.local", ".local"))


def _token(token_file: str) -> Secret | None:
    if token_file:
        return Secret(file=local_path(token_file))
    for name in TOKENS:
        if os.environ.get(name):
            return Secret(variable=name)
    projected = os.environ.get("KF_PIPELINES_SA_TOKEN_PATH") or "/var/run/secrets/kubeflow/pipelines/token"
    return Secret(file=Path(projected)) if Path(projected).is_file() else None


def _client_class() -> Any:
    import_without_client()
    from kfp.client import Client

    class Bounded(Client):
        """Asks once where KFP's client asks five times with tracebacks, and writes no file in the home directory."""

        def _load_config(self, *words: Any, **named: Any) -> Any:
            from urllib3 import Retry

            config = super()._load_config(*words, **named)
            # urllib3 would ask four times, each as long as we want to wait at all, and delete twice.
            config.retries = Retry(connect=0, read=0, status=0, other=0, redirect=3)
            return config

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
    """KFP's client waits for ever where no request has a time limit, and gives up at once where nobody answers."""
    import kfp_server_api

    rest = api_client.rest_client
    if "request" in vars(rest):
        return
    unbounded = rest.request

    def request(*words: Any, **named: Any) -> Any:
        named["_request_timeout"] = named.get("_request_timeout") or (error_messages.CONNECT, error_messages.READ)
        ask = functools.partial(unbounded, *words, **named)
        try:
            return try_again.reading(ask, api_client.configuration.host) if words[0] == "GET" else ask()
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
            raise InputError(FIRST) from None
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
