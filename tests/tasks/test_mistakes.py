"""A mistake in a task's file is told with the file and the line, and keeps nobody from the other tasks."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import tasks
from pipelines.commands import tasks as command
from pipelines.local import step_process
from tasks import InputError

Written = Callable[[str], None]
GOOD = """
from tasks import Bar, Model, Number, Task, Train


def preprocess(features):
    return features


TASK = Task(
    about="Boats",
    features=(Number("length"),),
    label=Number("price"),
    sample=lambda: (),
    preprocess=preprocess,
    models={"mlp": Model(lambda: None, Train(epochs=1))},
    gate=(Bar("mae", 1.0),),
)
"""


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Written]:
    """Puts a source into the task zz's file, beside the tasks that are there."""
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(tmp_path)])
    yield lambda source: (tmp_path / "zz.py").write_text(source) and None
    sys.modules.pop("tasks.zz", None)
    vars(tasks).pop("zz", None)


BROKEN = [
    ("from tasks import Bar\nBar(\n", r"tasks/zz\.py, line 2: This is not Python: '\(' was never closed\."),
    (GOOD.replace('"mae", 1.0', '"auc", 1.0'), r"tasks/zz\.py, line 9: A regression task has the metrics .* 'auc'\."),
    (GOOD.replace("epochs=1", "epochs=0"), r"tasks/zz\.py, line 15: Train\.epochs must be at least 1\. Received: 0\."),
    (
        GOOD.replace("epochs=1", "epochs=1, optimizer='adamm'"),
        r"tasks/zz\.py, line 15: Train\.optimizer is none of Keras' names: 'adamm'\. Did you mean 'adam'\?",
    ),
    (
        GOOD.replace("about=", "metrics={'cost': 3}, about="),
        r"tasks/zz\.py, line 9: A Task's metrics have names\. Expected .*",
    ),
    (GOOD.replace("(Number(", "(Numbre("), r"tasks/zz\.py, line 11: NameError: name 'Numbre' is not defined"),
    ("TASK = 3\n", r"tasks/zz\.py must end in TASK = Task\(\.\.\.\)\. Received: 3\."),
    ("import json\njson.dump_s(3)\n", r"tasks/zz\.py, line 2: There is no 'dump_s' in json\. Did you mean 'dumps'\?"),
]


@pytest.mark.parametrize(("source", "sentence"), BROKEN)
def test_a_broken_task_is_told_with_its_file(written: Written, source: str, sentence: str) -> None:
    written(source)
    with pytest.raises(InputError, match=f"^{sentence}$"):
        tasks.get("zz")


@pytest.mark.parametrize(("source", "sentence"), BROKEN[:2])
def test_the_others_are_listed(
    written: Written, source: str, sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    others = [name for name in tasks.names() if name != "zz"]
    written(GOOD)
    assert command.main(argparse.Namespace(json=True, task="")) == 0
    assert [task["name"] for task in json.loads(capsys.readouterr().out)] == [*others, "zz"]
    sys.modules.pop("tasks.zz")
    written(source + "\n" * 9)
    assert command.main(argparse.Namespace(json=True, task="")) == 1
    out, said = capsys.readouterr()
    assert [task["name"] for task in json.loads(out)] == others
    (line,) = said.splitlines()
    assert line.startswith("sluice: tasks/zz.py, line ")


def failure(written: Written, body: str) -> step_process.Failure:
    """What a step says whose task's preprocess does this."""
    written(GOOD.replace("    return features\n", f"    {body}\n"))
    try:
        tasks.get("zz").preprocess({})
    except Exception as error:
        return step_process._failure(error)
    raise AssertionError


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("raise ValueError('The boat sinks.')", "tasks/zz.py, line 6: The boat sinks."),
        ("return features['size']", "tasks/zz.py, line 6: KeyError: 'size'"),
        (
            "from transforms import scaling; return scaling.zscore([])",
            "tasks/zz.py, line 6: There is no 'zscore' in transforms.scaling. Did you mean 'z_score'?",
        ),
    ],
)
def test_a_mistake_while_a_step_runs_is_told_with_its_line(written: Written, body: str, sentence: str) -> None:
    assert failure(written, body) == step_process.Failure(message=sentence)


def test_a_sentence_of_the_tasks_own_is_left_as_it_is(written: Written) -> None:
    told = failure(written, "from tasks import InputError; raise InputError('There is no boat.')")
    assert told == step_process.Failure(message="There is no boat.", wrong_input=True)
