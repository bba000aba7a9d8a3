"""The local runner, as a user meets it: a program that is started, watched, killed and started again."""

from __future__ import annotations

import html
import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from repository import SUPPORT

from pipelines import compiled_graph
from pipelines.local import interrupts
from pipelines.local.run_record import Record
from pipelines.local.run_steps import Walk

PROGRAM = SUPPORT / "small_pipeline.py"
ROOT = PROGRAM.parent.parent


class Runs:
    """A runs directory, and the program that fills it."""

    def __init__(self, path: Path) -> None:
        self.path, self.mark = path, uuid.uuid4().hex
        path.mkdir()

    def start(self, *words: str, trouble: str = "") -> subprocess.Popen[str]:
        environment = {**os.environ, "PYTHONPATH": str(ROOT), "SMALL_MARK": self.mark, "SMALL_TROUBLE": trouble}
        command = [sys.executable, str(PROGRAM), str(self.path), *words]
        return subprocess.Popen(
            command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
        )

    def finish(self, *words: str, trouble: str = "", status: int = 0) -> str:
        """Run to the end; what was said on stderr."""
        process = self.start(*words, trouble=trouble)
        _, said = process.communicate(timeout=60)
        assert process.returncode == status, said
        return said

    def facts(self, number: int, of: str = "small") -> dict[str, Any]:
        facts: dict[str, Any] = json.loads((self.path / f"{of}-{number}" / "run.json").read_text())
        return facts

    def steps(self, number: int, of: str = "small") -> dict[str, str]:
        return {step["name"]: step["status"] for step in self.facts(number, of)["steps"]}

    def spans(self, run: str) -> tuple[list[float], list[float]]:
        """When the rounds of each working step began and ended."""
        rounds = [[path.stat().st_mtime for path in done.iterdir()] for done in self.path.glob(f"{run}/work*/done")]
        return [min(times) for times in rounds], [max(times) for times in rounds]

    def notes(self, step: str = "work") -> list[str]:
        path = self.path / step
        return path.read_text().splitlines() if path.exists() else []

    def worker(self) -> int:
        """The process number of the working step, once it has done a round."""
        until(lambda: any(self.path.glob("small-*/work/done/0")))
        return int(self.notes()[-1].split()[0])

    def processes(self) -> list[int]:
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark.encode() in (entry / "environ").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
        return found


def until(true: Callable[[], bool], seconds: float = 20) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


@pytest.fixture
def runs(tmp_path: Path) -> Iterator[Runs]:
    runs = Runs(tmp_path / "runs")
    yield runs
    until(lambda: not runs.processes())


RAN = {"look": "ran", "halve": "ran", "work": "ran", "report": "ran"}
KEPT = {**RAN, "halve": "cached", "work": "cached"}


def test_a_second_run_takes_every_step_from_the_cache(runs: Runs) -> None:
    runs.finish()
    runs.finish()
    assert (runs.steps(1), runs.steps(2)) == (RAN, KEPT)
    first, second = runs.facts(1), runs.facts(2)
    assert first["status"] == second["status"] == "done"
    assert first["metrics"] == second["metrics"] == {"rounds": 2}
    assert second["artifacts"]["work/done"] == str(runs.path / "small-1" / "work" / "done")
    assert runs.notes("halve") == ["ran"]


def test_a_step_whose_inputs_come_out_the_same_is_not_run_again(runs: Runs) -> None:
    runs.finish("number=4")
    runs.finish("number=5")
    assert runs.steps(2) == {**KEPT, "halve": "ran"}
    assert [step.get("why") for step in runs.facts(2)["steps"]][1] == "number 4 → 5"


def test_a_changed_parameter_runs_its_step_again(runs: Runs) -> None:
    runs.finish("rounds=2")
    runs.finish("rounds=3")
    assert runs.steps(2) == {**KEPT, "work": "ran"}
    assert [step.get("why") for step in runs.facts(2)["steps"]][2] == "rounds 2 → 3"


def test_without_the_cache_every_step_runs(runs: Runs) -> None:
    runs.finish()
    runs.finish("fresh=true")
    assert runs.steps(2) == RAN
    runs.finish()
    assert runs.facts(3)["artifacts"]["work/done"] == str(runs.path / "small-1" / "work" / "done")


