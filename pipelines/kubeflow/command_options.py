"""The words and options of the commands that talk to, or compile for, a cluster."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

Add = Callable[..., argparse.ArgumentParser]


def add_commands(add: Add, data_and_settings: Callable[[argparse.ArgumentParser], None]) -> None:
    example = (
        "sluice compile\n  sluice compile -o pipeline.yaml --image repo/sluice:1.0\n"
        "  sluice compile --training-runtime 4 -o runtime.yaml --profile prod"
    )
    compile_ = add("compile", "compile", "write the Kubeflow pipeline, and say what a backend would not do", example)
    compile_.add_argument("-o", "--output", type=Path, help="default: pipeline.yaml or training-runtime.yaml")
    form = compile_.add_mutually_exclusive_group()
    form.add_argument(
        "--manifest", action="store_true", help="as the Kubernetes objects Pipeline and PipelineVersion, for GitOps"
    )
    form.add_argument(
        "--training-runtime", type=int, metavar="WORKERS",
        help="instead, the trainer on so many machines, for Kubeflow Trainer 2",
    )  # fmt: skip
    compile_.add_argument("--namespace", metavar="NAME", help="of the objects; default: where they are applied")
    _placing(compile_, backend="2.14")

    example = (
        "sluice submit fashion_mnist --model cnn --host https://kubeflow.example/pipeline --gpus 1 --wait\n"
        "  sluice submit auto_mpg --host http://localhost:8888 --destination gs://bucket/serving"
    )
    submit = add("submit", "submit", "run the pipeline of a task on Kubeflow", example)
    _run(submit, data_and_settings)
    submit.add_argument("--wait", action="store_true", help="follow the run to its end; exit as a local run would")
    submit.add_argument(
        "--every", type=float, default=5.0, metavar="SECONDS", help="ask so often, at least 0.1; default: 5"
    )

    example = (
        'sluice schedule auto_mpg --cron "0 3 * * *" --timezone Europe/Berlin --host https://kubeflow.example\n'
        '  sluice schedule auto_mpg --cron "0 3 * * *" --local'
    )
    schedule = add("schedule", "schedule", "run a task on Kubeflow again and again", example, action="schedule")
    _run(schedule, data_and_settings)
    _times(schedule)

    example = (
        "sluice schedules --host https://kubeflow.example\n  sluice schedules --host https://kubeflow.example --json"
    )
    schedules = add("schedules", "schedule", "list the schedules on Kubeflow", example, action="schedules")
    example = "sluice unschedule auto_mpg --host https://kubeflow.example\n  sluice unschedule nightly --host http://localhost:8888"
    unschedule = add("unschedule", "schedule", "remove a schedule from Kubeflow", example, action="unschedule")
    unschedule.add_argument("name", metavar="NAME")
    example = (
        "sluice logs 0f3c6e1a-52a4-4b8e-9d5f-2f1f0a6f7c11 ingest --host https://kubeflow.example/pipeline\n"
        "  sluice logs auto-mpg-x7k2p train --host http://localhost:8888"
    )
    logs = add("logs", "logs", "print the log of a step of a run on Kubeflow", example)
    logs.add_argument("run", metavar="RUN", help="its id, as submit tells it, or its name")
    logs.add_argument("step", metavar="STEP")
    for command in (schedules, unschedule, logs):
        add_reaching(command)
    for command in (submit, schedule, schedules):
        command.add_argument("--json", action="store_true", help="print one JSON value instead of text")


def _run(command: argparse.ArgumentParser, data_and_settings: Callable[[argparse.ArgumentParser], None]) -> None:
    command.add_argument("task", metavar="TASK")
    command.add_argument("--model", default="", help="one of the task's models; default: its first")
    command.add_argument("--seed", type=int, default=0, metavar="N", help="of weights and shuffling; default: 0")
    data_and_settings(command)
    command.add_argument(
        "--warm-start", action="store_true", help="begin with the serving model's weights, where they fit"
    )
    command.add_argument("--no-push", action="store_true", help="train and judge the model, but push nothing")
    command.add_argument("--keep", type=int, default=0, metavar="N", help="so many versions stay served; default: all")
    command.add_argument("--force", default=None, metavar="REASON", help="push past the gate; the reason is kept")
    command.add_argument("--destination", metavar="PLACE", help="a bucket's URL, or an absolute path that is mounted")
    command.add_argument("--service-account", metavar="NAME", help="which the steps run as")
    command.add_argument("--pipeline-root", metavar="URL", help="where Kubeflow keeps what steps put out")
    command.add_argument("--no-cache", action="store_true", help="run every step, also where its outcome is known")
    _reaching(command)
    _placing(command)


def _times(command: argparse.ArgumentParser) -> None:
    command.add_argument("--cron", required=True, help="five fields as in a crontab, or six with the second first")
    command.add_argument("--name", default=None, help="default: the task; the same name again replaces the schedule")
    command.add_argument("--timezone", default="UTC", metavar="ZONE", help="of --cron and {date}; default: UTC")
    command.add_argument(
        "--server-timezone", default="UTC", metavar="ZONE", help="of Kubeflow's scheduler; default: UTC"
    )
    command.add_argument("--local", action="store_true", help="print what cron and systemd need here; install nothing")
    command.add_argument("--catchup", action="store_true", help="also run for the times that were missed")
    command.add_argument("--disabled", action="store_true", help="make it, but let it start nothing yet")
    command.add_argument("--fail-when-rejected", action="store_true", help="a rejected model fails its run")
    command.add_argument(
        "--notify",
        default="",
        metavar="URL",
        help="with --local: tell this webhook if a model is rejected or a run fails",
    )


def add_reaching(command: argparse.ArgumentParser) -> None:
    """For a command that starts nothing there."""
    _reaching(command)
    _placing(command, hidden=True)


def _reaching(command: argparse.ArgumentParser) -> None:
    command.add_argument("--host", metavar="URL", help="of Kubeflow Pipelines; default: $KF_PIPELINES_ENDPOINT")
    command.add_argument("--namespace", metavar="NAME", help="where many users share one Kubeflow")
    command.add_argument(
        "--token-file", default="", metavar="FILE", help="holds the token; default: the token in $SLUICE_KFP_TOKEN"
    )


def _placing(
    command: argparse.ArgumentParser, *, backend: str = "what it says of itself, else 2.0", hidden: bool = False
) -> None:
    """How the steps run; commands that start none have the profile alone."""
    group = command.add_argument_group("on the cluster") if not hidden else command

    def option(flag: str, text: str, **how: Any) -> None:
        if hidden:
            command.set_defaults(**{flag.lstrip("-").replace("-", "_"): [] if "action" in how else None})
        else:
            group.add_argument(flag, help=text, **how)

    group.add_argument(
        "--profile", default="", metavar="NAME", help="of sluice.toml or pyproject.toml in this directory"
    )
    many = {"action": "append", "default": []}
    option("--backend", f"of Kubeflow Pipelines; default: {backend}", metavar="VERSION")
    option("--steps", "few: cheap neighbours share a pod; default: all", choices=("all", "few"))
    option("--image", "the image that the steps run in", metavar="IMAGE")
    option("--gpu-image", "the image of the trainer with GPUs; default: that of all steps", metavar="IMAGE")
    option("--gpus", "for the trainer alone; default: 0", type=int, metavar="N")
    option("--gpu-type", "default: nvidia.com/gpu", metavar="TYPE")
    option("--gpu-node-selector", "of the trainer with GPUs; may be repeated", metavar="KEY=VALUE", **many)
    option("--gpu-toleration", "of the trainer with GPUs; may be repeated", metavar="KEY[=VALUE][:EFFECT]", **many)
    option("--node-selector", "of every step; may be repeated", metavar="KEY=VALUE", **many)
    option("--toleration", "of every step; may be repeated", metavar="KEY[=VALUE][:EFFECT]", **many)
    option("--secret", "a Kubernetes secret's key as a variable; may be repeated", metavar="NAME:KEY=VARIABLE", **many)
    option("--env", "a variable of every step, nothing secret; may be repeated", metavar="KEY=VALUE", **many)
    option("--volume", "a persistent volume claim in every step; may be repeated", metavar="CLAIM:/PATH", **many)
    option("--shm", "shared memory for the trainer, such as 8Gi", metavar="SIZE")
