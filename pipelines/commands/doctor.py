"""`sluice doctor`."""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path

import tasks
from components import warm_process
from pipelines.commands import run_summary
from pipelines.local import kept_process
from tasks import InputError

DISTRIBUTION = "sluice-pipelines"
LITTLE_SPACE = 2 * 1024**3
TENSORFLOW = "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))"


@dataclass(frozen=True)
class Finding:
    """One thing looked at; `advice` says what to do if something is wrong with it."""

    what: str
    state: str
    found: str
    advice: str = ""


def main(given: argparse.Namespace) -> int:
    findings = _kubeflow(given) if given.host or given.profile else _machine(given)
    print(run_summary.table([(each.state, each.what, each.found) for each in findings]))
    for each in findings:
        if each.advice:
            print(f"{each.what}: {each.advice}")
    return 1 if any(each.state == "bad" for each in findings) else 0


def _kubeflow(given: argparse.Namespace) -> list[Finding]:
    from pipelines.kubeflow import check_backend, run_parameters

    chosen = run_parameters.profile_of(given)
    found = [Finding(*each) for each in check_backend.checks(chosen, token_file=given.token_file)]
    return [*found, *_serving(chosen.destination)] if "://" in chosen.destination else found


def _machine(given: argparse.Namespace) -> list[Finding]:
    return [
        _python(),
        *_libraries(),
        _tensorflow(),
        _beam(),
        *_directory("runs", Path(given.runs_dir)),
        *_warm(Path(given.runs_dir)),
        *_serving(given.serving_dir),
    ]


def _python() -> Finding:
    version = ".".join(map(str, sys.version_info[:3]))
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return Finding("python", "ok", version)
    return Finding("python", "bad", version, "Use Python 3.11, 3.12 or 3.13: TensorFlow Transform has no others.")


def _libraries() -> Iterator[Finding]:
    from packaging.requirements import Requirement

    try:
        required = metadata.requires(DISTRIBUTION) or []
    except metadata.PackageNotFoundError:
        yield Finding("libraries", "bad", f"{DISTRIBUTION} is not installed", "Install it: make install.")
        return
    wrong, needed = [], [Requirement(line) for line in required]
    needed = [each for each in needed if each.marker is None or each.marker.evaluate({"extra": ""})]
    for requirement in needed:
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = "none"
        if version == "none" or version not in requirement.specifier:
            wrong.append(f"{requirement.name} {version} (expected {requirement.specifier or 'any'})")
    if wrong:
        yield Finding("libraries", "bad", ", ".join(wrong), "Install the pinned versions: make install.")
    else:
        yield Finding("libraries", "ok", f"{len(needed)} at the expected versions")


def _tensorflow() -> Finding:
    """In a process of its own, which may crash on a processor or a driver that does not fit."""
    answer = subprocess.run([sys.executable, "-c", TENSORFLOW], capture_output=True, text=True, check=False)
    if answer.returncode:
        last = (answer.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding("tensorflow", "bad", last, "Install the pinned versions: make install.")
    count = int(answer.stdout.split()[-1])
    return Finding("tensorflow", "ok", f"{metadata.version('tensorflow')}, {count} GPUs, {os.cpu_count()} CPU cores")


def _beam() -> Finding:
    import apache_beam as beam

    from components.beam_options import IN_PROCESS, pipeline_options

    try:
        with beam.Pipeline(options=pipeline_options([])) as pipeline:
            _ = pipeline | beam.Create([1, 2, 3]) | beam.CombineGlobally(sum)
    except Exception as error:  # whatever a runner may raise
        return Finding(
            "beam", "bad", f"{IN_PROCESS.rpartition('.')[2]}: {error}", "Reinstall apache-beam: make install."
        )
    return Finding("beam", "ok", f"{metadata.version('apache-beam')}, {IN_PROCESS.rpartition('.')[2]} works")


def _warm(runs: Path) -> Iterator[Finding]:
    """What earlier commands have left loaded for later ones."""
    for address in kept_process.sockets(kept_process.directory(runs)):
        kind = Path(address).suffix.removeprefix(".")
        try:
            told = warm_process.asked(address)
        except (EOFError, OSError):
            yield Finding(kind, "low", "killed; the next command starts another")
            continue
        if told is None:
            found = "still loading"
        else:
            held = kept_process.memory(told["pid"])
            found = f"process {told['pid']} holds {held}" if held else f"process {told['pid']} is ready"
        yield Finding(kind, "ok", f"{found}; until idle for ten minutes or `sluice stop`")


def _serving(place: Path | str) -> Iterator[Finding]:
    if isinstance(place, Path):
        yield from _directory("serving", place)
    try:
        found = list(_unservable(place))
    except (InputError, RuntimeError) as error:
        yield Finding("serving", "bad", str(error), "Look at the address, the bucket, and whether you may read it.")
        return
    if not isinstance(place, Path):
        yield Finding("serving", "ok", f"{place} can be read")
    yield from found


def _unservable(place: Path | str) -> Iterator[Finding]:
    from components.serving import versions

    for task in tasks.names():
        known = versions.versions(place, task)
        if known and known[-1].unservable:
            found = f"no server can answer from version {known[-1].number} of {task}"
            advice = f"It was pushed by an older Sluice. Replace it: sluice run {task}; see sluice versions {task}."
            yield Finding("versions", "bad", found, advice)


def _directory(name: str, path: Path) -> Iterator[Finding]:
    existing = next(folder for folder in (path, *path.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        advice = f"Make it writable, or name another directory with --{name}."
        yield Finding(name, "bad", f"{path} cannot be written", advice)
        return
    free = shutil.disk_usage(existing).free
    if free < LITTLE_SPACE:
        advice = "Free some space, or name a directory on another disk."
        yield Finding(name, "low", f"{path}: {free / 1024**3:.1f} GiB free", advice)
    else:
        yield Finding(name, "ok", f"{path}: {free / 1024**3:.0f} GiB free")
