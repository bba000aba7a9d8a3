"""`sluice watch`: the run again at each saved change, and what has changed in the result."""

from __future__ import annotations

import argparse
import glob
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tasks
from components import code
from components.storage.local_paths import local_path, source_kind
from pipelines.commands.run_summary import number

LOOKS = 0.3
Seen = Mapping[str, tuple[int, int] | None]


def main(given: argparse.Namespace) -> int:
    """Until Ctrl-C. Each run is a process of its own, so the code is always the one that is saved."""
    tasks.check_name(given.task)
    words = [word for word in sys.argv[2:] if word != "--push"]
    command = [sys.executable, "-m", "pipelines", "run", *words, "--json", *([] if given.push else ["--no-push"])]
    before: dict[str, Any] = {}
    while True:
        seen = watched(given.task, given.data)
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode == 130:
            raise KeyboardInterrupt
        if told := json.loads(done.stdout or "{}"):
            print(changed(before, told), flush=True)
            before = told if told["metrics"] else before
        print(f"Watching {len(seen)} files; Ctrl-C ends it.", file=sys.stderr, flush=True)
        wait_for_change(given, seen)


def changed(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """What is other than it was, of the metrics and of the verdict."""
    if now["error"]:
        return f"{now['run'] or now['task']}: {now['error']}"
    metrics = []
    for name, value in now["metrics"].items():
        was = before.get("metrics", {}).get(name)
        if was != value:
            metrics.append(f"{name} {number(value)}" if was is None else f"{name} {number(was)} → {number(value)}")
    cleared = now["blessed"] and not now["reasons"]
    verdict = "clears the gate" if cleared else f"is rejected: {'; '.join(now['reasons'])}"
    pushed = f", pushed to {now['pushed']}" if now["pushed"] and now["pushed"] != before.get("pushed") else ""
    return f"{now['run']}: {'   '.join(metrics) or 'the same metrics'}   {verdict}{pushed}"


def watched(task: str, data: str) -> Seen:
    """The task's file, what it imports of ours, all transforms, and the data's files, as they are now."""
    files = {str(code.place(f"tasks/{task}.py")), *map(str, (code.ROOT / "transforms").glob("*.py"))}
    files |= {str(code.place(f"tasks/{path.name}")) for path in code.place(f"tasks/{task}.py").parent.glob("_*.py")}
    if source_kind(data) == "user" and "://" not in data:
        files |= set(glob.glob(str(local_path(data)), recursive=True))  # noqa: PTH207 (pathlib takes no whole path as a pattern)
    return {name: _state(Path(name)) for name in sorted(files)}


def _state(path: Path) -> tuple[int, int] | None:
    try:
        about = path.stat()
    except OSError:
        return None  # an editor may be about to put another in its place
    return about.st_mtime_ns, about.st_size


def wait_for_change(given: argparse.Namespace, seen: Seen) -> None:
    """Returns when something is other than it was seen, and is whole and at rest."""
    last = seen
    while True:
        time.sleep(LOOKS)
        now = watched(given.task, given.data)
        if now != seen and now == last and None not in now.values():
            return
        last = now
