"""Rivals at one moment: several push to one destination, some of them killed; or several make the same run."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import watch

import tasks
from components.push import step as push
from components.serving import versions
from components.serving.report_outcome import banner, judged
from components.storage import atomic_files
from pipelines import lazy_imports

TASK, ROUNDS, SECONDS = "auto_mpg", 3, 300
SMALL = watch.ROOT / "tests" / "support" / "small_pipeline.py"


def case(seed: int, place: Path) -> str:
    generator = random.Random(seed)
    return _pushes(generator, seed, place) if generator.random() < 0.7 else _same_run(generator, place)


def _pushes(generator: random.Random, seed: int, place: Path) -> str:
    """No version is ever seen half, none replaces another than the one it was judged against."""
    count = generator.randint(2, 5)
    killed = [generator.random() < 0.2 for _ in range(count)]
    with watch.polled(place / "serving" / TASK) as polls:
        rivals = [_started([__file__, str(place), str(seed), str(number)], place) for number in range(count)]
        end = time.monotonic() + SECONDS
        for rival, victim in zip(rivals, killed, strict=True):
            if victim:
                time.sleep(generator.random() * 2)
                rival.send_signal(signal.SIGKILL)
        statuses = [rival.wait(max(1.0, end - time.monotonic())) for rival in rivals]
    said = (place / "said").read_text()
    assert all(status == 0 or victim for status, victim in zip(statuses, killed, strict=True)), said[-3000:]
    numbers = watch.sound(place / "serving" / TASK) if (place / "serving" / TASK).is_dir() else []
    for version in versions.versions(place / "serving", TASK):
        against = version.provenance["champion"].partition(":")[0]
        assert version.copied_from or against == (str(version.number - 1) if version.number > 1 else ""), (
            f"version {version.number} was judged against {against or 'none'}"
        )
    return f"{count} pushers, {sum(killed)} killed: {len(numbers)} versions, {polls[0]:,} polls"


def _same_run(generator: random.Random, place: Path) -> str:
    """Each step is done once, whoever does it; if one is killed, the others take over."""
    count, victim = generator.randint(2, 3), generator.random() < 0.5
    (place / "runs").mkdir()
    rivals = [_started([str(SMALL), str(place / "runs"), "rounds=5"], place) for _ in range(count)]
    if victim:
        time.sleep(generator.random() * 6)
        rivals[0].send_signal(signal.SIGKILL)
    statuses = [rival.wait(SECONDS) for rival in rivals]
    assert all(status == 0 for status in statuses[1 if victim else 0 :]), (place / "said").read_text()[-3000:]
    halved = (place / "runs" / "halve").read_text().count("ran")
    assert halved == 1 or (victim and halved == 2), f"one step was done {halved} times"
    watch.gone(place)
    return f"{count} equal runs{', one killed' if victim else ''}: the step was done {halved} x"


def _started(words: list[str], place: Path) -> subprocess.Popen[bytes]:
    with (place / "said").open("ab") as said:
        return subprocess.Popen([watch.PYTHON, *words], env=watch.environment(place), stdout=said, stderr=said)


def rival(place: Path, seed: int, number: int) -> None:
    """A few pushes, each judged against what is served then; now and then something is rolled back or pruned."""
    lazy_imports.install()  # a task's file imports TensorFlow, which pushing has no use for
    generator, serving = random.Random(f"{seed} {number}"), str(place / "serving")
    for turn in range(ROUNDS):
        newest = versions.newest(serving, TASK)
        champion = newest.champion if newest else ""
        time.sleep(generator.random() * 0.1)
        _push(place / f"candidate-{number}-{turn}", serving, champion, keep=generator.choice([0, 0, 3]))
        if newest and newest.number > 1 and generator.random() < 0.2:
            try:
                versions.rollback(serving, TASK, newest.number - 1)
                versions.release(serving, TASK)
            except (tasks.InputError, FileNotFoundError):
                continue  # a rival has pruned it, or pushed meanwhile


def _push(folder: Path, serving: str, champion: str, keep: int) -> push.Pushed:
    """A model that clears the gate, with the papers that the steps before would have written."""
    model = folder / "model" / "serving"
    (model / "variables").mkdir(parents=True)
    (model / "saved_model.pb").write_text(folder.name)
    (model / "variables" / "data").write_text(folder.name * 50_000)
    sha256 = atomic_files.tree_hash(model)
    verdict = {"blessed": True, "reasons": [], "task": TASK, "model_name": "mlp", "champion": champion, "metrics": {}}
    tried = {"passed": True, "loaded": True, "reasons": [], "predictions": {}, "latency": {}}
    atomic_files.write_json(folder / "blessing.json", {**verdict, "model_sha256": sha256})
    atomic_files.write_json(folder / "rehearsal" / "rehearsal.json", {**tried, "model_sha256": sha256})
    atomic_files.write_json(folder / "statistics.json", {"fingerprint": folder.name, "rows": {"train": 7}})
    (folder / "judged.html").write_text(banner(judged(verdict)))
    return push.run(
        task=TASK, destination=serving, champion=champion, inputs=folder.name, run=folder.name, force="", keep=keep,
        parameters={"data": "real"}, statistics=str(folder / "statistics.json"), model=str(folder / "model"),
        blessing=str(folder / "blessing.json"), rehearsal=str(folder / "rehearsal"),
        judged=str(folder / "judged.html"), report=str(folder / "report.html"),
    )  # fmt: skip


if __name__ == "__main__":
    rival(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
