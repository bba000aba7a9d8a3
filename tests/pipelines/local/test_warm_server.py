"""Processes that are kept for the next command: found again, replaced when they do not fit, ended in time."""

from __future__ import annotations

import argparse
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from repository import SUPPORT

from components import warm_process
from pipelines import command_line
from pipelines.commands import doctor, stop
from pipelines.local import kept_process, warm_server
from pipelines.local.forked_command import ForkedCommand
from pipelines.local.kept_process import directory, sockets
from pipelines.local.warm_server import WarmServer, kept_at
from tasks import InputError

FEW = ("colorsys",)


def said(function: Callable[..., Any], answers: Connection, _: list[int]) -> None:
    """In the forked process: send what the function gives."""
    answers.send(function())


def imported() -> list[str]:
    return sorted(sys.modules)


def value_of_edited() -> int:
    import edited_meanwhile

    return int(edited_meanwhile.VALUE)


def answer(server: WarmServer, function: Callable[[], Any]) -> tuple[Any, int]:
    """What the function gives in a process forked for it, and that process's parent."""
    with warm_process.fork(server.socket, said, function) as answers:
        number, given = answers.recv(), answers.recv()
        assert answers.recv() == {"status": 0}
        assert number != os.getpid()
    return given, pid(server.socket)


def pid(address: str) -> int:
    told = warm_process.asked(address, seconds=20)
    assert told is not None
    return int(told["pid"])


