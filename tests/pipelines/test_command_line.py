"""The command line as scripts and people meet it: words, exit statuses, and what is not imported."""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import warm_command
from repository import ROOT

import tasks
from pipelines.command_line import parser
from pipelines.commands.run import pipeline_arguments
from pipelines.local import run_record

(COMMANDS,) = (action for action in parser()._actions if isinstance(action, argparse._SubParsersAction))
WORDS = tuple(COMMANDS.choices)


def sluice(
    home: Path, *words: str, status: int = 0, given: str = "", python: tuple[str, ...] = (), warm: bool = False
) -> tuple[str, str]:
    """Stdout and stderr; a warm one is forked from what another has loaded."""
    kept = warm_command.environment() if warm else os.environ
    done = subprocess.run(
        [sys.executable, *python, "-m", "pipelines", *words],
        cwd=home, input=given, capture_output=True, text=True, timeout=300, check=False,
        env={**kept, "PYTHONPATH": str(ROOT), "SLUICE_HOME": str(home)},
    )  # fmt: skip
    assert done.returncode == status, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout, done.stderr


def seconds(home: Path, *words: str) -> float:
    began = time.monotonic()
    sluice(home, *words)
    return time.monotonic() - began


def imported(importtime: str) -> set[str]:
    return {line.rpartition("|")[2].strip() for line in importtime.splitlines() if line.startswith("import time:")}


# Their own names may appear: as placeholders.
HEAVY = {"tensorflow.python", "keras.src", "tensorflow_transform.beam", "apache_beam.pipeline"}


@pytest.mark.parametrize("words", [("--help",), ("tasks",)])
def test_help_and_tasks_are_quick_and_without_tensorflow(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert min(seconds(tmp_path, *words) for _ in range(3)) < 5  # 0.1 s on an idle machine; benchmarks measure it
    _, said = sluice(tmp_path, *words, python=("-X", "importtime"))
    assert imported(said).isdisjoint({*HEAVY, "pandas.core", "numpy._core", "kfp"})


@pytest.mark.parametrize("word", WORDS)
def test_every_command_has_help_with_two_examples_that_can_be_typed(tmp_path: Path, word: str) -> None:
    out, _ = sluice(tmp_path, word, "--help")
    examples = out.partition("examples:\n")[2]
    assert examples.count(f"  sluice {word}") >= 2
    for line in examples.splitlines():
        if line.startswith(f"  sluice {word}"):
            parser().parse_args(shlex.split(re.split(r" [>|] ", line)[0], comments=True)[1:])


def test_tasks_are_listed_with_models_and_gate(tmp_path: Path) -> None:
    out, _ = sluice(tmp_path, "tasks", "--json")
    listed = {task["name"]: task for task in json.loads(out)}
    assert listed["auto_mpg"]["models"] == ["mlp"]
    assert listed["auto_mpg"]["gate"][0].startswith("mae at most 2.5")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("run", "auto_mgp"), "There is no task 'auto_mgp'. Did you mean 'auto_mpg'?"),
        (("run", "auto_mpg", "--model", "mlq"), "Did you mean 'mlp'?"),
        (("run", "auto_mpg", "--set", "epochs"), "--set takes KEY=VALUE, such as train.epochs=5. Received: 'epochs'."),
        (("run", "auto_mpg", "--set", "train.epoch=3"), "Did you mean 'train.epochs'?"),
        (("run", "auto_mpg", "--set", "train.epochs=few"), "few"),
        (("run", "auto_mpg", "--data", "nothing-*.csv"), "nothing-*.csv"),
        (("run", "auto_mpg", "--data", "tfds:penguins", "--data-dir", "."), "To prepare it: tfds build penguins"),
        (("run", "auto_mpg", "--force", " "), "--force needs a reason"),
        (("run", "auto_mpg", "--serving", "/dev/null/serving"), "/dev/null/serving"),
        (("run", "auto_mpg", "--runs", "/dev/null/runs"), "The runs directory /dev/null/runs cannot be made"),
        (("predict", "auto_mgp"), "Did you mean 'auto_mpg'?"),
        (("predict", "auto_mpg"), "Run first: sluice run auto_mpg"),
        (("versions", "auto_mgp"), "Did you mean 'auto_mpg'?"),
        (("rollback", "auto_mpg", "1"), "There is no version"),
        (("show", "auto_mpg-1"), "There are no runs yet; `sluice run TASK` makes one."),
        (("compare", "auto_mpg-1", "auto_mpg-2"), "There is no run 'auto_mpg-1'"),
        (("compile", "-o", "pipeline.txt"), "Received: pipeline.txt."),
    ],
)
def test_wrong_input_is_one_sentence_and_leaves_nothing(tmp_path: Path, words: tuple[str, ...], sentence: str) -> None:
    _, said = sluice(tmp_path, *words, status=2)
    (line,) = [line for line in said.splitlines() if line.startswith("sluice: ")]
    assert sentence in line
    assert not list(tmp_path.glob("runs/*-[0-9]*"))
    assert not (tmp_path / "serving").exists()


