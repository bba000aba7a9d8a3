"""How Beam runs: in this process unless the user names another runner, and there without its costliest repetitions."""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType, MethodType
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.runners.worker.statesampler import StateSampler
from apache_beam.transforms import core

from components import beam_runners

# Always named: Beam's own default first looks for a binary on the internet.
IN_PROCESS = "apache_beam.runners.portability.fn_api_runner.FnApiRunner"
# How often Beam notes what each stage is at. A stage's end waits for the next note, by default up to 200.
NOTES_EVERY_MS = 5
Signature = tuple[list[str], list[Any]]


class _Options(PipelineOptions):
    """Options whose views are made once each. Beam asks for hundreds in one pass, and builds a parser for each."""

    def view_as(self, cls: Any) -> Any:
        views = self.__dict__.setdefault("_views", {})
        if cls not in views:
            views[cls] = super().view_as(cls)
        return views[cls]


def pipeline_options(beam_args: list[str]) -> PipelineOptions:
    beam_runners.check(beam_args)
    if beam_runners.named(beam_args):
        return PipelineOptions(beam_args)
    _remember_signatures()
    StateSampler.__init__.__defaults__ = (NOTES_EVERY_MS,)
    return _Options([*beam_args, f"--runner={IN_PROCESS}"])


def _remember_signatures() -> None:
    """Beam inspects 30 methods of every DoFn again at each of its seven looks at it: a third of a small pass."""
    if not hasattr(core.get_function_args_defaults, "__wrapped__"):
        core.get_function_args_defaults = _remembering(core.get_function_args_defaults)


def _remembering(inspected: Callable[[Any], Signature]) -> Callable[[Any], Signature]:
    of_method = functools.cache(inspected)  # by the plain function, whose first argument is self

    @functools.wraps(inspected)
    def signature(function: Any) -> Signature:
        plain = isinstance(function, MethodType) and isinstance(function.__func__, FunctionType)
        if not plain or isinstance(function.__self__, type):
            return inspected(function)
        arguments, defaults = of_method(function.__func__)
        return arguments[1:], [*defaults]

    return signature