def test_altered_results_are_noticed_and_made_again(runs: Runs) -> None:
    runs.finish()
    half = runs.path / "small-1" / "halve" / "half"
    half.write_text("9")
    said = runs.finish()
    assert f"{half} was altered" in said
    assert runs.steps(2) == {**KEPT, "halve": "ran"}
    (runs.path / "small-1" / "work" / "done" / "0").unlink()
    assert "was altered" in runs.finish()
    assert runs.steps(3) == {**KEPT, "work": "ran"}


def test_removed_results_are_noticed_and_made_again(runs: Runs) -> None:
    runs.finish()
    (runs.path / "small-1").rename(runs.path / "elsewhere")
    assert "is missing" in runs.finish()
    assert runs.steps(1) == RAN


def test_results_whose_content_is_the_same_are_used_whatever_their_date(runs: Runs) -> None:
    runs.finish()
    os.utime(runs.path / "small-1" / "halve" / "half", (1, 1))
    assert "altered" not in runs.finish()
    assert runs.steps(2) == KEPT


def test_a_damaged_index_entry_is_no_entry(runs: Runs) -> None:
    runs.finish()
    for entry in (runs.path / ".cache").glob("*.json"):
        entry.write_text("{")
    runs.finish()
    assert runs.steps(2) == RAN


@pytest.mark.parametrize(
    ("trouble", "status", "words"),
    [
        ("value", 1, "The step work failed: The number is odd. Expected an even one."),
        ("input", 2, "The step work failed: There is no such file."),
        ("type", 1, "The step work failed: TypeError: not a number"),
        ("crash", 1, "The step work failed: Its process ended with status 7 before the step was done."),
        ("full", 1, "There is no space left on the disk."),
    ],
)
def test_a_failing_step_is_told_in_a_sentence(runs: Runs, trouble: str, status: int, words: str) -> None:
    said = runs.finish(trouble=trouble, status=status)
    log = runs.path / "small-1" / "logs" / "work.log"
    assert words in said
    report = runs.path / "small-1" / "report.html"
    assert f"Its log: {log}\nIts report: {report}" in said
    assert words.removeprefix("The step work failed: ") in html.unescape(report.read_text())
    assert "Traceback" not in said
    assert trouble == "crash" or "Traceback" in log.read_text()
    assert runs.facts(1)["status"] == "failed"
    runs.finish()
    assert runs.steps(2) == {**KEPT, "work": "ran"}


def test_a_killed_worker_fails_its_step_and_the_next_run_goes_on_from_there(runs: Runs) -> None:
    process = runs.start("rounds=12")
    os.kill(runs.worker(), signal.SIGKILL)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 1
    assert "was killed by SIGKILL. Memory may have run out." in said
    _goes_on(runs)


def test_a_killed_command_takes_its_worker_along_and_the_next_goes_on_from_there(runs: Runs) -> None:
    process = runs.start("rounds=12")
    runs.worker()
    process.kill()
    process.communicate(timeout=20)
    until(lambda: not runs.processes())
    assert runs.facts(1)["status"] == "running"
    _goes_on(runs)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_no_process_and_the_next_goes_on_from_there(runs: Runs, number: int) -> None:
    process = runs.start("rounds=12", trouble="child")
    runs.worker()
    os.killpg(process.pid, number)  # as a terminal does: to every process of the group
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "The same command goes on where it stopped." in said
    assert "Traceback" not in said
    assert not runs.processes()
    assert not (runs.path / "small-1" / ".scratch").exists()
    assert runs.facts(1)["status"] == "interrupted"
    _goes_on(runs)


def _goes_on(runs: Runs) -> None:
    done = len(list((runs.path / "small-1" / "work" / "done").iterdir()))
    runs.finish("rounds=12")
    assert runs.steps(2) == {**KEPT, "work": "ran"}
    assert int(runs.notes()[-1].split()[2]) == done > 0
    assert len(list((runs.path / "small-2" / "work" / "done").iterdir())) == 12
    assert not (runs.path / "small-1" / "work").exists()


def test_a_run_interrupted_while_the_libraries_load_leaves_no_process(runs: Runs) -> None:
    process = runs.start("rounds=12")
    until(lambda: (runs.path / "small-1" / "logs" / "warm.log").exists())
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert process.returncode == 130, said
    until(lambda: not runs.processes(), 2)