def test_runs_are_kept_in_no_bucket(tmp_path: Path) -> None:
    _, said = sluice(tmp_path, "runs", "--runs", "gs://bucket/runs", status=2)
    assert "runs are kept on this machine: expected a directory, received 'gs://bucket/runs'" in said


def test_data_are_named_once(tmp_path: Path) -> None:
    _, said = sluice(tmp_path, "run", "auto_mpg", "--data", "a.csv", "--data", "b.csv", status=2)
    assert "--data was given twice; expected it once, with a glob" in said


@pytest.mark.parametrize("content", ["", "[]", '{"run": "auto_mpg-1"}'])
def test_a_damaged_record_spoils_no_other(tmp_path: Path, content: str) -> None:
    for _ in (1, 2):
        run_record.Record.new(tmp_path / "runs", "auto_mpg", {"model": "mlp", "data": "sample"}).close("done")
    (tmp_path / "runs" / "auto_mpg-1" / "run.json").write_text(content)
    out, _ = sluice(tmp_path, "runs")
    assert [line.split()[:2] for line in out.splitlines()[1:]] == [["auto_mpg-1", "damaged"], ["auto_mpg-2", "done"]]
    assert "damaged" in sluice(tmp_path, "show", "auto_mpg-1")[0]
    assert "auto_mpg-1: removed" in sluice(tmp_path, "clean", "--keep", "1")[0]


def test_a_version_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    version = tmp_path / "serving" / "auto_mpg" / "3"
    version.mkdir(parents=True)
    (version / "saved_model.pb").touch()
    _, said = sluice(tmp_path, "show", "serving/auto_mpg/9", status=2)
    assert "There is no version 9 of auto_mpg in 'serving'. Expected one of: 3." in said


def test_an_unknown_word_is_wrong_input(tmp_path: Path) -> None:
    _, said = sluice(tmp_path, "rum", status=2)
    assert "invalid choice: 'rum'" in said


def test_nothing_to_list_is_said(tmp_path: Path) -> None:
    assert sluice(tmp_path, "runs")[0] == f"No runs in {tmp_path / 'runs'} yet.\n"
    assert sluice(tmp_path, "versions", "auto_mpg")[0].startswith("No version of auto_mpg in ")


