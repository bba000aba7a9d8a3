"""tf.Transform's pass over the train split: whole, or only over what no earlier run has analysed."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform.beam as tft_beam
from apache_beam.metrics import Metrics, MetricsFilter
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.beam import analyzer_cache
from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig

import tasks
from components import code
from components.beam_options import pipeline_options
from components.examples.parse import parsed, shards, tensor_types
from components.progress import say
from components.storage import urls
from components.transform import kept_analyses

# Rows of which TensorFlow makes numbers at once.
BATCH = 4096
READ = "rows read"
KEPT, NEW = analyzer_cache.DatasetKey("kept"), analyzer_cache.DatasetKey("new")
OPEN = analyzer_cache.DatasetKey("open", is_cached=False)
Preprocess = Callable[[dict[str, Any]], dict[str, Any]]


def place_of(analysis: str, task: str, settings: Mapping[str, str]) -> str:
    """Where blocks lie that this code, with these settings, would have made; "" if none are to be kept."""
    sources = {**code.sources("components.transform.step", f"tasks.{task}"), **code.libraries()}
    known = hashlib.sha256(json.dumps([sources, sorted(settings.items())], sort_keys=True).encode()).hexdigest()
    return f"{analysis}/{task}-{known[:20]}" if analysis else ""


def analyse(
    task: tasks.Task, preprocess: Preprocess, examples: str, output: str, beam_args: list[str], place: str = ""
) -> int:
    """Write the transform graph; gives the number of rows that were read for it."""
    files = shards(examples, "train")
    found = kept_analyses.plan(files, place)
    if found.worthwhile and builds_on_itself(task, preprocess):
        found = kept_analyses.plan(files, "")
    if found.worthwhile:
        say(f"analysing {len(found.new) + len(found.open)} of {len(files)} shards; the others are known")
    with running(beam_args, output) as pipeline:
        if found.worthwhile:
            transform_fn = by_spans(pipeline, task, preprocess, found, place)
        else:
            rows = _read(pipeline, task, "all", files)
            transform_fn = (rows, _config(task)) | "analyse" >> tft_beam.AnalyzeDataset(preprocess)
        _ = transform_fn | "write" >> tft_beam.WriteTransformFn(output)
    return rows_read(pipeline)


@contextmanager
def running(beam_args: list[str], output: str) -> Iterator[beam.Pipeline]:
    """A pipeline of tf.Transform, which runs at the end of the block."""
    with (
        _scratch(output) as scratch,
        beam.Pipeline(options=pipeline_options(beam_args)) as pipeline,
        tft_beam.Context(temp_dir=scratch, use_deep_copy_optimization=True),
    ):
        yield pipeline


def rows_read(pipeline: beam.Pipeline) -> int:
    counters = pipeline.result.metrics().query(MetricsFilter().with_name(READ))["counters"]
    return sum(counter.result for counter in counters)


@contextmanager
def _scratch(output: str) -> Iterator[str]:
    """Where tf.Transform's workers put what they hand on."""
    if not urls.is_url(output):
        with tempfile.TemporaryDirectory() as folder:
            yield folder
        return
    yield f"{output}/.scratch"
    urls.clear(f"{output}/.scratch")


def builds_on_itself(task: tasks.Task, preprocess: Preprocess) -> bool:
    """An analyzer that takes another's result has to see all rows again, whatever is kept."""
    types = tensor_types(task)
    graph = tft_beam.analysis_graph_builder
    entries = graph.get_analysis_cache_entry_keys(preprocess, types, {KEPT}, force_tf_compat_v1=False)
    # The inspection asks only which entries there are.
    cache = {KEPT: analyzer_cache.DatasetCache(dict.fromkeys(entries, True), None)}
    return KEPT in graph.get_analysis_dataset_keys(preprocess, types, {KEPT}, cache, force_tf_compat_v1=False)


def by_spans(
    pipeline: beam.Pipeline, task: tasks.Task, preprocess: Preprocess, found: kept_analyses.Spans, place: str
) -> Any:
    """The graph from the kept blocks and the other shards' rows; what comes of new spans is kept."""
    others = {NEW: list(found.new.values()), OPEN: list(found.open)}
    data = {key: _read(pipeline, task, key.key, files) for key, files in others.items() if files}
    cache = {}
    if found.kept:
        data[KEPT] = None
        blocks = pipeline | "kept blocks" >> beam.Create(found.kept)
        known_to_all = set.intersection(*(set(kept_analyses.read(block)) for block in found.kept))
        entries = {
            entry: blocks | f"kept {number}" >> beam.FlatMap(_values, entry)
            for number, entry in enumerate(sorted(known_to_all))
        }
        cache[KEPT] = analyzer_cache.DatasetCache(entries, analyzer_cache.DatasetCacheMetadata(0))
    transform_fn, made = (data, cache, _config(task)) | "analyse" >> tft_beam.AnalyzeDatasetWithCache(preprocess)
    if made and NEW in made:
        named = [
            values | f"made {number}" >> beam.Map(lambda value, entry=entry: (entry, value))
            for number, (entry, values) in enumerate(made[NEW].items())
        ]
        _ = (
            named
            | "all that was made" >> beam.Flatten()
            | "together" >> beam.combiners.ToList()
            | "keep" >> beam.Map(_keep, place, list(found.new))
        )
    return transform_fn


def _values(block: str, entry: bytes) -> Sequence[bytes]:
    return kept_analyses.read(block)[entry]


def _keep(pairs: list[tuple[bytes, bytes]], place: str, contents: list[str]) -> None:
    analysis: dict[bytes, list[bytes]] = {}
    for entry, value in pairs:
        analysis.setdefault(entry, []).append(value)
    kept_analyses.keep(place, contents, analysis)


def _read(pipeline: beam.Pipeline, task: tasks.Task, name: str, files: list[str]) -> Any:
    batches = functools.partial(_record_batches, task, _schema(task))
    return pipeline | f"{name} shards" >> beam.Create(files) | f"read {name}" >> beam.FlatMap(batches)


def _record_batches(task: tasks.Task, schema: pa.Schema, shard: str) -> Iterator[pa.RecordBatch]:
    for columns, label, _ in parsed(task, "", "train", BATCH, only=shard).as_numpy_iterator():
        Metrics.counter("sluice", READ).inc(len(label))
        one_each = pa.array(np.arange(len(label) + 1, dtype=np.int32))
        values = [pa.array(columns[field.name], field.type.value_type) for field in schema]
        arrays = [pa.ListArray.from_arrays(one_each, column) for column in values]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _schema(task: tasks.Task) -> pa.Schema:
    kinds = {tf.float32: pa.float32(), tf.float64: pa.float64(), tf.int64: pa.int64(), tf.string: pa.binary()}
    return pa.schema([pa.field(name, pa.list_(kinds[spec.dtype])) for name, spec in tensor_types(task).items()])


def _config(task: tasks.Task) -> TensorAdapterConfig:
    """Every feature is one value a row."""
    representations = {feature.name: schema_pb2.TensorRepresentation() for feature in task.features}
    for name, representation in representations.items():
        representation.dense_tensor.column_name = name
        representation.dense_tensor.shape.SetInParent()
    return TensorAdapterConfig(_schema(task), representations)
