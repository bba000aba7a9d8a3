"""A process that has imported libraries and waits, from which others are forked, and how to ask it for one.

As a program, python -P warm_process.py ORDERS, it imports none of our code. What is forked does, so an edit counts.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pickle
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

# Whoever asks has not the time to import much, so what only the process needs is imported in its functions.
FORK, PROGRAM, ASK, STOP = b"f", b"p", b"?", b"x"
# In the environment of a step: the socket of one that has imported TensorFlow alone.
CLEAN_PROCESS = "SLUICE_CLEAN_PROCESS"
# What libraries take along where they find it, and no step wants of them: half of Beam's import, for Google's cloud and
# MongoDB; a third of TensorFlow's, most of it for Keras' wrappers of models for scikit-learn.
CLOUDS = ("apitools", "bson", "google.auth", "google.cloud", "google.pubsub_v1", "pymongo")
LEFT_OUT = {
    "apache_beam": CLOUDS,
    "tensorflow": ("IPython", "googleapiclient", "scipy.sparse", "sklearn"),
    "tensorflow_transform": ("scipy",),
    "tensorflow_transform.beam": CLOUDS,
}
# Imported anew when scikit-learn is there.
WRAPPERS = (
    "keras.src.wrappers.fixes", "keras.src.wrappers.utils", "keras.src.wrappers.sklearn_wrapper", "keras.wrappers",
)  # fmt: skip
LONGEST_ADDRESS = 100
LOOKS_AROUND = 2.0
# Nobody has asked for so long: then nobody waits for what is imported later.
QUIET = 0.5
PATIENCE = 5.0


def request(path: str, word: bytes, descriptors: Sequence[int] = ()) -> Connection:
    """A connection to the process behind the socket; OSError where there is none."""
    with socket.socket(socket.AF_UNIX) as client, short(path) as address:
        client.connect(address)
        socket.send_fds(client, [word], list(descriptors))
        from multiprocessing.connection import Connection  # while the other is at work already

        return Connection(client.detach())


@contextmanager
def short(path: str) -> Iterator[str]:
    """The same socket by a name that is no longer than a socket's may be, where the system has one."""
    if len(os.fsencode(path)) <= LONGEST_ADDRESS:
        yield path
        return
    folder = os.open(Path(path).parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{Path(path).name}"
    finally:
        os.close(folder)


def fork(path: str, function: Callable[..., Any], *arguments: Any, descriptors: Sequence[int] = ()) -> Connection:
    """Have the function called in a new process with our environment, as function(*arguments, connection, descriptors).

    What comes back is its number, then what it sends itself, and in the end how it ended, as {"status": waitstatus}.
    """
    answers = request(path, FORK, descriptors)
    about = {"environment": dict(os.environ), "directory": str(Path.cwd()), "path": sys.path, "argv": sys.argv}
    answers.send_bytes(pickle.dumps((about, pickle.dumps((function, arguments)))))
    return answers


def program(
    path: str, argv: Sequence[str], environment: Mapping[str, str], directory: str, descriptors: Sequence[int]
) -> Connection:
    """Have the program argv[0] run in a new process that knows nothing else of ours; descriptors: stdin and stderr."""
    answers = request(path, PROGRAM, descriptors)
    about = {"environment": dict(environment), "directory": directory, "path": None, "argv": list(argv)}
    answers.send_bytes(pickle.dumps((about, b"")))
    return answers


def asked(path: str, word: bytes = ASK, seconds: float = 1.0) -> dict[str, Any] | None:
    """What the process says of itself, or nothing if it has no time yet."""
    with request(path, word) as answers:
        if not answers.poll(seconds):
            return None
        told: dict[str, Any] = answers.recv()
        return told


class Server:
    """Forks for whoever may open its socket, until it is idle, told to stop, or no longer of use."""

    def __init__(self, listener: socket.socket, owner: int | None, orders: Mapping[str, Any]) -> None:
        self.listener, self.owner, self.orders = listener, owner, orders
        self.later, self.asked = list(orders["later"]), time.monotonic()
        self.children: dict[int, Connection] = {}
        self.stopping, self.began, self.used = False, time.time(), time.monotonic()
        self.woken, self.wakes = os.pipe()
        for end in (self.woken, self.wakes):
            os.set_blocking(end, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(self.wakes, warn_on_full_buffer=False)

    def serve(self) -> None:
        import selectors

        with selectors.DefaultSelector() as selector:
            watched = [self.listener.fileno(), self.woken, *([] if self.owner is None else [self.owner])]
            for descriptor in watched:
                selector.register(descriptor, selectors.EVENT_READ)
            while not self.over():
                ready = [key.fd for key, _ in selector.select(self.patience())]
                if self.owner in ready:
                    return  # it has gone
                with suppress(BlockingIOError):
                    os.read(self.woken, 4096)
                self.reap()
                if self.listener.fileno() in ready:
                    self.accept()
                elif self.later and not ready:
                    load_all([self.later.pop(0)])

    def patience(self) -> float:
        return max(self.asked + QUIET - time.monotonic(), 0.0) if self.later else LOOKS_AROUND

    def over(self) -> bool:
        if self.children:
            self.used = time.monotonic()
            return False
        idle = time.monotonic() - self.used > self.orders["idle"]
        return self.stopping or idle or not self.found() or seen(self.orders["watched"]) != self.orders["watched"]

    def found(self) -> bool:
        """Whether the next command would find this process and no other."""
        with suppress(OSError):
            return Path(self.orders["socket"]).stat().st_ino == self.orders["inode"]
        return False

    def reap(self) -> None:
        """Tell whoever asked for a process that it has ended, and how."""
        while self.children:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if (answers := self.children.pop(pid, None)) is None:
                continue  # the one that was forked halfway
            with suppress(OSError):
                answers.send({"status": status})
            answers.close()

    def accept(self) -> None:
        client, _ = self.listener.accept()
        self.asked = time.monotonic()
        client.settimeout(PATIENCE)
        try:
            word, descriptors, _, _ = socket.recv_fds(client, 1, 8)
        except OSError:
            client.close()
            return
        client.settimeout(None)
        from multiprocessing.connection import Connection

        answers = Connection(client.detach())
        if word in (FORK, PROGRAM) and same_user(answers):
            self.fork(answers, descriptors)
        else:
            with suppress(OSError):
                answers.send(self.told())
            answers.close()
            self.stopping = self.stopping or word == STOP

    def told(self) -> dict[str, Any]:
        return {"pid": os.getpid(), "since": self.began, "busy": len(self.children)}

    def fork(self, answers: Connection, descriptors: list[int]) -> None:
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for descriptor in (self.woken, self.wakes, *([] if self.owner is None else [self.owner])):
                os.close(descriptor)
            self.listener.close()
            for other in self.children.values():
                other.close()
            become(answers, descriptors)
        self.children[pid] = answers
        for descriptor in descriptors:
            os.close(descriptor)


def become(answers: Connection, descriptors: list[int]) -> NoReturn:
    """A forked process: with the environment of whoever asked, it does what was asked."""
    import runpy
    import traceback

    status = 1
    try:
        answers.send(os.getpid())
        about, wanted = pickle.loads(answers.recv_bytes())
        os.environ.clear()
        os.environ.update(about["environment"])
        os.chdir(about["directory"])
        sys.argv[:] = about["argv"]
        if about["path"] is None:
            for stream, descriptor in zip((0, 2), descriptors, strict=True):
                os.dup2(descriptor, stream)
            runpy.run_path(sys.argv[0], run_name="__main__")
        else:
            sys.path[:] = about["path"]
            for path in sys.path:  # our own code, which may lie there only now
                sys.path_importer_cache.pop(path, None)
            function, arguments = pickle.loads(wanted)
            function(*arguments, answers, descriptors)
        status = 0
    except (EOFError, ConnectionError):
        pass  # whoever asked has gone
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def same_user(answers: Connection) -> bool:
    """The directory of the socket lets nobody else in; where the system tells who asks, that counts too."""
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    with socket.socket(fileno=os.dup(answers.fileno())) as client:
        credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    return bool(struct.unpack("3i", credentials)[1] == os.getuid())


def seen(paths: Mapping[str, int] | Sequence[str]) -> dict[str, int]:
    """When each of these was changed last; 0 if it is not there."""
    found = {}
    for path in paths:
        try:
            found[path] = Path(path).stat().st_mtime_ns
        except OSError:
            found[path] = 0
    return found


def main(words: str) -> None:
    orders = json.loads(words)
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # they are for the command in the terminal
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    doors = [(socket.socket(fileno=door["listener"]), door) for door in orders["doors"]]
    while doors:
        listener, door = doors.pop(0)
        load_all(door["modules"])
        if not doors or os.fork() == 0:
            for other, _ in doors:
                other.close()
            serve(listener, {**orders, **door})
            return
        listener.close()


def load_all(names: Sequence[str]) -> None:
    """Without Python's looking for garbage meanwhile, which takes a fifth of the time and finds next to nothing."""
    gc.disable()
    for name in names:
        with suppress(ImportError):  # whoever needs it will say so
            load(name)
    gc.enable()
    gc.freeze()  # nobody looks through all of this again, so forked processes share it


def load(name: str) -> None:
    """Import a library, without what it takes along for others."""
    with absent(LEFT_OUT.get(name, ())):
        importlib.import_module(name)
    if name.startswith("sklearn"):
        for other in WRAPPERS:
            if other in sys.modules:
                importlib.reload(sys.modules[other])


@contextmanager
def absent(names: Sequence[str]) -> Iterator[None]:
    """As if these libraries were not installed."""
    import logging

    modules: dict[str, Any] = sys.modules
    before = {other: modules.pop(other) for other in names if other in modules}
    modules.update(dict.fromkeys(names))
    level = logging.root.manager.disable
    try:
        if names:
            logging.disable(logging.WARNING)  # Beam warns of what it has not found
        yield
    finally:
        logging.disable(level)
        for other in names:
            del modules[other]
        modules.update(before)


def serve(listener: socket.socket, orders: Mapping[str, Any]) -> None:
    server = Server(listener, orders["owner"], orders)
    try:
        server.serve()
    finally:
        if server.found():
            Path(orders["socket"]).unlink()


if __name__ == "__main__":
    main(sys.argv[1])
