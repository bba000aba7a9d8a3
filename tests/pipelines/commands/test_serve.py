"""`sluice serve` as its clients find it: by HTTP, in a browser, under load."""

from __future__ import annotations

import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Page, browsing, needed
from PIL import Image as Picture

pytestmark = pytest.mark.slow
CAR = {
    "cylinders": 8, "displacement": 307, "horsepower": 130, "weight": 3584, "acceleration": 12, "model_year": 70,
    "origin": 1,
}  # fmt: skip
SECONDS = 60
CLIENTS, REQUESTS = 8, 2000


@dataclass(frozen=True)
class Running:
    """A server of these tests' own."""

    port: int
    serving: Path
    said: Path
    log: Path
    process: subprocess.Popen[bytes]

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=SECONDS)
        data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, path, data, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        return response.status, json.loads(response.read())

    def cars(self, **headers: str) -> tuple[int, Any]:
        return self.ask("POST", "/v1/models/auto_mpg:predict", request(CAR), **headers)

    def version(self) -> int:
        _, told = self.ask("GET", "/v1/models/auto_mpg")
        return next(int(one["version"]) for one in told["model_version_status"] if one["state"] == "AVAILABLE")


def request(*instances: Any) -> dict[str, Any]:
    return {"signature_name": "features", "instances": list(instances)}


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    import small_versions as small

    home = tmp_path_factory.mktemp("serve")
    answers = {
        "auto_mpg": small.mpg(1024),
        "imdb_padded": small.review,
        "fashion_mnist": small.clothes,
        "flowers": small.flowers,
    }
    for name, answer in answers.items():
        small.push(home / "serving", name, answer, home / f"staged-{name}")
    command = ["serve", *answers, "--port", "0", "--log", "asked.jsonl"]
    with (home / "said").open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines", *command], cwd=home, stdout=subprocess.PIPE, stderr=said
        )
    try:
        assert process.stdout
        lines = iter(process.stdout.readline, b"")
        told = next((line.decode() for line in lines if line.startswith(b"to try it by hand")), "")
        if not told:
            pytest.fail((home / "said").read_text(), pytrace=False)
        port = int(told.rsplit(":", 1)[1].strip("/\n"))
        yield Running(port, home / "serving", home / "said", home / "asked.jsonl", process)
        process.send_signal(signal.SIGTERM)
        assert process.wait(SECONDS) == 0
    finally:
        process.kill()
    assert "Traceback" not in (home / "said").read_text()


def test_each_kind_of_task_answers(running: Running) -> None:
    assert running.cars() == (200, {"predictions": [3.5]})
    reviews = {"signature_name": "features", "inputs": {"text": ["1234", "12345678"]}}
    assert running.ask("POST", "/v1/models/imdb_padded:predict", reviews) == (200, {"outputs": [0.5, 1.0]})
    picture = {"b64": "AwMD" + "AAAA" * 260 + "AA=="}
    status, told = running.ask("POST", "/v1/models/fashion_mnist/versions/1:predict", request(picture))
    assert (status, told["predictions"][0]["class"]) == (200, "Dress")
    example = {"examples": [{**{name: float(value) for name, value in CAR.items()}, "origin": 1}]}
    assert running.ask("POST", "/v1/models/auto_mpg:regress", example) == (200, {"results": [3.5]})
    text = {"examples": [{"text": "1234"}]}
    labels = [["negative", 0.5], ["positive", 0.5]]
    assert running.ask("POST", "/v1/models/imdb_padded:classify", text) == (200, {"results": [labels]})


def test_the_signatures_are_told(running: Running) -> None:
    status, told = running.ask("GET", "/v1/models/auto_mpg/versions/1/metadata")
    assert (status, told["model_spec"]) == (200, {"name": "auto_mpg", "signature_name": "", "version": "1"})
    signatures = told["metadata"]["signature_def"]["signature_def"]
    assert signatures["features"]["inputs"]["weight"]["dtype"] == "DT_FLOAT"
    assert signatures["serving_default"]["method_name"] == "tensorflow/serving/predict"


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "words"),
    [
        ("POST", "/v1/models/nobody:predict", {}, 404, "Could not find any versions of model nobody"),
        ("POST", "/v1/models/auto_mpg/versions/7:predict", {}, 404, "Could not find version 7"),
        ("GET", "/v1/models/auto_mpg/versions/7", {}, 404, "Could not find version 7"),
        ("POST", "/v1/models/auto_mpg:explain", {}, 404, "Malformed request: POST /v1/models/auto_mpg:explain"),
        ("GET", "/v1/models/auto_mpg:predict", {}, 404, "Malformed request: GET"),
        ("GET", "/../../etc/passwd", {}, 404, "Malformed request"),
        ("POST", "/v1/models/auto_mpg:predict", {}, 400, "JSON Parse error"),
        ("GET", "/v1/models/auto_mpg", {"Host": "evil.example"}, 403, "for this machine alone"),
        ("POST", "/v1/models/auto_mpg:predict", {"Sec_Fetch_Site": "cross-site"}, 403, "other web sites"),
    ],
)
def test_errors_are_told_in_one_form(
    running: Running, method: str, path: str, headers: dict[str, str], status: int, words: str
) -> None:
    found, told = running.ask(method, path, b"{" if method == "POST" else None, **headers)
    assert (found, list(told)) == (status, ["error"])
    assert words in told["error"]


