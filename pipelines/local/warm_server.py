"""The warm process: TensorFlow, tf.Transform and Beam imported already, so that heavy steps are forked from it.

It is a run's own and ends with it; or, where a person is at work, it is kept for the next command.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

from components import warm_process
from pipelines import kfp_import
from pipelines.local import kept_process
from pipelines.local.interrupts import held_back
from pipelines.local.kept_process import ALONE, CLEAN, LATER, PRELOAD, VARIABLE, WARM
from tasks import InputError

IDLE = 600.0
UNATTENDED = ("CI", "KUBERNETES_SERVICE_HOST", "INVOCATION_ID")


class WarmServer:
    """Started in the background, its words in a log. Without a place to be kept at, it ends with us.

    There are two doors to it: steps are forked behind `socket`; behind `clean`, programs that are to find TensorFlow
    and nothing else. Python starts once for both: halfway through its imports, the process is forked.
    """

    def __init__(self, log: Path, preload: Sequence[str] = PRELOAD, place: Path | None = None) -> None:
        self.log, self.preload, self.place = log, tuple(preload), place
        self.processes: list[subprocess.Popen[bytes]] = []
        self.addresses: dict[str, str] = {}
        self.folder, self.owner = "", (-1, -1)

    @property
    def socket(self) -> str:
        return self.addresses.get(WARM, "")

    @property
    def clean(self) -> str:
        return self.addresses.get(CLEAN, "")

    def start(self) -> None:
        """Find it or begin to import; returns at once."""
        halfway = {CLEAN: ALONE} if self.preload[: len(ALONE)] == ALONE else {}
        self._open({**halfway, WARM: self.preload})

    def start_clean(self) -> None:
        """The same where nothing but programs are to be started."""
        self._open({CLEAN: ALONE})

    def _open(self, doors: Mapping[str, Sequence[str]]) -> None:
        """These doors, in the order of their imports; those that nobody is behind get a new process."""
        doors = {name: modules for name, modules in doors.items() if name not in self.addresses}
        if not doors:
            return
        with held_back():
            if self.place is None or not kept_process.private(self.place):
                if not self.folder:
                    self.folder, self.owner = tempfile.mkdtemp(), os.pipe()
                self.addresses |= {name: f"{self.folder}/{name}" for name in doors}
                self._spawn(doors, self.log, self.owner[:1])
                return
            with (self.place / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)  # of two commands that begin together, one starts the process
                self.addresses |= {name: _fitting(self.place, name, modules) for name, modules in doors.items()}
                absent = {name: doors[name] for name in doors if not Path(self.addresses[name]).exists()}
                if absent:
                    self._spawn(absent, self.place / "log", ())

    def _spawn(self, doors: Mapping[str, Sequence[str]], log: Path, owner: Sequence[int]) -> None:
        with ExitStack() as open_files:
            words = open_files.enter_context(log.open("ab"))
            listeners = {name: open_files.enter_context(_listening(self.addresses[name])) for name in doors}
            orders = {
                "owner": next(iter(owner), None), "idle": IDLE, "watched": warm_process.seen(kept_process.libraries()),
                "doors": [
                    {
                        "modules": [module for module in modules if module not in LATER],
                        "later": [module for module in modules if module in LATER],
                        "listener": listeners[name].fileno(),
                        "socket": self.addresses[name], "inode": Path(self.addresses[name]).stat().st_ino,
                    }
                    for name, modules in doors.items()
                ],
            }  # fmt: skip
            process = subprocess.Popen(
                [sys.executable, "-P", warm_process.__file__, json.dumps(orders)],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd="/", start_new_session=True,
                pass_fds=[*owner, *(listener.fileno() for listener in listeners.values())],
                env={**os.environ, kfp_import.VARIABLE: "true"},
            )  # fmt: skip
        self.processes.append(process)

    def stop(self) -> None:
        """Ends our own; one that is kept stays."""
        for process in self.processes:
            if self.folder:
                os.killpg(process.pid, signal.SIGKILL)  # both who are behind a door; steps have groups of their own
                process.wait()
            else:
                process.returncode = 0  # it outlives us, which is no oversight
        if self.folder:
            for end in self.owner:
                os.close(end)
            shutil.rmtree(self.folder, ignore_errors=True)
        self.processes, self.addresses, self.folder, self.owner = [], {}, "", (-1, -1)


def _fitting(place: Path, name: str, modules: Sequence[str]) -> str:
    """The address of the kept process that fits us; others behind such a door are told to end."""
    wanted = f"{place}/{kept_process.identity(modules)}.{name}"
    for other in kept_process.sockets(place):
        if Path(other).suffix == f".{name}" and (other != wanted or not kept_process.answers(other)):
            kept_process.end(other)
    return wanted


@contextmanager
def _listening(address: str) -> Iterator[socket.socket]:
    """A socket that only its user may open."""
    before = os.umask(0o177)
    with socket.socket(socket.AF_UNIX) as listener:
        try:
            with warm_process.short(address) as name:
                listener.bind(name)
        finally:
            os.umask(before)
        listener.listen(64)
        yield listener


def kept_at(runs: Path) -> Path | None:
    """The directory, which only its user may open, of the warm processes kept for these runs; none if none is to be."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", "0", "1"}:
        raise InputError(
            f"{VARIABLE} is 0 for no warm process or 1 for one also without a terminal. Received: {wanted!r}."
        )
    attended = sys.stdin.isatty() and not any(os.environ.get(name) for name in UNATTENDED)
    return kept_process.directory(runs) if wanted == "1" or (attended and not wanted) else None
