"""`sluice serve`."""

from __future__ import annotations

import argparse
import asyncio
import sys

import tasks
from components.storage.local_paths import local_path
from pipelines import lazy_imports
from pipelines.commands.predict import NEEDLESS
from pipelines.native_output import only_our_words


def main(given: argparse.Namespace) -> int:
    for name in given.served:
        tasks.check_name(name)
    if not 0 <= given.port < 65536:
        raise tasks.InputError(f"A port is a number from 0 to 65535. Received: {given.port}.")
    lazy_imports.load("numpy")  # sure to be needed, so not as a placeholder
    from components.rest_server import http_server
    from components.rest_server.live_model import LiveModel
    from components.rest_server.request_log import RequestLog

    address = http_server.bound(given.host, given.port)
    for name in given.served:
        tasks.get(name)  # with all that it imports
    log = RequestLog(local_path(given.log)) if given.log else None
    with only_our_words(), lazy_imports.without(*NEEDLESS):
        models = {name: LiveModel(str(given.serving_dir), name) for name in dict.fromkeys(given.served)}

        def ready(url: str) -> None:
            for name, model in models.items():
                print(f"{name} version {model.loaded.number} answers at {url}v1/models/{name}:predict", flush=True)
            print(f"to try it by hand: {url}", flush=True)
            print("For trying out on this machine; production is TF Serving's job (docs/serving.md).", file=sys.stderr)

        asyncio.run(http_server.serve(models, log, address, ready))
    return 0
