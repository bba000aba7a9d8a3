"""The words and options of the command line."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from components import beam_runners
from components.storage.local_paths import local_path
from pipelines import serving_options
from pipelines.kubeflow import command_options as cluster

ABOUT = """From raw data to a served Keras model: ingest, validate, transform, train, evaluate, push.
Only a model that clears its task's gate is pushed."""
START = """examples:
  sluice tasks                                what can be learned
  sluice run auto_mpg                         the whole pipeline, on the task's own small sample
  sluice predict auto_mpg cars.csv            ask the model that was pushed

exit status: 0 done and pushed, or nothing to do; 1 a step failed; 2 the command or its input is wrong;
3 the gate rejected the model; 130 interrupted"""


class _Command(argparse.ArgumentParser):
    """Files may stand behind options too, where argparse by itself takes each for one word too many."""

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> tuple[Any, list[str]]:
        given, rest = super().parse_known_args(args, namespace)
        if "files" in given and not any(word.startswith("-") and word != "-" for word in rest):
            given.files, rest = [*given.files, *rest], []
        return given, rest


class _Once(argparse.Action):
    """Of two values argparse by itself takes the last, without a word."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        if getattr(namespace, self.dest) != self.default:
            parser.error(f"{option} was given twice; expected it once, with a glob such as 'days/*.csv' for many files")
        setattr(namespace, self.dest, values)


class _Flink(argparse.Action):
    """Beam's options for a Flink, in one word."""

    def __call__(self, parser: argparse.ArgumentParser, namespace: Any, values: Any, option: str | None = None) -> None:
        try:
            namespace.beam = [*namespace.beam, *beam_runners.flink(values)]
        except ValueError as error:
            parser.error(f"{option}: {error}")


