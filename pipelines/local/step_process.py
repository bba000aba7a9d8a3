"""One step in one process: forked, given its function from the graph, its words to a log, its end reported."""

from __future__ import annotations

import errno
import importlib
import multiprocessing
import os
import resource
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, NoReturn

from components import code
from pipelines import kfp_import, lazy_imports
from pipelines.local.cache import Lock
from pipelines.local.interrupts import held_back
from pipelines.local.warm_server import WarmServer
from tasks import InputError, _mistakes

PATIENCE = 5.0


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


@dataclass(frozen=True, kw_only=True)
class Failure:
    """How a step ended that did not end well."""

    message: str
    wrong_input: bool = False


class Worker:
    """The process of one step, seen from the command line's process."""

    def __init__(self, job: Job, lock: Lock | None, server: WarmServer | None) -> None:
        self.job, self.lock, self.server = job, lock, server
        self.results, self.child_end = multiprocessing.Pipe(duplex=False)
        kind = multiprocessing.get_context("forkserver") if server else multiprocessing.get_context("fork")
        self.process: BaseProcess = kind.Process(target=_work, args=(job, self.child_end, lock))
        self.starting: threading.Thread | None = None

    def start(self) -> None:
        """A heavy step starts as soon as the server has imported TensorFlow: nobody waits for that here."""
        if self.server is None:
            with held_back():  # what is raised while Python forks is lost
                self._start()
        else:
            self.server.start()
            self.starting = threading.Thread(target=self._start, daemon=True)
            self.starting.start()

    def _start(self) -> None:
        try:
            with _main_module_hidden():
                self.process.start()
        except (EOFError, OSError):
            pass  # the server was killed; `outcome` sees that there is no process
        finally:
            self.child_end.close()

    def outcome(self, seconds: float) -> Failure | bool | None:
        """Wait for a while: False while the step goes on, None if it is done, else how it failed."""
        if self.starting is not None:
            self.starting.join(seconds)
            if self.starting.is_alive():
                return False
            self.starting = None
        if self.process.pid is None:
            return Failure(message="Its process could not be started; logs/warm.log may say why.")
        if not wait([self.results, self.process.sentinel], seconds):
            return False
        try:
            failure: Failure | None = self.results.recv()
        except (EOFError, OSError):
            self.process.join()
            return Failure(message=_death(self.process.exitcode))
        self.process.join()
        return failure

    def stop(self) -> None:
        """End the worker and all it has started: politely, and after a while not."""
        if self.starting is not None:
            assert self.server is not None
            self.server.stop()
            self.starting.join()
        if self.process.pid is not None:
            self._signal(signal.SIGTERM)
            self.process.join(PATIENCE)
            self._signal(signal.SIGKILL)
            self.process.join()
        self.results.close()

    def _signal(self, number: int) -> None:
        assert self.process.pid is not None
        try:
            os.killpg(self.process.pid, number)
        except (ProcessLookupError, PermissionError):  # nobody is left in its group, or it has not made it yet
            if self.process.is_alive():
                os.kill(self.process.pid, number)


@contextmanager
def _main_module_hidden() -> Iterator[None]:
    """The fork server would have each worker import the program's main module, which is none of its business."""
    main = sys.modules["__main__"]
    names: dict[str, Any] = {
        name: main.__dict__.pop(name) for name in ("__spec__", "__file__") if name in main.__dict__
    }
    main.__spec__ = None
    try:
        yield
    finally:
        main.__dict__.update(names)


def _death(code: int | None) -> str:
    if code is not None and code < 0:
        hint = " Memory may have run out." if -code == signal.SIGKILL else ""
        return f"Its process was killed by {signal.Signals(-code).name}.{hint}"
    return f"Its process ended with status {code} before the step was done."


def _work(job: Job, results: Connection, lock: Lock | None) -> NoReturn:
    """The worker's whole life. It ends without Python's own leave-taking, which would wait for foreign threads."""
    os.setsid()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the command line's process, which tells us
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("terminated"))
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    threading.Thread(target=_die_with_parent, daemon=True).start()
    _redirect(job.log)
    job.scratch.mkdir(exist_ok=True)
    os.environ.update(TMPDIR=str(job.scratch), **{kfp_import.VARIABLE: "true"})
    tempfile.tempdir = None
    failure = None
    try:
        for name in job.needs:
            lazy_imports.load(name)
        _execute(job)
    except BaseException as error:
        traceback.print_exc()
        failure = _failure(error)
    print(f"peak memory: {_peak_mib():,} MiB")
    sys.stdout.flush()
    sys.stderr.flush()
    results.send(failure)
    os._exit(0)


def _peak_mib() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (1 << 20 if sys.platform == "darwin" else 1 << 10)


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
    sys.stdout = open(1, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", buffering=1, encoding="utf-8", errors="backslashreplace", closefd=False)  # noqa: SIM115


def _die_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os.killpg(0, signal.SIGKILL)


def _failure(error: BaseException) -> Failure:
    if is_full_disk(error):
        return Failure(message="There is no space left on the disk. Free some, then give the same command again.")
    if told := _mistakes.sentence(error):
        return Failure(message=told[:4000], wrong_input=isinstance(error, InputError))
    text = str(error).strip()
    # Sentences of ours, and lists of them, are whole; a library's text may go on for pages, which are in the log.
    if type(error) not in {InputError, ValueError, RuntimeError}:
        first = text.splitlines()[0][:500] if text else ""
        text = first if isinstance(error, OSError) and first else f"{type(error).__name__}: {first}"
    return Failure(message=text[:4000], wrong_input=isinstance(error, InputError))


def is_full_disk(error: BaseException) -> bool:
    return getattr(error, "errno", None) in {errno.ENOSPC, errno.EDQUOT} or os.strerror(errno.ENOSPC) in str(error)


def elapsed(since: float) -> float:
    return round(time.monotonic() - since, 3)
