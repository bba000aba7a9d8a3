"""A real Flink on the loopback: JobManager, TaskManagers, Beam's job server and its pool of Python workers."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

PATIENCE = 120
# Flink and Beam reach into Java's own classes, which Java 17 keeps closed.
OPENED = ("lang", "util", "util.concurrent", "nio", "net", "io", "time")
OPENS = [f"--add-opens=java.base/java.{package}=ALL-UNNAMED" for package in OPENED]
FLINK = "org.apache.flink.runtime"
JOB_MANAGER = {
    "jobmanager.rpc.address": "127.0.0.1",
    "jobmanager.memory.process.size": "1024m",
    "rest.address": "127.0.0.1",
    "rest.bind-address": "127.0.0.1",
    "restart-strategy.type": "fixed-delay",
    "restart-strategy.fixed-delay.attempts": "5",
    "restart-strategy.fixed-delay.delay": "2 s",
    # A TaskManager that was killed is missed soon, not after a minute.
    "heartbeat.interval": "1000",
    "heartbeat.timeout": "8000",
    "parallelism.default": "2",
}
TASK_MANAGER = {
    "taskmanager.host": "127.0.0.1",
    "taskmanager.numberOfTaskSlots": "2",
    "taskmanager.cpu.cores": "1",
    "taskmanager.memory.task.heap.size": "512m",
    "taskmanager.memory.framework.heap.size": "128m",
    "taskmanager.memory.framework.off-heap.size": "128m",
    "taskmanager.memory.task.off-heap.size": "0m",
    "taskmanager.memory.managed.size": "128m",
    # 64 MB are too little for tf.Transform's graph of many small stages.
    "taskmanager.memory.network.min": "256m",
    "taskmanager.memory.network.max": "256m",
    "taskmanager.memory.jvm-metaspace.size": "256m",
    "taskmanager.memory.jvm-overhead.min": "192m",
    "taskmanager.memory.jvm-overhead.max": "192m",
}


@dataclass
class Cluster:
    """What runs, by its name, and how Sluice reaches it."""

    root: Path
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)
    ports: dict[str, int] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """For `sluice run --flink`."""
        return ",".join(f"127.0.0.1:{self.ports[name]}" for name in ("job", "pool") if name in self.ports)

    def start(self, name: str, command: list[str], **environment: str) -> None:
        log = (self.root / f"{name}.log").open("wb")
        self.processes[name] = subprocess.Popen(
            command, stdout=log, stderr=subprocess.STDOUT, env={**os.environ, **environment}, start_new_session=True
        )

    def kill(self, name: str) -> None:
        """As a machine that is gone: no good-bye."""
        os.killpg(self.processes.pop(name).pid, signal.SIGKILL)

    def end(self) -> None:
        for process in self.processes.values():
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def java(jars: list[Path], main: str, heap: str, *words: str) -> list[str]:
    return ["java", f"-Xmx{heap}", *OPENS, "-cp", os.pathsep.join(map(str, jars)), main, *words]


@contextmanager
def cluster(home: Path, scratch: Path, task_managers: int = 2) -> Iterator[Cluster]:
    """JobManager, TaskManagers, job server and workers, until the end of the block."""
    made = Cluster(scratch)
    flink = sorted(path for path in (home / "flink" / "lib").glob("*.jar") if "planner" not in path.name)
    try:
        made.ports = {name: _free() for name in ("rpc", "rest", "job", "pool")}
        conf = scratch / "conf"
        conf.mkdir(parents=True)
        settings = {**JOB_MANAGER, **TASK_MANAGER, "io.tmp.dirs": str(scratch), "blob.storage.directory": str(scratch)}
        settings |= {"jobmanager.rpc.port": str(made.ports["rpc"]), "rest.port": str(made.ports["rest"])}
        settings |= {"rest.bind-port": str(made.ports["rest"])}
        (conf / "config.yaml").write_text("".join(f"{name}: {value}\n" for name, value in settings.items()))
        main = f"{FLINK}.entrypoint.StandaloneSessionClusterEntrypoint"
        made.start("jobmanager", java(flink, main, "512m", "--configDir", str(conf)))
        _answers(made, "jobmanager", "rest")
        for number in range(1, task_managers + 1):
            add_task_manager(made, flink, f"taskmanager-{number}")
        bin_ = Path(sys.executable).parent
        pool = [sys.executable, "-m", "apache_beam.runners.worker.worker_pool_main"]
        # The pool starts its workers as `python`.
        path = f"{bin_}{os.pathsep}{os.environ['PATH']}"
        made.start("pool", [*pool, f"--service_port={made.ports['pool']}"], PATH=path)
        _start_job_server(made, home, f"127.0.0.1:{made.ports['rest']}")
        _answers(made, "pool", "pool")
        _answers(made, "job-server", "job")
        yield made
    finally:
        made.end()


@contextmanager
def mini_cluster(home: Path, scratch: Path) -> Iterator[Cluster]:
    """Flink within the job server's own process; whoever asks it is its worker."""
    made = Cluster(scratch, ports={"job": _free()})
    conf = scratch / "conf"
    conf.mkdir(parents=True)
    network = {name: value for name, value in TASK_MANAGER.items() if ".network." in name}
    (conf / "config.yaml").write_text("".join(f"{name}: {value}\n" for name, value in network.items()))
    try:
        _start_job_server(made, home, "[local]", f"--flink-conf-dir={conf}")
        _answers(made, "job-server", "job")
        yield made
    finally:
        made.end()


def add_task_manager(made: Cluster, flink: list[Path], name: str) -> None:
    words = ("--configDir", str(made.root / "conf"), "-D", f"taskmanager.resource-id={name}")
    made.start(name, java(flink, f"{FLINK}.taskexecutor.TaskManagerRunner", "768m", *words))


def _start_job_server(made: Cluster, home: Path, master: str, *words: str) -> None:
    jars = sorted((home / "job-server").glob("*.jar"))
    options = [
        f"--flink-master={master}",
        "--job-host=127.0.0.1",
        f"--job-port={made.ports['job']}",
        "--artifact-port=0",
        "--expansion-port=0",
        f"--artifacts-dir={made.root / 'artifacts'}",
        *words,
    ]
    made.start("job-server", java(jars, "org.apache.beam.runners.flink.FlinkJobServerDriver", "1024m", *options))


def _free() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def _answers(made: Cluster, name: str, port: str) -> None:
    """Wait until something listens there."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        if made.processes[name].poll() is not None:
            break
        with socket.socket() as asking:
            if asking.connect_ex(("127.0.0.1", made.ports[port])) == 0:
                return
        time.sleep(0.3)
    said = (made.root / f"{name}.log").read_text(errors="replace")[-2000:]
    raise RuntimeError(f"{name} did not come up. It said: {said}")