class _Commands:
    """Adds commands to a parser, each with an example in its help."""

    def __init__(self, root: argparse.ArgumentParser) -> None:
        self.group = root.add_subparsers(metavar="COMMAND", required=True, parser_class=_Command)

    def add(self, name: str, module: str, about: str, example: str, **defaults: Any) -> argparse.ArgumentParser:
        parser = self.group.add_parser(
            name,
            help=about[0].lower() + about[1:],
            description=about[0].upper() + about[1:] + ".",
            epilog=f"examples:\n  {example}",
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        parser.set_defaults(module=module, **defaults)
        parser.add_argument(
            "--tasks",
            default="",
            metavar="DIR",
            help="where files of your own tasks lie; default: $SLUICE_TASKS, or ./tasks",
        )
        return parser


def parser() -> argparse.ArgumentParser:
    root = argparse.ArgumentParser(
        prog="sluice", description=ABOUT, epilog=START, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = _Commands(root)
    listed = commands.add(
        "tasks", "tasks", "list every task, its models, sources and gate, or tell all of one",
        "sluice tasks\n  sluice tasks auto_mpg",
    )  # fmt: skip
    listed.add_argument("task", metavar="TASK", nargs="?", default="", help="tell its columns and every setting")
    _json(listed)
    _own_tasks(commands)
    _run(commands)
    _looking_back(commands)
    for command in serving_options.add_commands(commands.add, _json):
        _place(command, "serving")
    doctor = commands.add(
        "doctor", "doctor", "check this machine, or a Kubeflow, and say what to do",
        "sluice doctor\n  sluice doctor --host https://kubeflow.example",
    )  # fmt: skip
    _runs_and_serving(doctor)
    cluster.add_reaching(doctor)
    stop = commands.add(
        "stop", "stop", "end the processes kept loaded for the next command",
        "sluice stop\n  sluice stop --runs ~/runs",
    )  # fmt: skip
    _place(stop, "runs")
    cluster.add_commands(commands.add, _data_and_settings)
    return root


def _own_tasks(commands: _Commands) -> None:
    new = commands.add(
        "new",
        "new",
        "write the file of a task for data of your own",
        "sluice new penguins --data penguins.csv --label species\n"
        "  sluice new reviews --data 'days/*.jsonl' --label stars\n"
        "  sluice new leaves --data leaves  # a folder of pictures for each kind",
    )  # fmt: skip
    new.add_argument("task", metavar="TASK", help="the name of the task, which becomes its file's")
    new.add_argument(
        "--data", required=True, metavar="SRC", help="CSV, JSON lines or Parquet, or a folder or archive of pictures"
    )
    new.add_argument("--label", default="", metavar="COLUMN", help="the column to learn, as the file calls it")
    check = commands.add(
        "check",
        "check",
        "try whether a task keeps what every task promises",
        "sluice check auto_mpg\n  sluice check penguins --tasks ~/tasks",
    )
    check.add_argument("task", metavar="TASK")


def _run(commands: _Commands) -> None:
    example = (
        "sluice run auto_mpg --data real --set train.epochs=50\n  sluice run auto_mpg --set model.units=32 --no-push"
    )
    run = commands.add("run", "run", "run the pipeline of a task on this machine", example)
    run.add_argument("task", metavar="TASK")
    run.add_argument("--model", default="", help="one of the task's models; default: its first")
    run.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and shuffling; default: 0")
    _data_and_settings(run)
    run.add_argument("--warm-start", action="store_true", help="begin with the serving model's weights, where they fit")
    run.add_argument("--no-cache", action="store_true", help="run every step, whatever is kept from earlier runs")
    run.add_argument("--dry-run", action="store_true", help="show which steps would run, and why; run none")
    run.add_argument(
        "--no-push",
        action="store_true",
        help="train and judge, but push nothing: for what is only to be tried; a later run without it pushes at once",
    )
    run.add_argument(
        "--notify",
        default="",
        metavar="URL",
        help="tell this webhook, in JSON, if the model is rejected or the run fails",
    )
    run.add_argument("--keep", type=int, default=0, metavar="N", help="so many versions stay served; default: 0, all")
    run.add_argument("--force", default=None, metavar="REASON", help="push past the gate; the reason is kept")
    _runs_and_serving(run)
    _json(run)
    run.add_argument(
        "--progress", choices=("text", "json"), default="text",
        help="how stderr tells how far it is: text (default), or json: an object a line, for programs",
    )  # fmt: skip

    watch = commands.add(
        "watch", "watch", "run again at each saved change of the task, transforms/ or the data; tell what changed",
        "sluice watch auto_mpg --set train.epochs=50\n  sluice watch penguins --data penguins.csv --push",
    )  # fmt: skip
    watch.add_argument("task", metavar="TASK")
    watch.add_argument("--model", default="", help="one of the task's models; default: its first")
    watch.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and shuffling; default: 0")
    _data_and_settings(watch)
    watch.add_argument("--push", action="store_true", help="push what clears the gate; default: nothing")
    _runs_and_serving(watch)

    sweep = commands.add(
        "sweep", "sweep", "train and judge a model for each combination of settings; push none",
        "sluice sweep california_housing --grid model=mlp,wide_deep --grid train.learning_rate=0.001,0.01\n"
        "  sluice sweep auto_mpg --data real --grid seed=0,1,2 --jobs 2",
    )  # fmt: skip
    sweep.add_argument("task", metavar="TASK")
    sweep.add_argument(
        "--grid", action="append", default=[], metavar="KEY=V1,V2,...", required=True,
        help="the values of one setting: model, seed, train.*, model.* or preprocess.*; may be repeated",
    )  # fmt: skip
    sweep.add_argument("--jobs", type=int, default=1, metavar="N", help="so many runs at a time; default: 1")
    _data_and_settings(sweep)
    _runs_and_serving(sweep)
    _json(sweep)

    search = commands.add(
        "search", "search", "choose settings by what others came to, trial by trial; judge the best once; push none",
        "sluice search auto_mpg --trials 40 --space train.learning_rate=log:1e-4..1e-1 --space 'model.units=16|32|64'\n"
        "  sluice search california_housing --space 'model=mlp|wide_deep' --space train.epochs=5..40 --jobs 2",
    )  # fmt: skip
    search.add_argument("task", metavar="TASK")
    search.add_argument(
        "--space", action="append", default=[], metavar="KEY=SPACE", required=True,
        help="what a setting may be: 'A|B|C', LOW..HIGH or log:LOW..HIGH, of model, train.*, model.* or preprocess.*; "
        "may be repeated",
    )  # fmt: skip
    search.add_argument(
        "--trials",
        type=int,
        default=20,
        metavar="N",
        help="so many in all, with earlier ones of the same search; default: 20",
    )
    search.add_argument("--jobs", type=int, default=1, metavar="N", help="so many trials at a time; default: 1")
    search.add_argument("--model", default="", help="one of the task's models; default: its first")
    search.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of weights and shuffling, and of what is tried; default: 0"
    )
    _data_and_settings(search)
    _runs_and_serving(search)
    _json(search)


def _data_and_settings(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--data",
        action=_Once,
        default="sample",
        metavar="SRC",
        help="sample (default), real, a glob of files, or tfds:NAME (docs/tensorflow-datasets.md)",
    )
    command.add_argument(
        "--data-dir", default="", metavar="DIR", help="where the real data's files lie, or what tfds has prepared"
    )
    command.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", dest="overrides",
        help="change a setting: train.*, model.* or preprocess.*; may be repeated",
    )  # fmt: skip
    command.add_argument(
        "--beam", action="append", default=[], metavar="ARG", help="an option for Apache Beam; may be repeated"
    )
    command.add_argument(
        "--flink", action=_Flink, default="", metavar="HOST:PORT[,HOST:PORT]",
        help="ingest and transform on Flink: the address of Beam's job server, and of a pool of Python workers",
    )  # fmt: skip


