"""The HTTP side: TF Serving's paths under /v1, the page at /, limits, and new versions taken over meanwhile."""

from __future__ import annotations

import asyncio
import re
import secrets
import signal
import socket
import sys
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

from aiohttp import web

from components.rest_server import classify_regress, page, tensor_json
from components.rest_server.live_model import LiveModel, Loaded
from components.rest_server.request_log import RequestLog
from components.rest_server.tensor_json import RequestError, written
from tasks import InputError

LARGEST_BODY = 16 << 20
# For a request to arrive, and for its answer.
READ_SECONDS, ANSWER_SECONDS = 20, 60
# Requests in memory at a time; more wait their turn.
AT_ONCE, THREADS = 32, 4
LOOK_SECONDS = 0.25
ASK = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:(predict|classify|regress)")
TELL = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?(/metadata)?")

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Server:
    """Answers for several tasks."""

    def __init__(self, models: Mapping[str, LiveModel], log: RequestLog | None, host: str) -> None:
        self.models, self.log, self.host = models, log, host
        self._threads = ThreadPoolExecutor(THREADS, "answer")
        self._loader = ThreadPoolExecutor(1, "load")
        self._places = asyncio.Semaphore(AT_ONCE)

    def application(self) -> web.Application:
        app = web.Application(client_max_size=LARGEST_BODY, middlewares=[self._guarded])
        app.router.add_route("*", "/{path:.*}", self._route)
        return app

    async def watch(self) -> None:
        """Look for new versions until cancelled; what cannot be reached now may be later."""
        last = ""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            for model in self.models.values():
                try:
                    said = await asyncio.get_running_loop().run_in_executor(self._loader, model.refresh)
                except Exception as error:  # drivers of object stores raise what they like
                    said = f"{model.name}: cannot look for new versions in {model.serving}: {error}"
                if said and said != last:
                    print(said, file=sys.stderr, flush=True)
                    last = said

    @web.middleware
    async def _guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Errors in TF Serving's form; a web site open in the user's browser gets no answers."""
        try:
            self._check_origin(request)
            return await handler(request)
        except RequestError as error:
            return _json({"error": str(error)}, error.status)
        except web.HTTPException as error:
            return _json({"error": error.text or error.reason}, error.status)
        except TimeoutError:
            return _json({"error": f"No answer within {ANSWER_SECONDS} seconds"}, 504)
        except RuntimeError as error:
            return _json({"error": str(error)}, 400)
        except Exception as error:
            print(f"{request.method} {request.path}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            return _json({"error": f"Internal error: {type(error).__name__}"}, 500)

    def _check_origin(self, request: web.Request) -> None:
        if request.headers.get("Sec-Fetch-Site") == "cross-site" and request.method != "GET":
            raise RequestError("Requests from other web sites are not answered", 403)
        if is_loopback(self.host) and not is_loopback(request.host):
            raise RequestError(f"This server is for this machine alone. Received the host {request.host[:100]!r}", 403)

    async def _route(self, request: web.Request) -> web.StreamResponse:
        if request.method == "POST" and (found := ASK.fullmatch(request.path)):
            return await self._ask(request, *found.groups())
        if request.method == "GET" and (found := TELL.fullmatch(request.path)):
            name, version, metadata = found.groups()
            return self._metadata(name, version) if metadata else self._status(name, version)
        if request.method == "GET" and request.path == "/":
            return self._page()
        raise RequestError(f"Malformed request: {request.method} {request.path[:200]}", 404)

    async def _ask(self, request: web.Request, name: str, version: str | None, verb: str) -> web.Response:
        async with self._places:
            try:
                async with asyncio.timeout(READ_SECONDS):
                    body = await request.read()
            except TimeoutError:
                raise RequestError(f"The request did not arrive within {READ_SECONDS} seconds", 408) from None
            key = request.headers.get("X-Request-Id", "")[:200] or secrets.token_hex(8)
            answer = asyncio.get_running_loop().run_in_executor(
                self._threads, self.answered, name, version, verb, body, key
            )
            async with asyncio.timeout(ANSWER_SECONDS):
                return web.Response(body=await answer, content_type="application/json", headers={"X-Request-Id": key})

    def answered(self, name: str, version: str | None, verb: str, body: bytes, key: str) -> bytes:
        """The answer's body, from one version from beginning to end."""
        model = self._model(name)
        loaded = self._loaded(model, version)
        document = tensor_json.parsed(body)
        if verb == "predict":
            asked = tensor_json.asked(document, loaded.signatures)
        else:
            asked = classify_regress.asked(document, model.task, verb)
        outputs = loaded.model.ask(asked.signature, asked.inputs)
        if self.log:
            self.log.write(name, model.task, loaded.number, asked, outputs, key)
        if verb == "predict":
            return written(tensor_json.answer(outputs, asked.by_row))
        return written(classify_regress.answer(model.task, outputs))

    def _model(self, name: str) -> LiveModel:
        if name not in self.models:
            raise RequestError(f"Could not find any versions of model {name[:100]}", 404)
        return self.models[name]

    def _loaded(self, model: LiveModel, version: str | None) -> Loaded:
        """The newest; of others TF Serving, too, says that they are not there, unless told to keep them."""
        loaded = model.loaded
        if version is not None and int(version) != loaded.number:
            raise RequestError(
                f"Could not find version {version} of model {model.name}. The newest, {loaded.number}, is served", 404
            )
        return loaded

    def _page(self) -> web.Response:
        nonce = secrets.token_urlsafe(16)
        headers = {"Content-Security-Policy": page.policy(nonce), "Cache-Control": "no-store"}
        return web.Response(
            body=page.html(self.models.values(), nonce), content_type="text/html", charset="utf-8", headers=headers
        )

    def _status(self, name: str, version: str | None) -> web.Response:
        model = self._model(name)
        states = [(model.loaded.number, "AVAILABLE", "OK", "")]
        states += [(number, "END", "UNKNOWN", said) for number, said in model.failed.items()]
        listed = [
            {"version": str(number), "state": state, "status": {"error_code": code, "error_message": said}}
            for number, state, code, said in sorted(states, reverse=True)
            if version is None or int(version) == number
        ]
        if not listed:
            self._loaded(model, version)
        return _json({"model_version_status": listed})

    def _metadata(self, name: str, version: str | None) -> web.Response:
        loaded = self._loaded(self._model(name), version)
        spec = {"name": name, "signature_name": "", "version": str(loaded.number)}
        return _json({"model_spec": spec, "metadata": {"signature_def": {"signature_def": loaded.metadata}}})


