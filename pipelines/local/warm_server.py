"""The warm process: TensorFlow, tf.Transform and Beam imported already, so that heavy steps are forked from it.

It is a run's own and ends with it; or, where a person is at work, it is kept for the next command.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from components import warm_process
from pipelines import kfp_import
from pipelines.local.interrupts import held_back
from tasks import InputError

# All that a clean process may have: what a server of models has.
CLEAN = ("tensorflow",)
PRELOAD = (
    "tensorflow", "keras", "tensorflow_transform", "tensorflow_transform.beam", "apache_beam", "pandas", "pyarrow",
    "pyarrow.parquet", "sklearn.metrics", "kfp.dsl.executor", "tensorboard.summary.v2",
    "pyarrow.dataset",
)  # fmt: skip
IDLE = 600.0
VARIABLE = "SLUICE_WARM"
# What differs from one terminal to the next and means nothing to a library.
OF_A_TERMINAL = ("_", "COLUMNS", "GPG_TTY", "LINES", "OLDPWD", "PS1", "PWD", "SHLVL", "STY", "WINDOWID", VARIABLE)
OF_TERMINALS = ("COLORTERM", "MAKE", "MFLAGS", "SSH_", "TERM", "TMUX", "VTE_", "XDG_SESSION")
UNATTENDED = ("CI", "KUBERNETES_SERVICE_HOST", "INVOCATION_ID")


class WarmServer:
    """Started in the background, its words in a log. Without a place to be kept at, it ends with us."""

    def __init__(
        self, log: Path, preload: Sequence[str] = PRELOAD, place: Path | None = None, *, clean: bool = False
    ) -> None:
        self.log, self.preload, self.place, self.clean = log, list(preload), place, clean
        self.process: subprocess.Popen[bytes] | None = None
        self.folder, self.owner, self.socket = "", -1, ""

    def start(self) -> None:
        """Find it or begin to import; returns at once."""
        if not self.socket:
            with held_back():
                self._start()

    def _start(self) -> None:
        if self.place is None or not private(self.place):
            self.folder = tempfile.mkdtemp()
            self.socket, (ours, self.owner) = f"{self.folder}/warm", os.pipe()
            self._spawn(self.log, ours)
            os.close(ours)
            return
        wanted = f"{self.place}/{identity(self.preload)}.{'clean' if self.clean else 'warm'}"
        with (self.place / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # of two commands that begin together, one starts the process
            for other in sockets(self.place):
                if Path(other).suffix == Path(wanted).suffix and (other != wanted or not _answers(other)):
                    end(other)
            self.socket = wanted
            if not Path(wanted).exists():
                self._spawn(self.place / "log", None)

    def _spawn(self, log: Path, owner: int | None) -> None:
        before = os.umask(0o177)
        with socket.socket(socket.AF_UNIX) as listener, log.open("ab") as words:
            try:
                with warm_process.short(self.socket) as address:
                    listener.bind(address)
            finally:
                os.umask(before)
            listener.listen(64)
            orders = {
                "listener": listener.fileno(), "owner": owner, "modules": self.preload, "idle": IDLE,
                "socket": self.socket, "inode": Path(self.socket).stat().st_ino,
                "watched": warm_process.seen(_libraries()),
            }  # fmt: skip
            self.process = subprocess.Popen(
                [sys.executable, "-I" if self.clean else "-P", warm_process.__file__, json.dumps(orders)],
                stdin=subprocess.DEVNULL, stdout=words, stderr=words, cwd="/", start_new_session=True,
                pass_fds=[listener.fileno(), *([] if owner is None else [owner])],
                env={**os.environ, kfp_import.VARIABLE: "true"},
            )  # fmt: skip

    def stop(self) -> None:
        """Ends our own; one that is kept stays."""
        if self.owner >= 0:
            assert self.process is not None
            self.process.kill()
            self.process.wait()
            os.close(self.owner)
            shutil.rmtree(self.folder, ignore_errors=True)
        elif self.process is not None:
            self.process.returncode = 0  # it outlives us, which is no oversight
        self.owner, self.socket, self.process = -1, "", None


def kept_at(runs: Path) -> Path | None:
    """The directory, which only its user may open, of the warm processes kept for these runs; none if none is to be."""
    wanted = os.environ.get(VARIABLE, "")
    if wanted not in {"", "0", "1"}:
        raise InputError(
            f"{VARIABLE} is 0 for no warm process or 1 for one also without a terminal. Received: {wanted!r}."
        )
    attended = sys.stdin.isatty() and not any(os.environ.get(name) for name in UNATTENDED)
    return directory(runs) if wanted == "1" or (attended and not wanted) else None


def found(runs: Path, modules: Sequence[str] = PRELOAD) -> str:
    """The socket of a kept process that is ready and fits us, for whoever would not start one; "" if there is none."""
    place = directory(runs)
    if os.environ.get(VARIABLE) == "0" or not place.is_dir() or not private(place):
        return ""
    address = f"{place}/{identity(modules)}.warm"
    with suppress(EOFError, OSError):
        return address if warm_process.asked(address, seconds=0.2) else ""
    return ""


def private(place: Path) -> bool:
    """Whether the directory, made if it is not there, is for its user alone; and its name no longer than can be."""
    place.mkdir(parents=True, exist_ok=True, mode=0o700)
    about = place.lstat()
    ours = stat.S_ISDIR(about.st_mode) and about.st_uid == os.getuid() and not about.st_mode & 0o077
    fits = len(os.fsencode(place)) + len("/0123456789abcdef.clean") <= warm_process.LONGEST_ADDRESS
    return ours and (fits or Path("/proc/self/fd").is_dir())


def directory(runs: Path) -> Path:
    """A user's, and a virtual environment's: another checkout's processes are not ours."""
    checkout = hashlib.sha256(sys.prefix.encode()).hexdigest()[:8]
    return runs.absolute() / ".cache" / f"warm-{os.getuid()}-{checkout}"


def identity(modules: Sequence[str]) -> str:
    """What must be the same for one process to serve two commands: interpreter, libraries, environment, program."""
    passing = {
        name: value
        for name, value in os.environ.items()
        if name not in OF_A_TERMINAL and not name.startswith(OF_TERMINALS)
    }
    program = Path(warm_process.__file__).read_text()
    everything = [sys.executable, sys.version, list(modules), program, passing, warm_process.seen(_libraries())]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def _libraries() -> list[str]:
    """Where pip leaves a trace of whatever it changes."""
    return [*{sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), f"{sys.prefix}/pyvenv.cfg"}]


def sockets(place: Path) -> list[str]:
    return [str(path) for path in sorted(place.glob("*")) if path.is_socket()]


def end(address: str) -> None:
    """Tell the process behind the socket to end once nobody uses it; one that is dead has left just its socket."""
    with suppress(OSError):
        warm_process.request(address, warm_process.STOP).close()
    with suppress(FileNotFoundError):
        Path(address).unlink()


def _answers(address: str) -> bool:
    """Whether somebody listens; it may have no time yet."""
    with suppress(OSError), warm_process.request(address, warm_process.ASK):
        return True
    return False
