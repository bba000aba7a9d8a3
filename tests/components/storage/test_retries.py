"""Faults that pass are waited out, told, and given up in the end; wrong data and wrong names come through at once."""

from __future__ import annotations

import errno
import socket
import ssl
import subprocess
import sys
from pathlib import Path
from typing import Any

import fsspec
import pytest
from faulty_store import FaultyStore, serving

from components.reading.find_files import file_names, file_parts, read_file
from components.storage import retries, store, urls
from tasks import InputError


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "FIRST", 0.01)
    monkeypatch.setattr(retries, "LONGEST", 0.05)
    monkeypatch.setattr(retries, "LIMIT", 2.0)


def caused(error: BaseException, cause: BaseException) -> BaseException:
    error.__cause__ = cause
    return error


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (ConnectionResetError(104, "reset"), True),
        (socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"), True),
        (TimeoutError(), True),
        (OSError(errno.EBUSY, "SlowDown"), True),
        (caused(FileNotFoundError("http://x/y"), ConnectionRefusedError(111, "refused")), True),
        (FileNotFoundError("s3://b/x"), False),
        (PermissionError("403"), False),
        (ValueError("not a number"), False),
        (OSError(errno.ENOSPC, "full"), False),
        (caused(ConnectionError("TLS"), ssl.SSLCertVerificationError("self-signed")), False),
    ],
)
def test_what_may_pass(error: BaseException, passes: bool) -> None:
    assert retries.passing(error) is passes


def test_a_driver_s_own_errors_are_known_by_what_they_are() -> None:
    from aiohttp import ClientPayloadError, ClientResponseError
    from botocore.exceptions import ClientError, EndpointConnectionError
    from gcsfs.retry import HttpError

    def answered(status: int) -> ClientError:
        about = {"Error": {"Code": str(status)}, "ResponseMetadata": {"HTTPStatusCode": status}}
        return ClientError(about, "GetObject")  # type: ignore[arg-type]

    assert retries.passing(EndpointConnectionError(endpoint_url="http://minio:9000"))
    assert retries.passing(ClientPayloadError("cut off"))
    assert [retries.passing(answered(status)) for status in (503, 500, 429, 404, 403)] == [True] * 3 + [False] * 2
    assert [retries.passing(HttpError({"code": code, "message": ""})) for code in (503, 404)] == [True, False]
    told: Any = None
    assert [retries.passing(ClientResponseError(told, (), status=status)) for status in (502, 400)] == [True, False]


def test_it_is_told_and_given_up_in_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    tries: list[int] = []

    def away() -> None:
        tries.append(1)
        raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(ConnectionResetError):
        retries.patiently(away, "reading s3://raw/x.csv")()
    assert len(tries) > 2
    assert (
        "» reading s3://raw/x.csv failed (ConnectionResetError: [Errno 104] Connection reset by peer); trying again"
        in (capsys.readouterr().out)
    )


def unknown(number: int) -> BaseException:
    return caused(FileNotFoundError("http://nowhere/x"), socket.gaierror(number, "said so"))


def test_a_name_that_does_not_exist_is_no_fault_of_the_network() -> None:
    from aiohttp import ClientConnectorDNSError
    from aiohttp.client_reqrep import ConnectionKey
    from botocore.exceptions import EndpointConnectionError

    key: Any = ConnectionKey("minoi", 9000, False, True, None, None, None)
    found = ClientConnectorDNSError(key, socket.gaierror(socket.EAI_NONAME, "Name or service not known"))
    assert retries.no_such_host(EndpointConnectionError(endpoint_url="http://minoi:9000", error=found)) == "'minoi'"
    assert retries.no_such_host(unknown(socket.EAI_NONAME)) == "of that name"
    assert retries.no_such_host(unknown(socket.EAI_AGAIN)) == ""


def test_such_a_name_is_given_up_sooner_and_is_wrong_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retries, "NO_NAME", 0.3)
    monkeypatch.setattr(retries, "LIMIT", 1000.0)
    tries: list[int] = []

    def asked() -> str:
        tries.append(1)
        raise unknown(socket.EAI_NONAME)

    with pytest.raises(
        InputError, match=r"There is no host of that name: it was asked for during 0 s\. Check the addr"
    ):
        retries.patiently(asked, "reading")()
    assert len(tries) > 1
    monkeypatch.setattr(retries, "NO_NAME", 60.0)
    faults = [unknown(socket.EAI_NONAME), unknown(socket.EAI_AGAIN)]

    def resolved() -> str:
        if faults:
            raise faults.pop()
        return "read"

    assert retries.patiently(resolved, "reading")() == "read"


@pytest.mark.parametrize("fault", [503, "cut", "drop"])
def test_a_web_server_that_is_away_for_a_moment(tmp_path: Path, fault: Any) -> None:
    lines = [f"{n},{n * n}" for n in range(200_000)]
    (tmp_path / "x.csv").write_text("\n".join(["a,b", *lines]) + "\n")
    with serving(tmp_path) as server:
        url = f"{server.url}/x.csv"
        assert file_names(url) == [url]
        server.faults = [fault] * 3
        rows = sum(len(batch) for batch in read_file(url, ["a", "b"]))
        assert rows == 200_000
        assert server.faults == []
        server.faults = [503] * 3
        assert file_parts(url)[0].version


def test_a_missing_file_is_no_fault(tmp_path: Path) -> None:
    with serving(tmp_path) as server, pytest.raises(InputError, match="There is no file"):
        file_names(f"{server.url}/none.csv")
    assert len(server.asked) < 6


def test_a_model_is_pushed_through_faults_and_its_number_is_not_lost(tmp_path: Path) -> None:
    FaultyStore.register()
    (tmp_path / "staged").mkdir()
    (tmp_path / "staged" / "saved_model.pb").write_bytes(b"model")
    place = store.opened(f"faulty://{tmp_path}/served", "cars")
    for name in ("pipe_file", "put_file", "info", "ls", "lost pipe_file"):
        FaultyStore.faults = [name]
        number = str(len(place.entries()) + 1)
        assert place.publish(tmp_path / "staged", number), name
        assert place.exists(f"{number}/saved_model.pb")
        assert FaultyStore.faults == []
    FaultyStore.faults = ["info"] * 2
    assert place.exists("1/saved_model.pb")  # a fault is no absence


def test_local_files_are_not_waited_for(tmp_path: Path) -> None:
    assert urls.system_of(str(tmp_path))[0] is fsspec.filesystem("file")


def test_what_drivers_log_does_not_stand_before_our_sentence() -> None:
    code = "import logging; import components.storage.urls; logging.getLogger('gcsfs').error('out of retries')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