def is_loopback(host: str) -> bool:
    """Whether this name, or name:port, can only mean this machine; `evil.example` may resolve to it as well."""
    name = re.sub(r":\d+$", "", host).strip("[]").lower() if host.count(":") <= 1 or "]" in host else host
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ip_address(name).is_loopback
    except ValueError:
        return False


def _json(document: Any, status: int = 200) -> web.Response:
    return web.Response(body=written(document), status=status, content_type="application/json")


def bound(host: str, port: int) -> socket.socket:
    """The address, ours from now on; InputError before anything is loaded if it cannot be had."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        made = socket.socket(family, kind, protocol)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
    except OSError as error:
        raise InputError(
            f"Port {port} of {host} cannot be had: {error.strerror}. Choose another with --port, or --port 0 for any."
        ) from error
    return made


async def serve(
    models: Mapping[str, LiveModel], log: RequestLog | None, address: socket.socket, ready: Callable[[str], None]
) -> None:
    """Until SIGINT or SIGTERM; requests under way are answered still."""
    host, port = address.getsockname()[:2]
    server = Server(models, log, host)
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=10, handle_signals=False)
    await runner.setup()
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    await web.SockSite(runner, address).start()
    watching = asyncio.create_task(server.watch())
    ready(f"http://{f'[{host}]' if ':' in host else host}:{port}/")
    await stop.wait()
    watching.cancel()
    await runner.cleanup()