def test_a_closed_pipe_is_no_error(tmp_path: Path) -> None:
    command = f"{sys.executable} -m pipelines tasks | true"
    done = subprocess.run(["sh", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.stderr == ""


def test_compile_writes_where_it_is_told(tmp_path: Path) -> None:
    sluice(tmp_path, "compile", "-o", "mine.yaml", "--image", "example/sluice:3")
    assert "image: example/sluice:3" in (tmp_path / "mine.yaml").read_text()


def test_a_dry_run_makes_no_run(tmp_path: Path) -> None:
    out, _ = sluice(tmp_path, "run", "auto_mpg", "--dry-run")
    lines = out.splitlines()
    assert lines[1].split(maxsplit=1) == ["ingest", "would run  never done before"]
    assert lines[4] == "train      would run  unless ingest and transform put out the same as before"
    assert not list(tmp_path.glob("runs/auto_mpg-*"))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory in which auto_mpg was run once, with few epochs, past the gate."""
    home = tmp_path_factory.mktemp("home")
    out, said = sluice(home, "run", "auto_mpg", *AGAIN, warm=True)
    assert json.loads(out)["pushed"] == str(home / "serving" / "auto_mpg" / "1"), said
    yield home
    sluice(home, "stop", warm=True)


AGAIN = ("--set", "train.epochs=2", "--force", "a test", "--json")


@pytest.mark.slow
def test_an_unchanged_run_is_quick_and_without_tensorflow(home: Path) -> None:
    assert (
        min(seconds(home, "run", "auto_mpg", *AGAIN) for _ in range(3)) < 10
    )  # 0.9 s on an idle machine; benchmarks measure it
    out, _ = sluice(home, "run", "auto_mpg", *AGAIN)
    result = json.loads(out)
    kept = ["ingest", "validate", "transform", "train", "evaluate", "rehearse"]
    assert [step["name"] for step in result["steps"] if step["status"] == "cached"] == kept
    assert result["pushed"].endswith("/1")
    _, said = sluice(home, "run", "auto_mpg", *AGAIN, python=("-X", "importtime"))
    newest = max((home / "runs").glob("auto_mpg-*"), key=lambda path: int(path.name.rpartition("-")[2]))
    logs = [path.read_text() for path in (newest / "logs").iterdir()]
    assert {path.name for path in (newest / "logs").iterdir()} == {"resolve.log", "push.log"}
    for text in (said, *logs):
        assert imported(text).isdisjoint(HEAVY)


@pytest.mark.slow
def test_the_json_object_has_what_scripts_read(home: Path) -> None:
    out, _ = sluice(home, "run", "auto_mpg", *AGAIN)
    result = json.loads(out)
    assert {"run", "task", "model", "data", "steps", "metrics", "blessed", "reasons", "pushed"} <= result.keys()
    assert (result["task"], result["model"], result["data"]) == ("auto_mpg", "mlp", "sample")
    assert all(step.keys() == {"name", "status", "seconds"} for step in result["steps"])
    assert result["metrics"].keys() >= {"mae", "mse"}


@pytest.mark.slow
def test_what_was_run_and_pushed_can_be_looked_at(home: Path) -> None:
    assert "auto_mpg-1" in sluice(home, "runs", "auto_mpg")[0]
    shown, _ = sluice(home, "show", "auto_mpg-1")
    assert "pushed by force, past the gate" in shown
    assert str(home / "runs" / "auto_mpg-1" / "report.html") in shown
    assert (home / "runs" / "auto_mpg-1" / "report.html").is_file()
    assert "train.epochs" in sluice(home, "compare", "auto_mpg-1", "auto_mpg-1")[0]
    assert "forced: a test" in sluice(home, "versions", "auto_mpg")[0]


@pytest.mark.slow
def test_a_model_that_does_not_clear_the_gate_is_rejected(home: Path) -> None:
    out, _ = sluice(home, "run", "auto_mpg", "--set", "train.epochs=1", "--json", status=3, warm=True)
    result = json.loads(out)
    assert result["blessed"] is False
    assert result["reasons"]
    assert result["pushed"] == ""
    assert not (home / "serving" / "auto_mpg" / "2").exists()


@pytest.mark.slow
def test_the_pushed_model_answers_raw_rows(home: Path) -> None:
    rows = (
        "origin,cylinders,displacement,horsepower,weight,acceleration,model_year\n"
        "1,8,307,130,3504,12,70\n3,4,97,much,2130,14.5,70\n3,4,97,,2130,14.5,70\n"
    )
    out, said = sluice(home, "predict", "auto_mpg", given=rows, status=1, warm=True)
    first, bad, last = (json.loads(line) for line in out.splitlines())
    assert isinstance(first["prediction"], float)
    assert "horsepower" in bad["error"]
    assert isinstance(last["prediction"], float)
    assert "1 of 3 rows could not be answered" in said


@pytest.mark.slow
def test_a_feature_that_gives_the_label_away_stops_the_run(home: Path, tmp_path: Path) -> None:
    (part,) = tasks.get("auto_mpg").sample()
    (cars,) = part.read()
    cars.assign(displacement=(cars["mpg"] * 11.3).round(1)).to_csv(tmp_path / "leaky.csv", index=False)
    words = ("run", "auto_mpg", "--data", str(tmp_path / "leaky.csv"), "--serving", str(tmp_path / "serving"))
    out, said = sluice(home, *words, "--set", "train.epochs=1", "--json", status=1, warm=True)
    assert "The label mpg is given away by displacement" in said
    assert (home / "runs" / json.loads(out)["run"] / "report.html").is_file()
    assert not (tmp_path / "serving").exists()


def test_a_task_is_told_with_every_setting(tmp_path: Path) -> None:
    told = json.loads(sluice(tmp_path, "tasks", "auto_mpg", "--json")[0])
    assert told["features"][6] == {
        "name": "origin", "kind": "category", "values": "1=USA, 2=Europe, 3=Japan", "missing": "", "about": "",
    }  # fmt: skip
    settings = {one["name"]: (one["default"], one["expected"]) for one in told["models"]["mlp"]}
    assert settings["model.units"] == ("64", "an integer")
    assert settings["train.learning_rate"] == ("0.001", "a number or none")
    assert all(one["meaning"] for one in told["models"]["mlp"])
    assert "pr_auc" not in told["metrics"]
    text, _ = sluice(tmp_path, "tasks", "auto_mpg")
    assert "mpg (the label)" in text
    assert "train.patience" in text
    assert "Did you mean 'auto_mpg'?" in sluice(tmp_path, "tasks", "auto_mgp", status=2)[1]


@pytest.mark.parametrize(
    ("line", "offered"),
    [
        ("sluice ver", {"versions "}),
        ("sluice run auto", {"auto_mpg "}),
        ("sluice run california_housing --model wide_deep_a", {"wide_deep_aux "}),
        ("sluice run auto_mpg --set model.", {"model.layers=", "model.units="}),
        ("sluice show auto_mpg-", {"auto_mpg-1 "}),
    ],
)
def test_the_shell_offers_what_may_come_next(tmp_path: Path, line: str, offered: set[str]) -> None:
    run_record.Record.new(tmp_path / "runs", "auto_mpg", {"model": "mlp", "data": "sample"}).close("done")
    answers = tmp_path / "answers"
    env = {
        **os.environ, "PYTHONPATH": str(ROOT), "SLUICE_HOME": str(tmp_path), "_ARGCOMPLETE": "1", "COMP_LINE": line,
        "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n", "_ARGCOMPLETE_STDOUT_FILENAME": str(answers),
        "_ARGCOMPLETE_SHELL": "bash",
    }  # fmt: skip
    subprocess.run([sys.executable, "-m", "pipelines"], cwd=tmp_path, env=env, check=True, timeout=120)
    assert {word.replace("\\", "") for word in answers.read_text().split("\n")} == offered


@pytest.mark.parametrize("data", ["sample", "real", "tfds:penguins/simple,train[:50%]"])
def test_data_with_a_name_are_no_file(data: str) -> None:
    given = parser().parse_args(["run", "auto_mpg", "--data", data])
    assert pipeline_arguments(given)["data"] == data


@pytest.mark.slow
def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    (tmp_path / "isal.py").write_text('raise ModuleNotFoundError("No module named \'isal\'", name="isal")\n')
    (tmp_path / "row.csv").write_text("weight\n2000\n")
    _, said = sluice(tmp_path, "predict", "auto_mpg", "row.csv", status=1)
    sentence = (
        "The library 'isal' is not installed. `sluice doctor` tells which ones Sluice lacks, `make install` "
        "installs them."
    )
    assert said == f"sluice: {sentence}\n"
    _, said = sluice(tmp_path, "run", "auto_mpg", status=1)
    assert f"sluice: The step ingest failed: {sentence}\n" in said
