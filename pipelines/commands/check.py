"""`sluice check`."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import tasks
from components.check_task import definition
from components.check_task.broken_promise import BrokenPromiseError
from pipelines.native_output import only_our_words
from tasks import InputError, _mistakes


def main(given: argparse.Namespace) -> int:
    """Every promise in turn; the rest is left out when the definition's own are broken."""
    tasks.get(given.task)
    broken = sum([not _kept(title, partial(each, given.task)) for title, each in definition.PROMISES.items()])
    counted = len(definition.PROMISES)
    if not broken:
        with tempfile.TemporaryDirectory(prefix="sluice-") as folder, only_our_words():
            for title, each in _fitted(given.task, Path(folder)):
                broken += not _kept(title, each)
                counted += 1
    if broken:
        print(f"{given.task} breaks {broken} of {counted} promises.")
        return 1
    print(f"{given.task} keeps all {counted} promises. To train it: sluice run {given.task}")
    return 0


def _fitted(name: str, folder: Path) -> Iterator[tuple[str, Callable[[], None]]]:
    from components.check_task import fitted

    made: list[fitted.Fitted] = []
    yield "its preprocessing can be fitted", lambda: made.append(fitted.fit(name, folder))
    if made:
        yield from ((title, partial(each, made[0])) for title, each in fitted.PROMISES.items())
        for model in tasks.get(name).models:
            for title, check in fitted.MODEL_PROMISES.items():
                yield f"{model}: {title}", partial(check, made[0], model)
            yield f"{model}: it can be saved and loaded", partial(fitted.model_is_kept_whole, made[0], model, folder)


def _kept(title: str, check: Callable[[], None]) -> bool:
    """Whether a promise is kept; what is wrong otherwise is told, whoever raised it."""
    try:
        check()
    except (BrokenPromiseError, InputError) as error:
        print(f"✗ {title}: {error}", flush=True)
        return False
    except Exception as error:  # a task's functions may raise anything
        print(f"✗ {title}: {_mistakes.sentence(error) or f'{type(error).__name__}: {error}'}", flush=True)
        return False
    print(f"✓ {title}", flush=True)
    return True
