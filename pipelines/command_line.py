"""The words and options of the command line."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from components import beam_runners
from components.storage.local_paths import default_place, local_path
from pipelines import run_options, serving_options
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
    for command in run_options.add_commands(commands.add, _json):
        _data_and_settings(command)
        _runs_and_serving(command)
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
