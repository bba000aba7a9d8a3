"""The words and options of the commands about pushed versions: asked, served, listed and rolled back."""

from __future__ import annotations

import argparse
from collections.abc import Callable

PREDICT = """sluice predict auto_mpg cars.csv > predictions.jsonl
  sluice predict auto_mpg 'day=*/cars.parquet' -o predictions.parquet
  sluice predict auto_mpg cars.csv --id plate --with-inputs -o predictions.csv
  sluice predict fashion_mnist shirt.png shoes/*.png
  sluice predict imdb_padded reviews.txt
  echo 'A wonderful film' | sluice predict imdb_padded

Answers come in the order of the rows. A row that cannot be answered has an "error" in its place, and the exit status
is 1 then. With pictures, a glob or more than one FILE each answer names its "file"."""

SERVE = """sluice serve auto_mpg imdb_padded --port 8501
  sluice serve fashion_mnist --log asked.jsonl

A version that is pushed meanwhile takes over within two seconds. Stop it with Ctrl-C."""

SKEW = """sluice skew auto_mpg asked.jsonl
  sluice skew auto_mpg 'logs/*.jsonl.gz' --labels mileage.csv --key plate --json

The rows that the newest version answered, or --version N, are compared with those it was trained on. The exit status
is 3 where a column, or with labels a metric, lies beyond the task's limits by more than chance."""

CONFIG = """sluice serving-config auto_mpg imdb_padded --base-path /models/serving > models.config
  sluice serving-config auto_mpg --kserve --serving gs://models/serving | kubectl apply -f -"""

Add = Callable[..., argparse.ArgumentParser]
Extend = Callable[[argparse.ArgumentParser], None]


def add_commands(add: Add, as_json: Extend) -> list[argparse.ArgumentParser]:
    """The commands, which all take the directory that is served."""
    return [_predict(add), *_servers(add), _skew(add, as_json), *_versions(add, as_json)]


def _predict(add: Add) -> argparse.ArgumentParser:
    predict = add("predict", "predict", "answer raw rows with the pushed model, a JSON line for each", PREDICT)
    predict.add_argument("task", metavar="TASK")
    predict.add_argument(
        "files", metavar="FILE", nargs="*",
        help="CSV, JSON lines, Parquet or TFRecord of the raw features, or a glob; - for stdin (default). For a task "
        "of pictures also PNG or JPEG files, or a directory of them; for a task of texts .txt, a text a line",
    )  # fmt: skip
    predict.add_argument(
        "-o",
        "--output",
        metavar="FILE",
        help="write to FILE.jsonl, .csv or .parquet instead of stdout; whole or not at all",
    )
    predict.add_argument("--id", default="", metavar="COLUMN", help="repeat this column of the file before each answer")
    predict.add_argument("--with-inputs", action="store_true", help="repeat what was asked before each answer")
    predict.add_argument("--version", type=int, default=None, metavar="N", help="default: the newest")
    return predict


def _servers(add: Add) -> tuple[argparse.ArgumentParser, ...]:
    serve = add(
        "serve", "serve", "answer over HTTP on this machine, as TF Serving would, with a page to try the model", SERVE
    )
    serve.add_argument("served", metavar="TASK", nargs="+")
    serve.add_argument("--port", type=int, default=8501, metavar="N", help="default: 8501; 0 for any free one")
    serve.add_argument("--host", default="127.0.0.1", metavar="ADDRESS", help="default: 127.0.0.1, this machine alone")
    serve.add_argument("--log", default="", metavar="FILE", help="append what is asked and answered, a JSON line a row")
    config = add(
        "serving-config", "serving_config", "print what TF Serving or KServe has to know to serve these tasks", CONFIG
    )
    config.add_argument("served", metavar="TASK", nargs="*", help="default: all that have a version")
    config.add_argument(
        "--base-path", default="", metavar="PATH", help="where the server finds the versions; default: as for --serving"
    )
    config.add_argument("--labels", action="store_true", help="two versions a task: the newest as canary, and stable")
    config.add_argument(
        "--stable", action="append", default=[], metavar="TASK=N", help="this version as stable; may be repeated"
    )
    config.add_argument("--kserve", action="store_true", help="an InferenceService for each task instead")
    config.add_argument("--version", type=int, default=None, metavar="N", help="for --kserve; default: the newest")
    config.add_argument(
        "--unpinned", action="store_true", help="for --kserve: whichever version is the newest when a pod starts"
    )
    return serve, config


def _skew(add: Add, as_json: Extend) -> argparse.ArgumentParser:
    skew = add("skew", "skew", "compare what a served model was asked with what it was trained on", SKEW)
    skew.add_argument("task", metavar="TASK")
    skew.add_argument(
        "files", metavar="LOG", nargs="+",
        help="what `sluice serve --log` wrote, or TFRecords of TF Serving's PredictionLog; or a glob",
    )  # fmt: skip
    skew.add_argument("--version", type=int, default=None, metavar="N", help="default: the newest")
    skew.add_argument(
        "--labels",
        default="",
        metavar="FILE",
        help="labels that came since, to measure the model by: CSV, JSON lines, ...",
    )
    skew.add_argument(
        "--key", default="id", metavar="COLUMN", help="the column of --labels that holds the log's ids; default: id"
    )
    skew.add_argument(
        "--notify", default="", metavar="URL", help="tell this webhook, in JSON, of what is beyond a limit"
    )
    as_json(skew)
    return skew


def _versions(add: Add, as_json: Extend) -> tuple[argparse.ArgumentParser, ...]:
    versions = add(
        "versions",
        "versions",
        "list the versions of a task's model",
        "sluice versions auto_mpg\n  sluice versions auto_mpg --json",
        action="versions",
    )
    versions.add_argument("task", metavar="TASK")
    as_json(versions)
    rollback = add(
        "rollback",
        "versions",
        "make an older version the newest again",
        "sluice rollback auto_mpg 2\n  sluice rollback auto_mpg 2 --serving gs://bucket/serving",
        action="rollback",
    )
    rollback.add_argument("task", metavar="TASK")
    rollback.add_argument("version", metavar="VERSION", type=int)
    release = add(
        "release",
        "versions",
        "let retraining push again after a rollback",
        "sluice release auto_mpg\n  sluice release auto_mpg --serving gs://bucket/serving",
        action="release",
    )
    release.add_argument("task", metavar="TASK")
    return versions, rollback, release
