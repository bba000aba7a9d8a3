"""A backend of Kubeflow Pipelines for the tests: the v2beta1 REST rules over real HTTP, and faults on command."""

from __future__ import annotations

import json
import sys
import threading
import time
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from kubeflow_rules import API, CODES, LogRefusal, Refusal, Rules
from loopback import answering


class Backend(ThreadingHTTPServer):
    """What the backend keeps, and how it is to behave."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.experiments: list[dict[str, Any]] = []
        self.runs: list[dict[str, Any]] = []
        self.recurringruns: list[dict[str, Any]] = []
        self.log: list[tuple[str, str, dict[str, str]]] = []
        # Each fault is used once, by the first request whose method and path begin as said.
        self.faults: list[tuple[str, str, Any]] = []
        self.tokens: set[str] | None = None
        self.cookie = ""
        self.release = "2.17.0"
        self.version, self.multi_user, self.login_page, self.forbidden = 2, False, False, False
        self.forbidden_words = ""
        self.endings: dict[str, str] = {}
        self.cached: set[str] = set()
        # What each step's pod wrote, of those whose pod is still there; and which step each pod is of.
        self.logs: dict[str, str] = {}
        self.pods: dict[str, str] = {}
        self.parsed: dict[str, Any] = {}
        # What the steps under a condition find it to be.
        self.condition = True
        self.frozen = False
        self.lock = threading.Lock()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Callers that hang up are part of the tests."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def fault(self, method: str, path: str, kind: Any, times: int = 1) -> None:
        """A status to answer with, "drop" before and "lose" after doing what was asked, or seconds to wait."""
        self.faults += [(method, path if path.startswith("/apis/") else API + path, kind)] * times

    def taken(self, method: str, path: str) -> Any:
        for fault in self.faults:
            if method == fault[0] and path.startswith(fault[1]):
                self.faults.remove(fault)
                return fault[2]
        return None


def backend() -> AbstractContextManager[Backend]:
    return answering(Backend())


class _Handler(BaseHTTPRequestHandler):
    server: Backend
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        place = urlsplit(self.path)
        length = int(self.headers.get("Content-Length") or 0)
        content = self.rfile.read(length)
        with self.server.lock:
            self.server.log.append((self.command, self.path, dict(self.headers)))
            fault = self.server.taken(self.command, place.path)
        if isinstance(fault, float):
            time.sleep(fault)
        if fault == "drop":
            return self._hang_up()
        try:
            if isinstance(fault, int):
                raise Refusal(fault, "Internal error: the database is away")
            self._check_sender(place.path)
            if self.server.login_page:
                return self._send(200, b"<html>Log in to Kubeflow</html>", "text/html")
            query = {key: values[-1] for key, values in parse_qs(place.query).items()}
            with self.server.lock:
                found = Rules(self.server).answer(self.command, place.path, query, content)
        except Refusal as error:
            code = CODES[error.status]
            details = [{"@type": "type.googleapis.com/google.rpc.Status", "code": code, "message": error.words}]
            body = {"error": error.words, "code": code, "message": error.words, "details": details}
            return self._send(error.status, json.dumps(body).encode())
        except LogRefusal as error:
            body = {"error_message": str(error), "error_details": str(error)}
            return self._send(500, json.dumps(body).encode())
        if isinstance(found, bytes):
            return self._send(200, found, "text/plain")
        if fault == "lose":
            return self._hang_up()
        return self._send(200, json.dumps(found).encode())

    def _check_sender(self, path: str) -> None:
        server = self.server
        if server.forbidden_words:
            raise Refusal(403, server.forbidden_words)
        if server.forbidden:
            raise Refusal(403, "User alice is not authorized with reason: no permission in the namespace")
        if server.cookie and server.cookie not in (self.headers.get("Cookie") or ""):
            raise Refusal(401, "Unauthenticated")
        token = (self.headers.get("authorization") or "").removeprefix("Bearer ")
        if server.tokens is not None and token not in server.tokens:
            raise Refusal(401, f"Unauthenticated: the token {token!r} is not valid")
        if server.version == 1 and path.startswith(API):
            raise Refusal(404, "Not Found")

    def _hang_up(self) -> None:
        self.close_connection = True
        self.connection.close()

    def _send(self, status: int, content: bytes, kind: str = "application/json") -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