def test_a_body_has_a_limit(running: Running) -> None:
    status, told = running.ask("POST", "/v1/models/auto_mpg:predict", b" " * (17 << 20))
    assert (status, list(told)) == (413, ["error"])
    assert running.cars()[0] == 200


def test_an_example_that_is_none_is_told_by_its_cause(running: Running) -> None:
    status, told = running.ask("POST", "/v1/models/auto_mpg:predict", {"instances": [{"b64": "AAAA"}]})
    assert status == 400
    assert "Could not parse example input" in told["error"]


def test_what_is_asked_is_logged(running: Running) -> None:
    running.cars(X_Request_Id="by-hand")
    lines = [json.loads(line) for line in running.log.read_text().splitlines()]
    [line] = [line for line in lines if line["id"] == "by-hand"]
    assert (line["task"], line["signature"], line["instance"]) == ("auto_mpg", "features", CAR)
    assert line["prediction"] == {"prediction": 3.5}


@pytest.fixture(scope="module")
def page(running: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with browsing(tmp_path_factory.mktemp("chromium")) as page:
        page.do("Page.navigate", url=f"http://127.0.0.1:{running.port}/")
        page.wait_for("document.readyState === 'complete' && document.forms.length === 4")
        yield page


def put(page: Page, name: str, value: str) -> None:
    page.value(f"document.querySelector('[data-name={name}] [data-kind]').value = {json.dumps(value)}")


def answered(page: Page, task: str) -> str:
    """Presses the button and reads what appears."""
    shown = f"document.querySelector('#{task} .answer')"
    page.value(f"{shown}.replaceChildren(), document.querySelector('#{task} button').click()")
    return str(page.wait_for(f"!document.querySelector('#{task} button').disabled && {shown}.innerText"))


@needed
def test_a_form_is_filled_in_and_the_answer_appears(page: Page) -> None:
    assert answered(page, "auto_mpg") == "3.5 mpg"  # the example row
    put(page, "weight", "2048")
    put(page, "horsepower", "")
    assert answered(page, "auto_mpg") == "2 mpg"
    put(page, "weight", "")
    assert answered(page, "auto_mpg") == "Missing: weight."
    put(page, "weight", "1e60")
    assert "without loss of precision" in answered(page, "auto_mpg")


@needed
def test_hostile_text_stays_text(page: Page) -> None:
    assert page.value("document.querySelector('textarea').value") == "A <b>wonderful</b> film"
    hostile = "</textarea></pre><img src=x onerror='window.taken = 1'><script>window.taken = 1</script>"
    put(page, "text", hostile)
    assert answered(page, "imdb_padded").split("\n")[:1] == ["positive"]
    assert hostile in page.value("document.querySelector('#imdb_padded .request').textContent")
    assert page.value("document.querySelectorAll('#imdb_padded .request *').length") == 0
    assert page.value("window.taken === undefined && document.images.length === 0")
    # What is slipped in all the same is not run.
    page.value("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=\"window.taken = 1\">')")
    page.value("new Promise((resolve) => setTimeout(resolve, 300))")
    assert page.value("window.taken === undefined")


@needed
def test_a_picture_is_drawn_and_named(page: Page, tmp_path: Path) -> None:
    assert answered(page, "fashion_mnist").startswith("Dress\n")  # the example row
    Picture.new("RGB", (300, 200), (5, 5, 5)).save(tmp_path / "sandal.png")
    page.choose_file("#fashion_mnist input[type=file]", tmp_path / "sandal.png")
    page.wait_for("document.querySelector('canvas').getContext('2d').getImageData(9, 9, 1, 1).data[0] === 5")
    assert re.match(r"Sandal\s+77\.5 %", answered(page, "fashion_mnist"))
    (tmp_path / "none.png").write_text("<script>")
    page.choose_file("#fashion_mnist input[type=file]", tmp_path / "none.png")
    shown = "document.querySelector('#fashion_mnist .error')"
    assert page.wait_for(f"{shown} && {shown}.innerText") == "none.png is no picture that this browser can read."


@needed
def test_a_file_of_any_size_is_sent_as_it_is(page: Page, tmp_path: Path) -> None:
    assert answered(page, "flowers").startswith("dandelion\n")  # the example row is mostly green
    wide = Picture.new("RGB", (300, 100), (200, 0, 0))
    wide.paste((0, 0, 200), (100, 0, 200, 100))
    wide.save(tmp_path / "wide.png")
    page.choose_file("#flowers input[type=file]", tmp_path / "wide.png")
    page.wait_for("document.querySelector('#flowers canvas').getContext('2d').getImageData(32, 32, 1, 1).data[2] > 150")
    # Stretched, it would be mostly red; the model cuts out the middle.
    assert re.match(r"roses\s+80\.0 %", answered(page, "flowers"))


@needed
def test_it_fits_a_telephone_and_the_dark(page: Page) -> None:
    page.do("Emulation.setDeviceMetricsOverride", width=400, height=800, deviceScaleFactor=1, mobile=True)
    answered(page, "fashion_mnist")
    assert page.value("document.documentElement.scrollWidth") <= 400
    for scheme, dark in (("dark", True), ("light", False)):
        page.do("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        colour = page.value("getComputedStyle(document.body).backgroundColor")
        assert (max(map(int, re.findall(r"\d+", colour)[:3])) < 128) is dark


class Client(threading.Thread):
    """Asks two rows at a time, over one connection, until it has had its share and may stop."""

    def __init__(self, running: Running, may_stop: threading.Event) -> None:
        super().__init__()
        self.running, self.may_stop = running, may_stop
        self.answers: list[tuple[int, Any]] = []

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self.running.port, timeout=SECONDS)
        body = json.dumps(request({**CAR, "weight": 3072}, {**CAR, "weight": 6144}))
        while len(self.answers) < REQUESTS // CLIENTS or not self.may_stop.is_set():
            try:
                connection.request("POST", "/v1/models/auto_mpg:predict", body)
                response = connection.getresponse()
                self.answers.append((response.status, json.loads(response.read())))
            except OSError as error:
                self.answers.append((0, repr(error)))
                return


def test_no_request_is_lost_while_versions_come_and_go(running: Running, tmp_path: Path) -> None:
    import small_versions as small

    from components.serving import versions

    may_stop = threading.Event()
    clients = [Client(running, may_stop) for _ in range(CLIENTS)]
    for client in clients:
        client.start()
    try:
        for number, divisor in ((2, 2048), (3, 3072), (4, 512)):
            assert small.push(running.serving, "auto_mpg", small.mpg(divisor), tmp_path / str(number)) == number
            _taken_over(running, number)
        (running.serving / "auto_mpg" / "99").mkdir()  # not a version: there is no saved_model.pb
        assert versions.rollback(running.serving, "auto_mpg", 2).number == 100
        _taken_over(running, 100)
    finally:
        may_stop.set()
    for client in clients:
        client.join()
    answers = [answer for client in clients for answer in client.answers]
    assert len(answers) >= REQUESTS
    allowed = [{"predictions": pair} for pair in ([3.0, 6.0], [1.5, 3.0], [1.0, 2.0], [6.0, 12.0])]
    assert [answer for answer in answers if answer[0] != 200 or answer[1] not in allowed] == []
    assert all(any(answer[1] == one for answer in answers) for one in allowed)


def _taken_over(running: Running, number: int) -> None:
    end = time.monotonic() + SECONDS
    while running.version() != number:
        assert time.monotonic() < end, running.said.read_text()
        time.sleep(0.05)


def test_a_damaged_version_is_told_and_the_one_before_goes_on(running: Running) -> None:
    before = running.version()
    damaged = running.serving / "auto_mpg" / "200"
    damaged.mkdir()
    (damaged / "saved_model.pb").write_bytes(b"half a mod")
    end = time.monotonic() + SECONDS
    while "version 200 is not taken over" not in running.said.read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    assert running.version() == before
    assert running.cars()[0] == 200
    _, told = running.ask("GET", "/v1/models/auto_mpg/versions/200")
    assert told["model_version_status"][0]["state"] == "END"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["nobody"], "There is no task 'nobody'"),
        (["auto_mpg", "--serving", "none"], "There is no version of auto_mpg"),
        (["auto_mpg", "--port", "70000"], "A port is a number from 0 to 65535. Received: 70000."),
        (["auto_mpg", "--log", "nowhere/asked.jsonl"], "The log 'nowhere/asked.jsonl' cannot be written"),
    ],
)
def test_what_cannot_be_served_is_told(tmp_path: Path, words: list[str], complaint: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "pipelines", "serve", *words], cwd=tmp_path, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert complaint in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "pipelines", "serve", "auto_mpg", "--port", port]
        ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ended.returncode == 2
    assert f"Port {port} of 127.0.0.1 cannot be had: Address already in use" in ended.stderr