def test_steps_that_need_nothing_of_each_other_are_done_at_once(runs: Runs) -> None:
    words = ("twins=true", "rounds=8", "more=9")
    said = runs.finish(*words)
    begun, ended = runs.spans("twins-1")
    assert max(begun) < min(ended)
    assert said.index("work: done") < said.index("work-2: started")
    runs.finish(*words)
    assert runs.steps(1, "twins") == {"halve": "ran", "work": "ran", "work-2": "ran"}
    assert runs.steps(2, "twins") == {"halve": "cached", "work": "cached", "work-2": "cached"}


def test_steps_that_are_done_at_once_are_killed_at_once_and_both_go_on(runs: Runs) -> None:
    words = ("twins=true", "rounds=30", "more=31")
    process = runs.start(*words)
    until(lambda: all((runs.path / "twins-1" / step / "done" / "1").exists() for step in ("work", "work-2")))
    process.kill()
    process.communicate(timeout=20)
    until(lambda: not runs.processes())
    runs.finish(*words)
    assert [int(note.split()[2]) > 0 for note in runs.notes()] == [False, False, True, True]


def test_where_one_of_two_fails_neither_goes_on(runs: Runs) -> None:
    said = runs.finish("twins=true", "more=300", trouble="value", status=1)
    assert "The step work failed: The number is odd." in said
    assert not runs.processes()


def test_two_runs_at_once_share_the_work(runs: Runs) -> None:
    first = runs.start("rounds=60")
    runs.worker()
    second = runs.start("rounds=60")
    _, said = second.communicate(timeout=30)
    first.communicate(timeout=30)
    assert first.returncode == second.returncode == 0
    assert "another run is doing this just now" in said
    assert runs.steps(2) == KEPT
    assert len(runs.notes()) == 1


def test_runs_started_together_get_numbers_of_their_own(runs: Runs) -> None:
    together = [runs.start("rounds=1") for _ in range(3)]
    for process in together:
        process.communicate(timeout=30)
    assert [process.returncode for process in together] == [0, 0, 0]
    assert sorted(path.name for path in runs.path.glob("small-*")) == ["small-1", "small-2", "small-3"]


def test_a_heavy_step_is_forked_from_the_warm_process_and_keeps_its_temporary_files_in_the_run(runs: Runs) -> None:
    runs.finish()
    assert runs.notes()[0].endswith(f"from 0 warm True temporary {runs.path}/small-1/.scratch")


def test_a_preview_says_what_would_run_and_why(runs: Runs) -> None:
    def preview(*words: str) -> list[str]:
        out, _ = runs.start("dry=true", *words).communicate(timeout=30)
        return out.splitlines()

    assert preview()[1:] == [
        "halve: would run: never done before",
        "work: would run: unless halve put out the same as before",
        "report: would run: runs every time",
    ]
    assert not list(runs.path.glob("small-*"))
    runs.finish()
    assert preview("rounds=5")[1:3] == ["halve: cached: made by small-1", "work: would run: rounds 2 → 5"]


def test_output_that_is_no_terminal_gets_plain_lines(runs: Runs) -> None:
    lines = runs.finish().splitlines()
    assert lines[0] == "look: started"
    assert lines[-2].startswith("report: done in ")
    assert all(line.isprintable() for line in lines)


@pytest.mark.parametrize(("beam_args", "loaded"), [([], True), (["--runner=DataflowRunner"], False)])
def test_beam_is_loaded_beforehand_only_for_this_machine(tmp_path: Path, beam_args: list[str], loaded: bool) -> None:
    arguments = {"task": "auto_mpg", "destination": "served", "beam_args": beam_args}
    record = Record.new(tmp_path, "auto_mpg", arguments)
    walk = Walk(compiled_graph.training(), arguments, record)
    record.close("done")
    names = ("apache_beam", "tensorflow_transform.beam")
    assert [name in walk.server.preload for name in names] == [loaded, loaded]


def test_a_request_to_stop_that_python_dropped_is_raised_again() -> None:
    with interrupts.heeded() as ask:
        ask()
        with suppress(KeyboardInterrupt):  # as Python does in finalizers and hooks
            signal.raise_signal(signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            ask()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_request_to_stop_waits_while_it_is_held_back() -> None:
    said = []

    def interrupted() -> None:
        with interrupts.held_back():
            signal.raise_signal(signal.SIGINT)
            said.append("done")

    with interrupts.heeded(), pytest.raises(KeyboardInterrupt):
        interrupted()
    assert said == ["done"]