def _looking_back(commands: _Commands) -> None:
    runs = commands.add("runs", "history", "list the runs", "sluice runs auto_mpg\n  sluice runs --html", view="runs")
    runs.add_argument("task", metavar="TASK", nargs="?", default="")
    runs.add_argument(
        "--html", action="store_true", help="rewrite the page of all runs, index.html, and say where it is"
    )
    show = commands.add(
        "show",
        "history",
        "show a run's essentials, or a pushed version's",
        "sluice show auto_mpg-3\n  sluice show serving/auto_mpg/2",
        view="show",
    )
    show.add_argument("run", metavar="RUN", help="a run's name, or the directory of a version: serving/auto_mpg/3")
    reproduce = commands.add(
        "reproduce",
        "reproduce",
        "run a run again, without cache, and compare every number",
        "sluice reproduce auto_mpg-3\n  sluice reproduce serving/auto_mpg/2",
    )
    reproduce.add_argument("run", metavar="RUN", help="as for show; what is pushed goes into the new run's directory")
    compare = commands.add(
        "compare",
        "history",
        "compare runs side by side, all their settings and metrics",
        "sluice compare auto_mpg-3 auto_mpg-4\n  sluice compare auto_mpg-3 auto_mpg-4 auto_mpg-7 --json",
        view="compare",
    )
    compare.add_argument("compared", metavar="RUN", nargs="+")
    clean = commands.add(
        "clean",
        "clean",
        "remove older runs, and what no run that stays needs",
        "sluice clean auto_mpg --keep 20\n  sluice clean --keep 5 --dry-run",
    )
    clean.add_argument("task", metavar="TASK", nargs="?", default="", help="default: every task's")
    clean.add_argument("--keep", type=int, required=True, metavar="N", help="so many runs of each task stay")
    clean.add_argument("--dry-run", action="store_true", help="say what would be removed; remove nothing")
    for command in (runs, show, compare, reproduce, clean):
        _place(command, "runs")
        _json(command)


def _runs_and_serving(command: argparse.ArgumentParser) -> None:
    for name in ("runs", "serving"):
        _place(command, name)


def _place(command: argparse.ArgumentParser, name: str) -> None:
    what = {"runs": "where runs are kept", "serving": "the directory that is served"}[name]
    command.add_argument(
        f"--{name}", type=_local if name == "runs" else _absolute, default=default_place(name), metavar="DIR",
        help=f"{what}; default: ./{name}, or $SLUICE_HOME/{name}", dest=f"{name}_dir",
    )  # fmt: skip


def default_place(name: str) -> Path:
    """Where runs, or versions, are kept when nobody says otherwise."""
    return (Path(os.environ.get("SLUICE_HOME") or ".") / name).expanduser().absolute()


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON value instead of text")


def _local(text: str) -> Path:
    """Runs are locked, renamed and linked, which object stores do not know."""
    if "://" in text:
        raise argparse.ArgumentTypeError(f"runs are kept on this machine: expected a directory, received {text!r}")
    return local_path(text).absolute()


def _absolute(text: str) -> Path | str:
    """Steps run in directories of their own, so no path may depend on this one's."""
    return text if "://" in text else local_path(text).absolute()
