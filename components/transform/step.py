"""Preprocessing: analyse the train split with tf.Transform and keep the graph that training and serving share."""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tensorflow_transform import analyzer_nodes
from tensorflow_transform.impl_helper import analyze_in_place, trace_preprocessing_function

import tasks
from components import beam_runners, forked_workers
from components import settings as settings_
from components.examples.parse import shards, tensor_types
from components.progress import say
from components.storage import urls
from components.transform import worker_blocks
from components.transform.beam_analysis import Preprocess, analyse, builds_on_itself, place_of

# Bytes of shards below which one process is sooner done than two.
LARGE = 2 * worker_blocks.BLOCK_BYTES
# What tf.Transform writes down of an output.
OUTPUTS = ("float32", "int64", "string")


def run(
    *,
    task: str,
    settings: dict[str, str],
    beam_args: list[str],
    analysis: str = "",
    examples: str,
    examples_uri: str = "",
    transform_graph: str,
    transform_graph_uri: str = "",
) -> None:
    definition = tasks.get(task)
    preprocess = functools.partial(preprocessed, definition, **settings_.preprocess_settings(definition, settings))
    in_processes = beam_runners.unnamed(beam_args) and shared_by_processes(definition, preprocess, examples)
    analysing = in_processes or needs_analysis(definition, preprocess)
    shared = urls.reachable(transform_graph, transform_graph_uri, beam_args) if analysing else transform_graph
    # Kubeflow uploads what lies there.
    output = shared if worker_blocks.tensorflow_writes(shared) else transform_graph
    for place in {shared, output}:
        urls.clear(place)
    if not urls.is_url(output):
        Path(output).mkdir(parents=True)
    if analysing:
        say("analysing the train split")
        kept = place_of(analysis, task, settings)
        source = urls.reachable(examples, examples_uri, beam_args)
        if in_processes:
            rows = worker_blocks.analyse_here(definition, preprocess, examples, output, kept)
        elif output == shared:
            seen = urls.is_url(kept) or not urls.is_url(shared)  # by all workers
            rows = analyse(definition, preprocess, source, output, beam_args, kept if seen else "")
        elif builds_on_itself(definition, preprocess):
            say("preprocess takes statistics of statistics: workers cannot share those here, so one process reads all")
            rows = analyse(definition, preprocess, examples, output, [])
        else:
            rows = worker_blocks.analyse(definition, preprocess, source, shared, output, beam_args, kept)
        say(f"{rows:,} rows were read")
    else:
        say("no statistics needed; tracing the graph")
        analyze_in_place(preprocess, False, {}, tensor_types(definition), output)
    urls.write(f"{output}/settings.json", json.dumps(settings, sort_keys=True).encode())


class Columns(dict[str, Any]):
    """The features by name, which says what else is none."""

    def __init__(self, task: tasks.Task, features: Mapping[str, Any]) -> None:
        super().__init__(features)
        self.label, self.known = task.label.name, [feature.name for feature in task.features]

    def __missing__(self, name: object) -> Any:
        if name == self.label:
            raise tasks.InputError(
                f"preprocess asks for {name!r}, which is the label and no input: a served row has none. "
                f"Expected features only: {', '.join(self.known)}."
            )
        raise tasks.InputError(
            f"preprocess asks for {name!r}, which is no feature.{tasks.nearest(str(name), self.known)}"
        )


def preprocessed(task: tasks.Task, features: dict[str, Any], **settings: Any) -> dict[str, Any]:
    """What the task's preprocess makes of the features; InputError if that is no dict of tensors."""
    made = task.preprocess(Columns(task, features), **settings)
    if not isinstance(made, dict) or not made or any(value is None for value in made.values()):
        raise tasks.InputError(
            f"preprocess must return its tensors by name. Expected a dict such as {{'features': tensor}}. "
            f"Received: {made!r}."
        )
    kinds = {name: value.dtype.name for name, value in made.items() if hasattr(value, "dtype")}
    for name, kind in kinds.items():
        if kind not in OUTPUTS:
            raise tasks.InputError(
                f"preprocess returns {name!r} as {kind}. Expected {', '.join(OUTPUTS[:-1])} or {OUTPUTS[-1]}: tf.cast "
                "it, and make features of a date's seconds, such as dates.calendar(...)."
            )
    return dict(made)  # it may be the very features, and TensorFlow makes copies of a dict's kind that it does not know


def shared_by_processes(task: tasks.Task, preprocess: Preprocess, examples: str) -> bool:
    """Whether the rows are so many that processes share them, and what is asked of them can be had from parts.

    That is asked in a process of its own: none can be forked from one in which TensorFlow is at work.
    """
    if sum(Path(shard).stat().st_size for shard in shards(examples, "train")) < LARGE:
        return False

    def find(_: None) -> bool:
        return needs_analysis(task, preprocess) and not builds_on_itself(task, preprocess)

    return next(forked_workers.each(find, [None], 1, lambda *_: False))  # whoever tries it here is told what is wrong


def needs_analysis(task: tasks.Task, preprocess: Preprocess) -> bool:
    """Whether it takes statistics. A tf.debugging.Assert, of a row alone, is nothing to read all rows for."""
    graph, *_ = trace_preprocessing_function(preprocess, tensor_types(task), use_tf_compat_v1=False)
    return bool(graph.get_collection(analyzer_nodes.TENSOR_REPLACEMENTS))
