"""A headless Chromium, spoken to by its DevTools protocol."""

from __future__ import annotations

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import websocket

PROGRAM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needed = pytest.mark.skipif(PROGRAM is None, reason="needs Chromium: apt-get install chromium")
SECONDS = 60


class Page:
    """One tab."""

    def __init__(self, url: str) -> None:
        self._socket = websocket.create_connection(url, timeout=SECONDS, suppress_origin=True)
        self._last = 0

    def do(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._last += 1
        self._socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while (said := json.loads(self._socket.recv())).get("id") != self._last:
            pass
        assert "error" not in said, said
        return said["result"]

    def value(self, expression: str) -> Any:
        """What a JavaScript expression comes to; promises are waited for."""
        found = self.do("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def wait_for(self, expression: str) -> Any:
        """The first value of the expression that counts as true."""
        return self.value(
            f"""new Promise((resolve, reject) => {{
              const end = Date.now() + {SECONDS // 2} * 1000;
              const look = () => {{
                const value = {expression};
                if (value) resolve(value);
                else if (Date.now() > end) reject(new Error("never: " + {json.dumps(expression)}));
                else setTimeout(look, 20);
              }};
              look();
            }})"""
        )

    def choose_file(self, selector: str, path: Path) -> None:
        """As if the user had picked it."""
        root = self.do("DOM.getDocument")["root"]["nodeId"]
        node = self.do("DOM.querySelector", nodeId=root, selector=selector)["nodeId"]
        self.do("DOM.setFileInputFiles", nodeId=node, files=[str(path)])


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A tab of a browser of its own, whose profile lies in the folder."""
    assert PROGRAM
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--remote-debugging-port=0"]
    process = subprocess.Popen(
        [PROGRAM, *options, f"--user-data-dir={folder}", "about:blank"], stderr=subprocess.PIPE, text=True
    )
    try:
        assert process.stderr
        said = next(line for line in process.stderr if "DevTools listening on ws://" in line)
        address = said.split("ws://")[1].split("/")[0]
        with urllib.request.urlopen(f"http://{address}/json/list", timeout=SECONDS) as answer:
            tab = next(one for one in json.load(answer) if one["type"] == "page")
        yield Page(tab["webSocketDebuggerUrl"])
    finally:
        process.kill()
        process.wait()
