"""Runs side by side, a process each: a run forks and heeds signals, for which it needs a main thread of its own."""

from __future__ import annotations

import multiprocessing
import signal
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from components.storage.atomic_files import read_json
from pipelines import compiled_graph
from pipelines.compiled_graph import Graph
from pipelines.local.interrupts import held_back
from pipelines.local.kept_process import PRELOAD
from pipelines.local.progress_display import Display
from pipelines.local.run import FAILED, PrunedError, Result, run
from pipelines.local.warm_server import WarmServer, kept_at

TICK, PATIENCE = 0.1, 15.0
# Written by the trainer after each epoch.
CURVES = "train/model/history.json"
PRUNE = "prune"
Curves = Mapping[str, Sequence[float | None]]


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """A run that somebody wants; see `run`."""

    arguments: Mapping[str, Any]
    until: str = ""
    noted: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Said:
    """What a run does now."""

    step: str
    words: str


class Workers:
    """Processes that take one run after another, each with TensorFlow loaded once. None of them outlives us."""

    def __init__(
        self,
        count: int,
        runs: Path,
        graph: Callable[[], Graph] = compiled_graph.training,
        preload: tuple[str, ...] = PRELOAD,
    ) -> None:
        self.count, self.given = count, (runs, graph, preload, kept_at(runs))
        self.workers: list[_Worker] = []

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *_: object) -> None:
        with held_back():
            for worker in self.workers:
                worker.connection.close()
            for worker in self.workers:
                worker.end()

    @property
    def idle(self) -> int:
        """How many more runs can begin now."""
        return self.count - sum(worker.wanted is not None for worker in self.workers)

    def begin(self, number: int, wanted: Wanted) -> None:
        """Have a run done; what comes of it is told by `news` under this number."""
        worker = next((worker for worker in self.workers if worker.wanted is None), None)
        if worker is None:
            worker = _Worker(*self.given)
            self.workers.append(worker)
        worker.begin(number, wanted)

    def prune(self, number: int) -> None:
        """End a run that has been seen enough of, if it is going on still."""
        for worker in self.workers:
            if worker.wanted is not None and worker.number == number:
                with suppress(OSError):
                    worker.connection.send(PRUNE)

    def news(self, seconds: float) -> Iterator[tuple[int, Said | Curves | Result]]:
        """Whatever runs have to tell, waiting so long for the first of it; a Result is the last of each."""
        busy: dict[Any, _Worker] = {worker.connection: worker for worker in self.workers if worker.wanted is not None}
        for connection in wait(list(busy), seconds):
            worker = busy[connection]
            told = worker.told()
            if isinstance(told, Exception):
                raise told
            if worker.gone:
                self.workers.remove(worker)
            yield worker.number, told

    def results(self, wanted: Sequence[Wanted]) -> Iterator[Result]:
        """All of these, in their order."""
        waiting, done = deque(enumerate(wanted)), dict[int, Result]()
        for number in range(len(wanted)):
            while number not in done:
                while waiting and self.idle:
                    self.begin(*waiting.popleft())
                done.update((other, told) for other, told in self.news(TICK) if isinstance(told, Result))
            yield done.pop(number)


class _Worker:
    """One of the processes, seen from ours."""

    def __init__(self, *given: Any) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs, tempfile.gettempdir(), *given))
        with held_back():  # until it is ready to ignore them, so that Ctrl-C finds it as we want it
            self.process.start()
        theirs.close()
        self.number, self.gone = 0, False
        self.wanted: Wanted | None = None

    def begin(self, number: int, wanted: Wanted) -> None:
        self.number, self.wanted = number, wanted
        with suppress(OSError):  # it is gone, which is told when we ask for news
            self.connection.send(wanted)

    def told(self) -> Said | Curves | Result | Exception:
        try:
            told: Said | Curves | Result | Exception = self.connection.recv()
        except (EOFError, OSError):
            told = self._died()
        if isinstance(told, Result):
            self.wanted = None
        return told

    def _died(self) -> Result:
        assert self.wanted is not None
        self.gone = True
        self.end()
        arguments = self.wanted.arguments
        facts = {"run": "", "steps": [], **{name: arguments.get(name, "") for name in ("task", "model", "data")}}
        killed = " Memory may have run out." if self.process.exitcode == -signal.SIGKILL else ""
        return Result(facts, FAILED, f"The run's process ended before the run did.{killed}")

    def end(self) -> None:
        """Without a connection it stops what it does, and ends by itself."""
        self.process.join(PATIENCE)
        if self.process.is_alive():
            self.process.kill()
            self.process.join()


def _work(
    asked: Connection,
    temporary: str,
    runs: Path,
    graph: Callable[[], Graph],
    preload: tuple[str, ...],
    kept: Path | None,
) -> None:
    """Ctrl-C is for whoever asks; when that process is gone, the connection tells."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    with tempfile.NamedTemporaryFile(dir=temporary) as log, suppress(EOFError, OSError):
        server = WarmServer(Path(log.name), preload, kept)
        try:
            while True:
                if (wanted := asked.recv()) != PRUNE:  # one that came too late
                    asked.send(_done(asked, wanted, runs, graph(), server))
        finally:
            server.stop()


def _done(asked: Connection, wanted: Wanted, runs: Path, graph: Graph, server: WarmServer) -> Result | Exception:
    try:
        return run(
            graph, wanted.arguments, runs, display=_Told(asked), server=server, until=wanted.until,
            watch=_Watch(asked), noted=wanted.noted,
        )  # fmt: skip
    except (ValueError, RuntimeError, OSError) as error:
        return error


class _Told(Display):
    """A run's progress, told to whoever asked for the run."""

    SECONDS = 0.5

    def __init__(self, asked: Connection) -> None:
        super().__init__(quiet=True)
        self.asked, self.told = asked, ("", "")

    def tick(self, words: str = "") -> None:
        self.words = words or self.tail.newest() or self.words
        if self.told != (self.step, self.words) and time.monotonic() - self.spoke >= self.SECONDS:
            self.spoke, self.told = time.monotonic(), (self.step, self.words)
            with suppress(OSError):  # nobody is there to listen, which the watch notices
                self.asked.send(Said(self.step, self.words))


class _Watch:
    """Tells of the curves as they grow, and ends the run when asked to."""

    def __init__(self, asked: Connection) -> None:
        self.asked, self.seen = asked, 0

    def __call__(self, run: Path) -> None:
        try:
            if self.asked.poll() and self.asked.recv() == PRUNE:
                raise PrunedError
            with suppress(FileNotFoundError):
                changed = (run / CURVES).stat().st_mtime_ns
                if changed != self.seen:
                    self.seen = changed
                    self.asked.send(dict(read_json(run / CURVES)))
        except (EOFError, BrokenPipeError, ConnectionResetError):
            raise KeyboardInterrupt from None
