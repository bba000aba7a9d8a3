"""A step's key sees what the step uses of a task's file, and nothing else of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import tasks
from components import code, used_of_task
from components.used_of_task import UNUSED, state
from tasks import Task

FILE = '''
"""A task."""
import keras
from tasks import Bar, Category, Model, Number, Task, Train
from transforms import scaling

NAMES = ("a", "b")
RATE = 0.1


def preprocess(features):
    return {"features": scaling.z_score([features[name] for name in NAMES])}


def line():
    return keras.Sequential([keras.layers.Dense(1)])


def sample():
    return _parts()


def _parts():
    return ()


TASK = Task(
    about="A line",
    features=tuple(Number(name) for name in NAMES),
    label=Number("y"),
    sample=sample,
    preprocess=preprocess,
    models={"line": Model(line, Train(epochs=3, learning_rate=RATE))},
    gate=(Bar("mae", 1.0),),
)
'''


def changed_for(before: str, after: str) -> set[str]:
    """The steps for which the file is another one."""
    return {
        step.split(".")[1] for step, without in UNUSED.items()
        if state(before.encode(), without) != state(after.encode(), without)
    }  # fmt: skip


ALL = {"ingest", "validate", "transform", "train", "rehearse"}


@pytest.mark.parametrize(
    ("line", "instead", "steps"),
    [
        ("Dense(1)", "Dense(1, use_bias=False)", {"train"}),
        ("RATE = 0.1", "RATE = 0.2", {"train"}),
        ('Bar("mae", 1.0)', 'Bar("mae", 2.0)', set()),
        ("A line", "The line", set()),
        ('"""A task."""', '"""Another."""', set()),
        ("return _parts()", "return  _parts()  # of which there are none", set()),
        ("return ()", "return (1,)", {"ingest", "validate"}),
        ("[features[name] for", "[-features[name] for", {"transform", "train"}),
        ('NAMES = ("a", "b")', 'NAMES = ("a", "c")', ALL),
        ('label=Number("y")', 'label=Number("z")', ALL),
        ("import keras", "import tf_keras as keras", {"train"}),
        ("RATE = 0.1", "RATE = 0.1\nNAMES += ('c',)", ALL),
        ("RATE = 0.1", "RATE = 0.1\nprint(RATE)", ALL),
        ("def line", "@print\ndef line", ALL),
        ("RATE = 0.1", "RATE = 0.1\nif RATE:\n    NAMES = ()", ALL),
        ("RATE = 0.1", "RATE = globals()", ALL),
        ("TASK = Task(", "TASK = Task(**{}, ", ALL),
        ("TASK = Task(", "OTHER = Task()\nTASK = Task(", ALL),
        ("import keras", "from keras import *", ALL),
    ],
)
def test_a_change_counts_for_the_steps_that_use_it(line: str, instead: str, steps: set[str]) -> None:
    assert line in FILE
    assert changed_for(FILE, FILE.replace(line, instead)) == steps


def test_a_file_whose_parts_cannot_be_told_apart_counts_as_a_whole() -> None:
    whole = FILE.replace("RATE = 0.1", "RATE = vars()['NAMES']")
    assert changed_for(whole, whole.replace("A line", "The line")) == ALL
    assert changed_for("TASK = made()", "TASK = made()  # by hand") == ALL


def test_several_steps_leave_out_what_none_of_them_uses() -> None:
    steps = ("components.ingest.step", "components.transform.step")
    assert used_of_task.unused((*steps, "components.progress")) == UNUSED[steps[0]] & UNUSED[steps[1]]
    assert used_of_task.unused((*steps, "components.evaluate.step")) == frozenset()
    assert used_of_task.unused(("sluice", "tasks.auto_mpg")) == frozenset()


def test_an_edit_while_a_run_goes_on_stops_the_steps_that_it_concerns(tmp_path: Path) -> None:
    for folder in ("tasks", "components/ingest", "components/train"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "step.py").write_text("")
    file = tmp_path / "tasks" / "line.py"
    file.write_text(FILE)
    known = {step: code.sources(f"components.{step}.step", "tasks.line", root=tmp_path) for step in ("ingest", "train")}
    file.write_text(FILE.replace("Dense(1)", "Dense(2)"))
    assert {step: code.altered(sources, tmp_path) for step, sources in known.items()} == {
        "ingest": [], "train": ["tasks/line.py"],
    }  # fmt: skip


def hidden(task: Task, fields: frozenset[str]) -> Task:
    """The same task, which lets nobody look at these fields."""

    class Hidden(Task):
        def __getattribute__(self, name: str) -> Any:
            assert name not in fields, f"the step looks at {name}, which its key leaves out"
            return super().__getattribute__(name)

        def __repr__(self) -> str:
            return "a task"  # by which Beam names what it does, and not more

    made: Task = object.__new__(Hidden)
    made.__dict__.update(vars(task))
    return made


@pytest.mark.slow
def test_no_step_looks_at_what_its_key_leaves_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from components.ingest import step as ingest
    from components.rehearse import step as rehearse
    from components.train import step as train
    from components.transform import step as transform
    from components.validate import step as validate

    task = tasks.get("auto_mpg")

    def place(name: str) -> str:
        return str(tmp_path / name)

    def look_as(step: str) -> None:
        monkeypatch.setattr(tasks, "get", lambda _: hidden(task, UNUSED[f"components.{step}.step"]))

    look_as("ingest")
    ingest.run(
        task="auto_mpg", data="sample", data_dir="", snapshot="", beam_args=[], examples=place("examples"),
        statistics=place("statistics"),
    )  # fmt: skip
    look_as("validate")
    validate.run(
        task="auto_mpg", destination="", champion="", statistics=place("statistics"), anomalies=place("anomalies")
    )
    look_as("transform")
    transform.run(
        task="auto_mpg", settings={}, beam_args=[], examples=place("examples"), transform_graph=place("graph")
    )
    look_as("train")
    train.run(
        task="auto_mpg", model_name="mlp", settings={"train.epochs": "1"}, seed=0, examples=place("examples"),
        transform_graph=place("graph"), model=place("model"),
    )  # fmt: skip
    look_as("rehearse")
    tried = rehearse.run(
        task="auto_mpg", model=place("model"), examples=place("examples"), rehearsal=place("rehearsal")
    )
    assert tried.passed
    with pytest.raises(AssertionError, match="the step looks at models"):
        _ = hidden(task, frozenset({"models"})).models
