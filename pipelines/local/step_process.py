"""One step in one process: forked, given its function from the graph, its words to a log, its end reported."""

from __future__ import annotations

import errno
import importlib
import io
import multiprocessing
import os
import resource
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from components import code, warm_process
from pipelines import kfp_import, lazy_imports, missing_library
from pipelines.compiled_graph import Step
from pipelines.local.cache_keys import Ingredients
from pipelines.local.interrupts import held_back
from pipelines.local.warm_server import WarmServer
from tasks import InputError, _mistakes

PATIENCE = 5.0
# A disk with less room than this is full.
FREE = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Job:
    """What a worker is to do."""

    function: str
    source: str
    executor_input: dict[str, Any]
    log: Path
    scratch: Path
    modules: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
    needs: tuple[str, ...] = field(default=(), repr=False)
    clean_process: str = ""


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a step ended that did not end well."""

    message: str
    wrong_input: bool = False


class Worker:
    """The process of one step, seen from the command line's process: forked from it, or from the warm one."""

    def __init__(self, job: Job, lock: int | None, server: WarmServer | None) -> None:
        self.job, self.lock, self.server = job, lock, server
        self.pid: int | None = None
        self.process: BaseProcess | None = None
        self.answers: Connection | None = None
        self.starting: threading.Thread | None = None

    def start(self) -> None:
        """A heavy step starts as soon as the warm process has imported TensorFlow: nobody waits for that here."""
        if self.server is None:
            kfp_import.import_without_client()  # once for all steps that are forked from here
            importlib.import_module("kfp.dsl.executor")
            self.answers, child_end = multiprocessing.Pipe(duplex=False)
            fork = multiprocessing.get_context("fork")
            self.process = fork.Process(target=_work, args=(self.job, child_end))  # with the lock open
            with held_back():  # what is raised while Python forks is lost
                self.process.start()
            self.pid = self.process.pid
            child_end.close()
            return
        self.server.start()
        descriptors = [] if self.lock is None else [self.lock]
        try:
            self.answers = warm_process.fork(self.server.socket, _work_warm, self.job, descriptors=descriptors)
        except OSError:
            return  # it was killed; `outcome` sees that there is no process
        self.starting = threading.Thread(target=self._started, daemon=True)
        self.starting.start()

    def _started(self) -> None:
        assert self.answers is not None
        with suppress(EOFError, OSError):
            self.pid = self.answers.recv()

    def outcome(self, seconds: float) -> Failure | bool | None:
        """Wait for a while: False while the step goes on, None if it is done, else how it failed."""
        if self.starting is not None:
            self.starting.join(seconds)
            if self.starting.is_alive():
                return False
            self.starting = None
        if self.pid is None or self.answers is None:
            return Failure(message="Its process could not be started; logs/warm.log may say why.")
        if not wait([self.answers], seconds):
            return False
        try:
            failure: Failure | dict[str, int] | None = self.answers.recv()
        except (EOFError, OSError):
            failure = {}
        if isinstance(failure, dict):  # it has ended without a word
            return Failure(message=_death(self._ended(failure)))
        self._ended()
        return failure

    def _ended(self, told: Mapping[str, int] | None = None) -> int | None:
        """Wait for its end; the exit code where that is known."""
        assert self.answers is not None
        if self.process is not None:
            self.process.join()
            return self.process.exitcode
        with suppress(EOFError, OSError):
            while told is None:
                told = self.answers.recv()
        return os.waitstatus_to_exitcode(told["status"]) if told else None

    def stop(self) -> None:
        """End the worker and all it has started: politely, and after a while not."""
        if self.starting is not None:
            assert self.answers is not None
            with socket.socket(fileno=os.dup(self.answers.fileno())) as connection:
                connection.shutdown(socket.SHUT_RDWR)  # what is forked for us finds nobody, and ends
            self.starting.join()
        if self.pid is not None:
            self._signal(signal.SIGTERM)
            self._wait(PATIENCE)
            self._signal(signal.SIGKILL)
            self._wait(PATIENCE)
        if self.answers is not None:
            self.answers.close()

    def _wait(self, seconds: float) -> None:
        if self.process is not None:
            self.process.join(seconds)
            return
        assert self.answers is not None
        end = time.monotonic() + seconds
        with suppress(EOFError, OSError):
            while self.answers.poll(max(end - time.monotonic(), 0)):
                self.answers.recv()

    def _signal(self, number: int) -> None:
        assert self.pid is not None
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # nobody is left in its group, or it has not made it yet
            if self.process is not None and self.process.is_alive():
                os.kill(self.pid, number)


