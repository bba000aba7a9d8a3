from __future__ import annotations

import asyncio
import socket

import pytest
from aiohttp.test_utils import TestServer

from components.rest_server import http_server


@pytest.mark.parametrize(
    "host", ["localhost", "localhost:8501", "127.0.0.1:8501", "127.9.9.9", "[::1]:8501", "a.localhost"]
)
def test_names_of_this_machine(host):
    assert http_server.is_loopback(host)


@pytest.mark.parametrize("host", ["evil.example:8501", "127.0.0.1.evil.example", "0.0.0.0", "192.168.0.1:1", "", "::2"])
def test_names_of_others(host):
    assert not http_server.is_loopback(host)


def test_a_body_that_does_not_arrive_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(http_server, "READ_SECONDS", 0.1)

    async def half_a_request() -> bytes:
        server = TestServer(http_server.Server({}, None, "127.0.0.1").application())
        await server.start_server()
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"POST /v1/models/a:predict HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n{")
        answer = await reader.readline()
        writer.close()
        await server.close()
        return answer

    assert asyncio.run(half_a_request()) == b"HTTP/1.1 408 Request Timeout\r\n"


def test_an_accident_is_told_without_its_inside(capsys):
    async def ask() -> tuple[int, str]:
        server = http_server.Server({"a": "no model"}, None, "127.0.0.1")  # type: ignore[dict-item]
        async with TestServer(server.application()) as running:
            from aiohttp import ClientSession

            async with ClientSession() as client, client.get(running.make_url("/v1/models/a")) as answer:
                return answer.status, await answer.text()

    assert asyncio.run(ask()) == (500, '{"error": "Internal error: AttributeError"}\n')
    assert "GET /v1/models/a: AttributeError" in capsys.readouterr().err


def test_any_free_port():
    with http_server.bound("127.0.0.1", 0) as address:
        assert isinstance(address, socket.socket)
        assert address.getsockname()[1] > 0
