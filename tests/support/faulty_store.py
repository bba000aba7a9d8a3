"""Places that fail now and then as networks do: a web server on real sockets, and an object store."""

from __future__ import annotations

from contextlib import AbstractContextManager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import fsspec
from loopback import answering
from object_store import ObjectStore


class FaultyStore(ObjectStore):
    """Each fault is the name of an operation that fails once; "lost" ones were done before their answer got lost."""

    protocol = ("faulty",)
    faults: ClassVar[list[str]] = []

    @classmethod
    def register(cls) -> None:
        fsspec.register_implementation("faulty", cls, clobber=True)

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(super()._strip_protocol(str(path).removeprefix("faulty://")))

    def _fail(self, name: str) -> None:
        if name in self.faults:
            self.faults.remove(name)
            raise OSError(16, "Please reduce your request rate.")

    def info(self, path: str, **how: Any) -> Any:
        self._fail("info")
        return super().info(path, **how)

    def ls(self, path: str, **how: Any) -> Any:
        self._fail("ls")
        return super().ls(path, **how)

    def put_file(self, *words: Any, **how: Any) -> None:
        self._fail("put_file")
        super().put_file(*words, **how)

    def pipe_file(self, *words: Any, **how: Any) -> None:
        self._fail("pipe_file")
        super().pipe_file(*words, **how)
        self._fail("lost pipe_file")


class WebServer(ThreadingHTTPServer):
    """Serves a directory, ranges of files too; `faults` are used by the coming GET requests, one each."""

    daemon_threads = True

    def __init__(self, directory: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.directory, self.faults, self.asked = directory, list[Any](), list[str]()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(SimpleHTTPRequestHandler):
    server: WebServer
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self._answer(b"")

    def do_GET(self) -> None:
        self._answer(None)

    def _answer(self, instead: bytes | None) -> None:
        self.server.asked.append(f"{self.command} {self.path}")
        path = self.server.directory / self.path.lstrip("/")
        fault = self.server.faults.pop() if self.server.faults and instead is None else None
        if fault == "drop":
            self.close_connection = True
            self.connection.close()
            return
        content = path.read_bytes() if path.is_file() else None
        if content is None or isinstance(fault, int):
            self.send_response(404 if content is None else fault)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, last = 0, len(content) - 1
        if wanted := self.headers.get("Range"):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        body = content[first : last + 1]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("ETag", f'"{len(content)}"')
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(content)}")
        self.end_headers()
        if instead is None:
            self.wfile.write(body[: len(body) // 2] if fault == "cut" else body)
        if fault == "cut":
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()


def serving(directory: Path) -> AbstractContextManager[WebServer]:
    return answering(WebServer(directory))
