"""A task that breaks a promise is told which, and why."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import tasks
from components.check_task import definition
from components.check_task.broken_promise import BrokenPromiseError

GOOD = '''"""sluice run zz_ships"""
import numpy as np
import pandas as pd
from tasks import Bar, Category, Model, Number, Part, Splits, Task, Train


def rows(seed=0):
    random = np.random.RandomState(seed)
    return pd.DataFrame({"length": random.rand(40), "kind": ["sail", "row"] * 20, "price": random.rand(40)})


TASK = Task(
    about="Boats",
    features=(Number("length", minimum=0, maximum=1), Category("kind", ("sail", "row"))),
    label=Number("price"),
    sample=lambda: (Part(name="boats", read=lambda: [rows()]),),
    preprocess=lambda features: features,
    models={"mlp": Model(lambda: None, Train(epochs=1))},
    gate=(Bar("mae", 1.0),),
)
'''


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SLUICE_TASKS", str(tmp_path))
    monkeypatch.delitem(sys.modules, "tasks.zz_ships", raising=False)
    monkeypatch.delattr(tasks, "zz_ships", raising=False)
    return tmp_path


def test_a_good_one_keeps_all(folder: Path) -> None:
    (folder / "zz_ships.py").write_text(GOOD)
    for promise in definition.PROMISES.values():
        promise("zz_ships")


@pytest.mark.parametrize(
    ("promise", "old", "new", "sentence"),
    [
        ("the docstring gives the command", "sluice run", "run", "does not say how to run it. Expected: sluice run zz"),
        ("the sample is the same every time", "[rows()]", "[rows(None)]", "has other rows when it is read again"),
        ("the sample fills every split", "about=", "splits=Splits(train=1, eval=0, test=0), about=", "no row to eval"),
        ("rows of the sample keep to the schema", "maximum=1", "maximum=0.5", "length = .*outside its minimum"),
        ("rows of the sample keep to the schema", 'random.rand(40), "kind', '[None] * 40, "kind', "length is missing"),
        ("the sample has every value of each category", '("sail", "row"))', '("sail", "row", "tug"))', "kind = 'tug'"),
        ("the gate has no bar twice", "gate=(", 'gate=(Bar("mae", 2.0), ', "The gate asks twice for the same"),
    ],
)  # fmt: skip
def test_a_broken_promise_is_told(folder: Path, promise: str, old: str, new: str, sentence: str) -> None:
    assert old in GOOD
    (folder / "zz_ships.py").write_text(GOOD.replace(old, new))
    with pytest.raises(BrokenPromiseError, match=sentence):
        definition.PROMISES[promise]("zz_ships")


@pytest.mark.thorough
@pytest.mark.slow
def test_the_command_tells_what_a_models_function_does_wrong(folder: Path) -> None:
    (folder / "zz_ships.py").write_text(GOOD)
    words = [sys.executable, "-m", "pipelines", "check", "zz_ships", "--tasks", str(folder)]
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert "✗ mlp: it answers with what its label asks: " in done.stdout
    assert done.stdout.splitlines()[-1] == "zz_ships breaks 3 of 15 promises."
    assert "Traceback" not in done.stderr
