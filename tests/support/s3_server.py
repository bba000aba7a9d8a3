"""An S3 of this test's own on the loopback: what s3fs asks of a bucket that exists, held in memory."""

from __future__ import annotations

from contextlib import AbstractContextManager
from email.utils import formatdate
from hashlib import md5
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from loopback import answering

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
TIME = "2026-01-01T00:00:00.000Z"


class S3Server(ThreadingHTTPServer):
    """`objects` are the contents by bucket/key."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.objects: dict[str, bytes] = {}

    @property
    def environment(self) -> dict[str, str]:
        """By which s3fs finds it, in any process."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.server_address[1]}",
            "AWS_ACCESS_KEY_ID": "tester",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": "us-east-1",
        }


class _Handler(BaseHTTPRequestHandler):
    server: S3Server
    protocol_version = "HTTP/1.1"
    # Headers and body go out together; apart they would wait for each other's acknowledgement.
    wbufsize = -1
    disable_nagle_algorithm = True

    def log_message(self, *_: object) -> None:
        pass

    def handle_expect_100(self) -> bool:
        super().handle_expect_100()
        self.wfile.flush()  # the client sends no body before it has this
        return True

    @property
    def key(self) -> str:
        return unquote(urlsplit(self.path).path).strip("/")

    @property
    def query(self) -> dict[str, str]:
        return {name: values[0] for name, values in parse_qs(urlsplit(self.path).query, keep_blank_values=True).items()}

    def do_GET(self) -> None:
        if "/" not in self.key:
            self._list(self.key, self.query.get("prefix", ""), self.query.get("delimiter", ""))
            return
        content = self.server.objects.get(self.key)
        if content is None:
            self._fail(404, "NoSuchKey")
            return
        first, last = 0, len(content) - 1
        if wanted := self.headers.get("Range"):
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
            if first > last:
                self._fail(416, "InvalidRange")
                return
            ranged = {"Content-Range": f"bytes {first}-{last}/{len(content)}"}
            self._answer(206, content[first : last + 1], **_described(content), **ranged)
            return
        self._answer(200, content, **_described(content))

    def do_HEAD(self) -> None:
        content = self.server.objects.get(self.key, b"" if "/" not in self.key else None)
        if content is None:
            self._answer(404)
        else:
            self._answer(200, b"", **_described(content), length=len(content))

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if source := self.headers.get("x-amz-copy-source"):
            content = self.server.objects.get(unquote(source).strip("/"))
            if content is None:
                self._fail(404, "NoSuchKey")
                return
            self.server.objects[self.key] = content
            copied = f"<LastModified>{TIME}</LastModified><ETag>{_tag(content)}</ETag>"
            self._answer(200, _xml("CopyObjectResult", copied))
        elif self.headers.get("If-None-Match") == "*" and self.key in self.server.objects:
            self._fail(412, "PreconditionFailed", "<Condition>If-None-Match</Condition>")
        else:
            self.server.objects[self.key] = body
            self._answer(200, b"", ETag=_tag(body))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        assert "delete" in self.query, self.path
        keys = [found.text for found in ElementTree.fromstring(body).iter(f"{{{NAMESPACE}}}Key")]
        for key in keys:
            self.server.objects.pop(f"{self.key}/{key}", None)
        self._answer(
            200, _xml("DeleteResult", "".join(f"<Deleted><Key>{escape(str(k))}</Key></Deleted>" for k in keys))
        )

    def do_DELETE(self) -> None:
        self.server.objects.pop(self.key, None)
        self._answer(204)

    def _list(self, bucket: str, prefix: str, delimiter: str) -> None:
        entries, folders = [], set()
        for path, content in sorted(self.server.objects.items()):
            holder, _, key = path.partition("/")
            if holder != bucket or not key.startswith(prefix):
                continue
            inside, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else ("", "", "")
            if found:
                folders.add(f"{prefix}{inside}{delimiter}")
                continue
            about = f"<Size>{len(content)}</Size><LastModified>{TIME}</LastModified><ETag>{_tag(content)}</ETag>"
            entries.append(f"<Contents><Key>{escape(key)}</Key>{about}</Contents>")
        common = [f"<CommonPrefixes><Prefix>{escape(each)}</Prefix></CommonPrefixes>" for each in sorted(folders)]
        count = f"<IsTruncated>false</IsTruncated><KeyCount>{len(entries) + len(common)}</KeyCount>"
        self._answer(200, _xml("ListBucketResult", count + "".join(entries + common)))

    def _fail(self, status: int, code: str, more: str = "") -> None:
        self._answer(status, f"<Error><Code>{code}</Code><Message>{code}</Message>{more}</Error>".encode())

    def _answer(self, status: int, body: bytes = b"", length: int = -1, **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length if length >= 0 else len(body)))
        self.end_headers()
        self.wfile.write(body)


def _described(content: bytes) -> dict[str, str]:
    return {"ETag": _tag(content), "Last-Modified": formatdate(usegmt=True), "Accept-Ranges": "bytes"}


def _tag(content: bytes) -> str:
    return f'"{md5(content, usedforsecurity=False).hexdigest()}"'


def _xml(name: str, inner: str) -> bytes:
    return f'<?xml version="1.0"?><{name} xmlns="{NAMESPACE}">{inner}</{name}>'.encode()


def serving() -> AbstractContextManager[S3Server]:
    return answering(S3Server())