def until(true: Callable[[], bool], seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where processes are kept; none is left there."""
    place = directory(tmp_path)
    yield place
    for address in sockets(place):
        with suppress(OSError):
            os.kill(pid(address), signal.SIGKILL)


@pytest.fixture
def kept(place: Path, tmp_path: Path) -> Callable[..., WarmServer]:
    def begun(modules: tuple[str, ...] = FEW) -> WarmServer:
        server = WarmServer(tmp_path / "log", modules, place)
        server.start()
        return server

    return begun


def test_the_next_command_finds_the_process_of_the_one_before(kept: Callable[..., WarmServer]) -> None:
    first = kept()
    modules, number = answer(first, imported)
    assert "colorsys" in modules
    first.stop()
    assert answer(kept(), os.getppid) == (number, number)


def test_what_nobody_needs_yet_is_imported_when_nobody_asks(
    kept: Callable[..., WarmServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_server, "LATER", ("wave",))
    server = kept(("colorsys", "wave"))
    assert {"colorsys", "wave"}.intersection(answer(server, imported)[0]) == {"colorsys"}

    def after_a_while() -> bool:
        time.sleep(2 * warm_process.QUIET)
        return "wave" in answer(server, imported)[0]

    until(after_a_while)


def test_nothing_of_ours_is_imported_before_the_fork_so_an_edit_counts(
    kept: Callable[..., WarmServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    module = tmp_path / "edited_meanwhile.py"
    module.write_text("VALUE = 1\n")
    first, number = answer(kept(), value_of_edited)
    module.write_text("VALUE = 23\n")
    assert (first, answer(kept(), value_of_edited)) == (1, (23, number))


@pytest.mark.parametrize(
    ("change", "same"), [({"TF_ENABLE_ONEDNN_OPTS": "0"}, False), ({"SHLVL": "7", "SSH_TTY": "/dev/pts/9"}, True)]
)
def test_another_environment_wants_another_process(
    kept: Callable[..., WarmServer], place: Path, monkeypatch: pytest.MonkeyPatch, change: Mapping[str, str], same: bool
) -> None:
    number = pid(kept().socket)
    for name, value in change.items():
        monkeypatch.setenv(name, value)
    found = pid(kept().socket)
    assert (found == number) is same
    assert len(sockets(place)) == 1
    if not same:
        until(lambda: not alive(number))


def test_a_forked_process_has_the_environment_and_directory_of_whoever_asked(
    kept: Callable[..., WarmServer], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept()
    monkeypatch.setenv("SSH_TTY", "/dev/pts/11")
    monkeypatch.chdir(tmp_path)
    found, _ = answer(kept(), dict_of_environment)
    assert found == ("/dev/pts/11", str(tmp_path))


def dict_of_environment() -> tuple[str, str]:
    return os.environ["SSH_TTY"], str(Path.cwd())


def test_a_killed_process_is_replaced(kept: Callable[..., WarmServer], place: Path) -> None:
    number = pid(kept().socket)
    os.kill(number, signal.SIGKILL)
    until(lambda: not kept_process.answers(sockets(place)[0]))
    other = pid(kept().socket)
    assert other != number
    assert len(sockets(place)) == 1


def test_a_killed_owner_takes_nothing_with_it(kept: Callable[..., WarmServer], place: Path, tmp_path: Path) -> None:
    program = (
        "import os, signal, sys; from pathlib import Path; from pipelines.local.warm_server import WarmServer; "
        "WarmServer(Path(sys.argv[1]), ['colorsys'], Path(sys.argv[2])).start(); os.kill(os.getpid(), signal.SIGKILL)"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "log"), str(place)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    (address,) = sockets(place)
    assert pid(address) == pid(kept().socket)


def alive(number: int) -> bool:
    with suppress(ChildProcessError):
        os.waitpid(number, os.WNOHANG)
    return Path(f"/proc/{number}").exists()


def test_it_ends_when_it_is_idle_or_its_libraries_change(
    kept: Callable[..., WarmServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    libraries = tmp_path / "site-packages"
    libraries.mkdir()
    monkeypatch.setattr(kept_process, "libraries", lambda: [str(libraries)])
    changed = pid(kept(("colorsys", "wave")).socket)
    (libraries / "other-1.0.dist-info").mkdir()
    until(lambda: not alive(changed))
    monkeypatch.setattr(warm_server, "IDLE", 0.5)
    server = kept()
    idle = pid(server.socket)
    until(lambda: not alive(idle))
    assert not Path(server.socket).exists()


def test_a_directory_that_others_may_open_holds_none(kept: Callable[..., WarmServer], place: Path) -> None:
    place.mkdir(parents=True)
    place.chmod(0o755)
    server = kept()
    number = pid(server.socket)
    assert not sockets(place)
    server.stop()
    assert not alive(number)


def test_nobody_is_at_work_where_there_is_no_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wanted = {}
    for value in ("", "0", "1"):
        monkeypatch.setenv("SLUICE_WARM", value)
        wanted[value] = kept_at(tmp_path)
    assert wanted == {"": None, "0": None, "1": directory(tmp_path)}
    monkeypatch.setenv("SLUICE_WARM", "yes")
    with pytest.raises(InputError, match=r"SLUICE_WARM is 0 .* or 1 .* Received: 'yes'"):
        kept_at(tmp_path)


@pytest.mark.parametrize("name", ["", "CI", "INVOCATION_ID", "KUBERNETES_SERVICE_HOST"])
def test_a_terminal_counts_unless_a_machine_sits_at_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for other in (*warm_server.UNATTENDED, kept_process.VARIABLE):
        monkeypatch.delenv(other, raising=False)
    if name:
        monkeypatch.setenv(name, "1")
    ours, theirs = os.openpty()
    with os.fdopen(ours, "rb", 0), os.fdopen(theirs, "r") as terminal:
        monkeypatch.setattr(sys, "stdin", terminal)
        assert (kept_at(tmp_path) is None) is bool(name)


def test_what_is_behind_the_clean_door_was_forked_halfway_through_the_imports(
    kept: Callable[..., WarmServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_server, "ALONE", ("colorsys",))
    server = kept(("colorsys", "wave"))
    found = {}
    for door, address in (("warm", server.socket), ("clean", server.clean)):
        with warm_process.fork(address, said, imported) as answers:
            answers.recv()
            found[door] = {"colorsys", "wave"}.intersection(answers.recv())
    assert found == {"warm": {"colorsys", "wave"}, "clean": {"colorsys"}}
    os.kill(pid(server.clean), signal.SIGKILL)  # the other sees its child end, and goes on
    assert answer(server, os.getpid)[1] == pid(server.socket)


def test_a_process_of_a_run_of_its_own_ends_with_it_behind_both_doors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_server, "ALONE", ("colorsys",))
    server = WarmServer(tmp_path / "log", ("colorsys", "wave"))
    server.start_clean()
    server.start()
    numbers = [pid(server.socket), pid(server.clean)]
    server.stop()
    until(lambda: not any(map(alive, numbers)))


def test_stop_ends_them_and_doctor_shows_them(
    kept: Callable[..., WarmServer],
    place: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(warm_server, "ALONE", ("colorsys",))
    given = command_line.parser().parse_args(["stop", "--runs", str(tmp_path)])
    server = kept(("colorsys", "wave"))
    numbers = [pid(server.socket), pid(server.clean)]
    found = {finding.what: finding.found for finding in doctor._warm(tmp_path)}
    assert f"process {numbers[0]} holds " in found["warm"]
    assert f"process {numbers[1]} holds " in found["clean"]
    assert stop.main(given) == 0
    assert sorted(line.split()[1] for line in capsys.readouterr().out.splitlines()) == sorted(map(str, numbers))
    until(lambda: not any(map(alive, numbers)))
    assert not sockets(place)
    stop.main(given)
    assert capsys.readouterr().out.startswith("No process is kept for ")


def test_a_clean_process_runs_a_program_that_finds_nothing_of_ours(
    kept: Callable[..., WarmServer], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warm_server, "ALONE", ("colorsys",))
    program = tmp_path / "program.py"
    program.write_text(
        "import json, os, sys\n"
        "ours = [name for name in sys.modules if name.partition('.')[0] in ('components', 'pipelines', 'tasks')]\n"
        "json.dump([ours, sys.stdin.read(), sys.argv[1:], dict(os.environ)], sys.stderr)\n"
        "sys.exit(3)\n"
    )
    (tmp_path / "asked").write_text("a question")
    with (tmp_path / "asked").open() as asked, (tmp_path / "said").open("w") as answered:
        streams, command = [asked.fileno(), answered.fileno()], [str(program), "word"]
        server = kept(("colorsys", "wave"))
        with warm_process.program(server.clean, command, {"ONE": "1"}, str(tmp_path), streams) as told:
            told.recv()
            assert os.waitstatus_to_exitcode(told.recv()["status"]) == 3
    assert json.loads((tmp_path / "said").read_text()) == [[], "a question", ["word"], {"ONE": "1"}]


def test_a_second_run_is_forked_from_what_the_first_has_loaded(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    environment = {**os.environ, "SLUICE_WARM": "1", "PYTHONPATH": str(SUPPORT.parent)}
    command = [sys.executable, str(SUPPORT / "small_pipeline.py"), str(runs)]
    found = []
    try:
        for rounds in (1, 2):
            subprocess.run([*command, f"rounds={rounds}"], env=environment, check=True, timeout=60)
            found.append({Path(address).suffix: pid(address) for address in sockets(directory(runs))})
        assert found[0][".warm"] == found[1][".warm"]
    finally:
        stop.main(command_line.parser().parse_args(["stop", "--runs", str(runs)]))


def test_a_command_may_be_carried_out_where_the_libraries_are_loaded(
    kept: Callable[..., WarmServer], tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_WARM", "1")
    listing = command_line.parser().parse_args(["tasks"])
    wrong = command_line.parser().parse_args(["tasks", "--tasks", str(tmp_path / "nowhere")])

    def forked(given: argparse.Namespace, module: str = "tasks") -> int | None:
        with ForkedCommand(kept_process.address_of(tmp_path, FEW), [f"pipelines.commands.{module}"]) as command:
            return command.obey(given)

    assert forked(listing) is None
    pid(kept().socket)
    assert forked(listing) == 0
    assert "california_housing" in capfd.readouterr().out
    assert forked(wrong) == 2
    assert capfd.readouterr().err.startswith("sluice: ")
    assert forked(listing, "broken") is None  # so it is done here
    assert capfd.readouterr() == ("", "")
    monkeypatch.setenv("SLUICE_WARM", "0")
    assert forked(listing) is None


def test_a_command_that_is_not_given_after_all_ends_its_process_without_a_word(
    kept: Callable[..., WarmServer], tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    address = kept().socket
    pid(address)
    with ForkedCommand(address, ()):
        until(lambda: busy(address) == 1)
    until(lambda: busy(address) == 0)
    assert capfd.readouterr() == ("", "")


def busy(address: str) -> int:
    """How many processes forked from it are at work."""
    told = warm_process.asked(address, seconds=20)
    assert told is not None
    return int(told["busy"])
