"""The process that an earlier command has left loaded: what it has imported, where it is found, and whom it serves.

A command that looks for one has not the time to import much.
"""

from __future__ import annotations

import hashlib
import json
import os
import stat
import sys
import sysconfig
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from components import warm_process

# The doors of a process, and all that is behind the clean one: what a server of models has.
WARM, CLEAN = "warm", "clean"
ALONE = ("tensorflow",)
# Nobody needs these before the evaluation: they are imported, one by one, when nobody asks for a process.
LATER = ("scipy.optimize", "scipy.stats", "sklearn.utils", "sklearn.metrics")
PRELOAD = (
    "tensorflow", "keras", "tensorflow_transform", "tensorflow_transform.beam", "apache_beam", "pandas", "pyarrow",
    "pyarrow.parquet", "kfp.dsl.executor", "tensorboard.summary.v2", "pyarrow.dataset", "pyarrow.csv",
    "fsspec.implementations.local", "google_crc32c", *LATER,
)  # fmt: skip
VARIABLE = "SLUICE_WARM"
# One that is still loading does not answer within so many seconds.
PATIENCE = 0.2
# What differs from one terminal to the next and means nothing to a library.
OF_A_TERMINAL = ("_", "COLUMNS", "GPG_TTY", "LINES", "OLDPWD", "PS1", "PWD", "SHLVL", "STY", "WINDOWID", VARIABLE)
OF_TERMINALS = ("COLORTERM", "MAKE", "MFLAGS", "SSH_", "TERM", "TMUX", "VTE_", "XDG_SESSION")


def found(runs: Path, modules: Sequence[str]) -> str:
    """The socket of a kept process that is ready and fits us, for whoever would not start one; "" if there is none."""
    address = address_of(runs, modules)
    with suppress(EOFError, OSError):
        return address if address and warm_process.asked(address, seconds=PATIENCE) else ""
    return ""


def address_of(runs: Path, modules: Sequence[str] = PRELOAD) -> str:
    """Where one would be that fits us; "" if there is none of any kind."""
    place = directory(runs)
    if os.environ.get(VARIABLE) == "0" or not place.is_dir() or not private(place):
        return ""
    return f"{place}/{identity(modules)}.{WARM}"


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
    everything = [sys.executable, sys.version, list(modules), program, passing, warm_process.seen(libraries())]
    return hashlib.sha256(json.dumps(everything, sort_keys=True).encode()).hexdigest()[:16]


def libraries() -> list[str]:
    """Where pip leaves a trace of whatever it changes."""
    return [*{sysconfig.get_path("purelib"), sysconfig.get_path("platlib"), f"{sys.prefix}/pyvenv.cfg"}]


def memory(pid: int) -> str:
    """What it holds, in words: of what it has together with others, its share. "" where the system does not say."""
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


def answers(address: str) -> bool:
    """Whether somebody listens; it may have no time yet."""
    with suppress(OSError), warm_process.request(address, warm_process.ASK):
        return True
    return False
