"""What the shell offers for the word that is being typed, by argcomplete; the README has the line that turns it on."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable
from typing import Any

import tasks

Offer = Callable[..., list[str]]


def offer(parser: argparse.ArgumentParser) -> None:
    """If it is the shell that asks, answer it and end; otherwise this costs nothing."""
    if "_ARGCOMPLETE" not in os.environ:
        return
    import argcomplete

    (commands,) = (action for action in parser._actions if isinstance(action, argparse._SubParsersAction))
    for command in commands.choices.values():
        for action in command._actions:
            if action.dest in OFFERS:
                action.completer = OFFERS[action.dest]
    argcomplete.autocomplete(parser)


def _task_names(**_: Any) -> list[str]:
    tasks.use_folder("")
    return tasks.names()


def _run_names(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    return [path.parent.name for path in parsed_args.runs_dir.glob("*/run.json")]


def _models(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    tasks.use_folder("")
    return [*tasks.get(parsed_args.task).models]


def _settings(parsed_args: argparse.Namespace, **_: Any) -> list[str]:
    from components import settings

    tasks.use_folder("")
    task = tasks.get(parsed_args.task)
    model = getattr(parsed_args, "model", "") or task.default_model
    found = [*settings.described_model(task, model), *settings.described_preprocess(task)]
    return [f"{one.name}=" for one in found]


OFFERS: dict[str, Offer] = {
    "task": _task_names, "run": _run_names, "compared": _run_names, "model": _models, "overrides": _settings,
    "grid": _settings, "space": _settings,
}  # fmt: skip
