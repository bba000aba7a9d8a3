"""The words and options of the commands that train: once, at each change, for each combination, in search."""

from __future__ import annotations

import argparse
from collections.abc import Callable

RUN = """sluice run auto_mpg --data real --set train.epochs=50
  sluice run auto_mpg --set model.units=32 --no-push"""

WATCH = """sluice watch auto_mpg --set train.epochs=50
  sluice watch penguins --data penguins.csv --push"""

SWEEP = """sluice sweep california_housing --grid model=mlp,wide_deep --grid train.learning_rate=0.001,0.01
  sluice sweep auto_mpg --data real --grid seed=0,1,2 --jobs 2"""

SEARCH = """sluice search auto_mpg --trials 40 --space train.learning_rate=log:1e-4..1e-1 --space 'model.units=16|32|64'
  sluice search california_housing --space 'model=mlp|wide_deep' --space train.epochs=5..40 --jobs 2"""

Add = Callable[..., argparse.ArgumentParser]
Extend = Callable[[argparse.ArgumentParser], None]


def add_commands(add: Add, as_json: Extend) -> list[argparse.ArgumentParser]:
    """The commands, which all take data and settings, and where runs and versions lie."""
    return [_run(add, as_json), _watch(add), _sweep(add, as_json), _search(add, as_json)]


def _run(add: Add, as_json: Extend) -> argparse.ArgumentParser:
    run = add("run", "run", "run the pipeline of a task on this machine", RUN)
    _task_model_seed(run, "of weights and shuffling")
    run.add_argument("--warm-start", action="store_true", help="begin with the serving model's weights, where they fit")
    run.add_argument("--no-cache", action="store_true", help="run every step, whatever is kept from earlier runs")
    run.add_argument("--dry-run", action="store_true", help="show which steps would run, and why; run none")
    run.add_argument(
        "--no-push", action="store_true",
        help="train and judge, but push nothing: for what is only to be tried; a later run without it pushes at once",
    )  # fmt: skip
    run.add_argument(
        "--notify", default="", metavar="URL",
        help="tell this webhook, in JSON, if the model is rejected or the run fails",
    )  # fmt: skip
    run.add_argument("--keep", type=int, default=0, metavar="N", help="so many versions stay served; default: 0, all")
    run.add_argument("--force", default=None, metavar="REASON", help="push past the gate; the reason is kept")
    run.add_argument(
        "--progress", choices=("text", "json"), default="text",
        help="how stderr tells how far it is: text (default), or json: an object a line, for programs",
    )  # fmt: skip
    as_json(run)
    return run


def _watch(add: Add) -> argparse.ArgumentParser:
    about = "run again at each saved change of the task, transforms/ or the data; tell what changed"
    watch = add("watch", "watch", about, WATCH)
    _task_model_seed(watch, "of weights and shuffling")
    watch.add_argument("--push", action="store_true", help="push what clears the gate; default: nothing")
    return watch


def _sweep(add: Add, as_json: Extend) -> argparse.ArgumentParser:
    sweep = add("sweep", "sweep", "train and judge a model for each combination of settings; push none", SWEEP)
    sweep.add_argument("task", metavar="TASK")
    sweep.add_argument(
        "--grid", action="append", default=[], metavar="KEY=V1,V2,...", required=True,
        help="the values of one setting: model, seed, train.*, model.* or preprocess.*; may be repeated",
    )  # fmt: skip
    sweep.add_argument("--jobs", type=int, default=1, metavar="N", help="so many runs at a time; default: 1")
    as_json(sweep)
    return sweep


def _search(add: Add, as_json: Extend) -> argparse.ArgumentParser:
    about = "choose settings by what others came to, trial by trial; judge the best once; push none"
    search = add("search", "search", about, SEARCH)
    _task_model_seed(search, "of weights and shuffling, and of what is tried")
    search.add_argument(
        "--space", action="append", default=[], metavar="KEY=SPACE", required=True,
        help="what a setting may be: 'A|B|C', LOW..HIGH or log:LOW..HIGH, of model, train.*, model.* or preprocess.*; "
        "may be repeated",
    )  # fmt: skip
    search.add_argument(
        "--trials", type=int, default=20, metavar="N",
        help="so many in all, with earlier ones of the same search; default: 20",
    )  # fmt: skip
    search.add_argument("--jobs", type=int, default=1, metavar="N", help="so many trials at a time; default: 1")
    as_json(search)
    return search


def _task_model_seed(command: argparse.ArgumentParser, seeded: str) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument("--model", default="", help="one of the task's models; default: its first")
    command.add_argument("--seed", type=int, default=0, metavar="N", help=f"{seeded}; default: 0")