@dataclass
class Going:
    """A step at work in its process."""

    step: Step
    log: Path
    worker: Worker
    began: float
    made_of: Ingredients | None = None
    why: str = ""
    words: str = ""
    outcome: Failure | bool | None = False
    seconds: float = 0.0

    def over(self, wait: float) -> bool:
        """Whether it has ended, or ends within so many seconds."""
        if self.outcome is False:
            self.outcome, self.seconds = self.worker.outcome(wait), elapsed(self.began)
        return self.outcome is not False


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        hint = " Memory may have run out." if -code == signal.SIGKILL else ""
        return f"Its process was killed by {signal.Signals(-code).name}.{hint}"
    return f"Its process ended with status {code} before the step was done."


def _work_warm(job: Job, results: Connection, descriptors: list[int]) -> NoReturn:
    """In a process forked from the warm one; it holds the lock's descriptor as long as it lives."""
    _work(job, results, results)


def _work(job: Job, results: Connection, parent: Connection | None = None) -> NoReturn:
    """The worker's whole life. It ends without Python's own leave-taking, which would wait for foreign threads."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command line's process, which tells us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    threading.Thread(target=_die_with_parent, args=[parent], daemon=True).start()
    _redirect(job.log)
    job.scratch.mkdir(exist_ok=True)
    os.environ.update({"TMPDIR": str(job.scratch), kfp_import.VARIABLE: "true"})
    os.environ[warm_process.CLEAN_PROCESS] = job.clean_process
    tempfile.tempdir = None
    failure = None
    try:
        with lazy_imports.no_garbage_collection():
            for name in job.needs:
                lazy_imports.load(name) if name in lazy_imports.HEAVY else warm_process.load(name)
        _execute(job)
    except BaseException as error:
        traceback.print_exc()
        failure = _failure(error)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> (20 if sys.platform == "darwin" else 10)
    print(f"peak memory: {peak:,} MiB")
    sys.stdout.flush()
    sys.stderr.flush()
    results.send(failure)
    os._exit(0)


def _execute(job: Job) -> None:
    from kfp.dsl.executor import Executor

    namespace: dict[str, Any] = {"__name__": f"step_{job.function}"}
    # Not with our own `from __future__ import annotations`: KFP reads the annotations as types.
    exec(compile(job.source, f"<{job.function} in pipeline.yaml>", "exec", dont_inherit=True), namespace)
    for name in job.modules:
        importlib.import_module(name)
    _demand_unaltered(job.sources)
    before = set(sys.modules)
    Executor(executor_input=job.executor_input, function_to_execute=namespace[job.function]).execute()
    late = {getattr(module, "__file__", None) for name, module in [*sys.modules.items()] if name not in before}
    _demand_unaltered({path: sha256 for path, sha256 in job.sources.items() if str(code.place(path)) in late})


def _demand_unaltered(sources: Mapping[str, str]) -> None:
    """What this process has imported is what the step's key says."""
    if altered := code.altered(sources):
        raise RuntimeError(
            f"{' and '.join(altered)} changed while the run went on, and a run is of one code. Give the same command "
            "again. (What was done before the change is kept, and is used if the change is undone.)"
        )


def _redirect(log: Path) -> None:
    """Both streams to the log, also of libraries that write to the descriptors themselves."""
    descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    for stream in (1, 2):
        os.dup2(descriptor, stream)
    os.close(descriptor)
    sys.stdout, sys.stderr = (
        io.TextIOWrapper(os.fdopen(stream, "wb", closefd=False), "utf-8", "backslashreplace", line_buffering=True)
        for stream in (1, 2)
    )


def _die_with_parent(parent: Connection | None) -> None:
    """A forked worker knows its parent; another's connection ends with whoever asked for it."""
    if parent is None:
        ours = multiprocessing.parent_process()
        assert ours is not None
        wait([ours.sentinel])
    else:
        wait([parent])
    os.killpg(0, signal.SIGKILL)


def _failure(error: BaseException) -> Failure:
    if is_full_disk(error):
        return Failure(message="There is no space left on the disk. Free some, then give the same command again.")
    if told := _mistakes.sentence(error):
        return Failure(message=told[:4000], wrong_input=isinstance(error, InputError))
    if missing := missing_library.sentence(error):
        return Failure(message=missing)
    text = str(error).strip()
    # Sentences of ours, and lists of them, are whole; a library's text may go on for pages, which are in the log.
    if type(error) not in {InputError, ValueError, RuntimeError} or not text:
        first = text.splitlines()[0][:500] if text else ""
        text = first if isinstance(error, OSError) and first else f"{type(error).__name__}: {first}"
    return Failure(message=text[:4000], wrong_input=isinstance(error, InputError))


def is_full_disk(error: BaseException) -> bool:
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or os.strerror(errno.ENOSPC) in str(error)


def full_place(error: OSError, runs: Path) -> Path:
    """Which place had no room: the file's, or else that of the runs and of temporary files which has none."""
    if error.filename:
        return Path(os.fsdecode(error.filename)).parent
    places = [runs, Path(tempfile.gettempdir())]
    return next((place for place in places if shutil.disk_usage(place).free < FREE), runs)


def elapsed(since: float) -> float:
    return round(time.monotonic() - since, 3)
