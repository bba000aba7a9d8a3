"""A webhook on a real socket, as it should be and as it should not."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from loopback import answering


class Hook(ThreadingHTTPServer):
    """Keeps what it was told; answers with a status, after some seconds, and with a place to go to instead."""

    daemon_threads = True

    def __init__(self, status: int, seconds: float, location: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.status, self.seconds, self.location = status, seconds, location
        self.heard: list[tuple[str, str, bytes]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}/services/T0/secret?sig=hush"

    def bodies(self) -> list[dict[str, Any]]:
        assert all(kind == "application/json" for _, kind, _ in self.heard)
        return [json.loads(body) for _, _, body in self.heard]


class _Handler(BaseHTTPRequestHandler):
    server: Hook

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, self.headers["Content-Type"], body))
        time.sleep(self.server.seconds)
        self.send_response(self.server.status)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()


def listening(status: int = 200, seconds: float = 0.0, location: str = "") -> AbstractContextManager[Hook]:
    return answering(Hook(status, seconds, location))
