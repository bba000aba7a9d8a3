"""Preprocessing: analyse the train split with tf.Transform and keep the graph that training and serving share."""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import apache_beam as beam
import pyarrow as pa
import tensorflow as tf
import tensorflow_transform as tft
import tensorflow_transform.beam as tft_beam
from tensorflow_metadata.proto.v0 import schema_pb2
from tensorflow_transform.impl_helper import analyze_in_place
from tfx_bsl.tfxio.tensor_adapter import TensorAdapterConfig

import tasks
from components import settings as settings_
from components.beam_options import pipeline_options
from components.files import write_json
from components.parsing import parsed, shards, tensor_spec
from components.progress import say

BATCH = 4096
Preprocess = Callable[[dict[str, Any]], dict[str, Any]]


def run(*, task: str, settings: dict[str, str], beam_args: list[str], examples: str, transform_graph: str) -> None:
    definition = tasks.get(task)
    preprocess = functools.partial(definition.preprocess, **settings_.preprocess_settings(definition, settings))
    shutil.rmtree(transform_graph, ignore_errors=True)
    Path(transform_graph).mkdir(parents=True)
    if needs_analysis(definition, preprocess):
        say("analysing the train split")
        analyse(definition, preprocess, examples, transform_graph, beam_args)
    else:
        say("no statistics needed; tracing the graph")
        analyze_in_place(preprocess, False, *_signature(definition), transform_graph)
    write_json(Path(transform_graph) / "settings.json", settings)


def needs_analysis(task: tasks.Task, preprocess: Preprocess) -> bool:
    _, types = _signature(task)
    return bool(tft.get_analyze_input_columns(preprocess, types))


def analyse(task: tasks.Task, preprocess: Preprocess, examples: str, output: str, beam_args: list[str]) -> None:
    """One Beam pass per level of analyzers over the train split."""
    fields = [pa.field(f.name, pa.list_(_arrow_type(tensor_spec(f)[0]))) for f in task.features]
    config = TensorAdapterConfig(pa.schema(fields), {f.name: _scalar(f.name) for f in task.features})
    with (
        tempfile.TemporaryDirectory() as scratch,
        beam.Pipeline(options=pipeline_options(beam_args)) as pipeline,
        tft_beam.Context(temp_dir=scratch, use_deep_copy_optimization=True),
    ):
        batches = (
            pipeline
            | "shards" >> beam.Create(shards(examples, "train"))
            | "read" >> beam.FlatMap(functools.partial(_record_batches, task, pa.schema(fields)))
        )
        transform_fn = (batches, config) | "analyse" >> tft_beam.AnalyzeDataset(preprocess)
        _ = transform_fn | "write" >> tft_beam.WriteTransformFn(output)


def _record_batches(task: tasks.Task, schema: pa.Schema, shard: str) -> Iterator[pa.RecordBatch]:
    split = Path(shard).parent
    dataset = parsed(task, str(split.parent), split.name, BATCH, only=shard)
    for columns, _, _ in dataset.as_numpy_iterator():
        arrays = []
        for field in schema:
            values = pa.array(columns[field.name], field.type.value_type)
            offsets = pa.array(range(len(values) + 1), pa.int32())
            arrays.append(pa.ListArray.from_arrays(offsets, values))
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _signature(task: tasks.Task) -> tuple[dict[str, tf.io.FixedLenFeature], dict[str, tf.TensorSpec]]:
    dtypes = {feature.name: tensor_spec(feature)[0] for feature in task.features}
    return (
        {name: tf.io.FixedLenFeature([], dtype) for name, dtype in dtypes.items()},
        {name: tf.TensorSpec([None], dtype) for name, dtype in dtypes.items()},
    )


def _arrow_type(dtype: tf.DType) -> pa.DataType:
    return {tf.float32: pa.float32(), tf.int64: pa.int64(), tf.string: pa.binary()}[dtype]


def _scalar(column: str) -> schema_pb2.TensorRepresentation:
    representation = schema_pb2.TensorRepresentation()
    representation.dense_tensor.column_name = column
    representation.dense_tensor.shape.SetInParent()
    return representation
