"""The warm process: TensorFlow, tf.Transform and Beam imported already, so that heavy steps are forked from it.

It is a run's own and ends with it; or, where a person is at work, it is kept for the next command.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from components import warm_process
from pipelines import kfp_import
from pipelines.local.interrupts import held_back
from tasks import InputError

# The doors of a process, and all that is behind the clean one: what a server of models has.
WARM, CLEAN = "warm", "clean"
ALONE = ("tensorflow",)
# Nobody needs these before the evaluation: they are imported, one by one, while the others are in use.
LATER = ("scipy.optimize", "scipy.stats", "sklearn.utils", "sklearn.metrics")
PRELOAD = (
    "tensorflow", "keras", "tensorflow_transform", "tensorflow_transform.beam", "apache_beam", "pandas", "pyarrow",
    "pyarrow.parquet", "kfp.dsl.executor", "tensorboard.summary.v2", "pyarrow.dataset", "pyarrow.csv",
    "fsspec.implementations.local", "google_crc32c", *LATER,
)  # fmt: skip
IDLE = 600.0
VARIABLE = "SLUICE_WARM"
# What differs from one terminal to the next and means nothing to a library.
OF_A_TERMINAL = ("_", "COLUMNS", "GPG_TTY", "LINES", "OLDPWD", "PS1", "PWD", "SHLVL", "STY", "WINDOWID", VARIABLE)
OF_TERMINALS = ("COLORTERM", "MAKE", "MFLAGS", "SSH_", "TERM", "TMUX", "VTE_", "XDG_SESSION")
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
            if self.place is None or not private(self.place):
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
                "owner": next(iter(owner), None), "idle": IDLE, "watched": warm_process.seen(_libraries()),
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
    wanted = f"{place}/{identity(modules)}.{name}"
    for other in sockets(place):
        if Path(other).suffix == f".{name}" and (other != wanted or not _answers(other)):
            end(other)
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
    return directory(runs) if wanted == "1" or (attended and not wanted) else None


def found(runs: Path, modules: Sequence[str] = PRELOAD) -> str:
    """The socket of a kept process that is ready and fits us, for whoever would not start one; "" if there is none."""
    place = directory(runs)
    if os.environ.get(VARIABLE) == "0" or not place.is_dir() or not private(place):
        return ""
    address = f"{place}/{identity(modules)}.{WARM}"
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


def memory(pid: int) -> str:
    """What the process holds, in words: its share of what it has together with others. "" where the system is silent."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return ""
    found = {words[0]: int(words[1]) >> 10 for words in map(str.split, lines[1:])}
    if "Pss_File:" not in found:
        return f"{found.get('Pss:', 0):,} MiB"
    files = found["Pss_File:"]
    return f"{found['Pss:'] - files:,} MiB (and {files:,} MiB of libraries' files, which the system may drop)"


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
