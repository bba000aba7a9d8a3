"""What we write by hand beside the library that could do it: python benchmarks/by_hand.py."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import tensorflow as tf
from apache_beam.io.tfrecordio import _TFRecordUtil as beam
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from components.evaluate import confidence_intervals
from components.examples import example_bytes, tfrecord
from components.examples.encode import encode

IMPORTS = ("argparse", "click", "rich.live, rich.progress", "scipy.stats", "apache_beam.io.tfrecordio")
RECORDS, ROWS, DRAWS = 100_000, 5_000, 200


def main() -> None:
    argparse.ArgumentParser(description=__doc__).parse_args()
    bare = _started("pass")
    for names in IMPORTS:
        print(f"import {names}: {_started(f'import {names}') - bare:.3f} s")

    records = [os.urandom(200) for _ in range(RECORDS)]
    written = io.BytesIO()
    theirs = _seconds(lambda: [beam.write_record(written, record) for record in records])
    print(f"{RECORDS:,} records written: Beam {theirs:.2f} s, ours {_seconds(lambda: tfrecord.framed(records)):.2f} s")
    assert tfrecord.framed(records) == written.getvalue()
    theirs = _seconds(
        lambda: [beam.read_record(stream) for stream in [io.BytesIO(written.getvalue())] for _ in records]
    )
    ours = _seconds(lambda: list(tfrecord.read_records(io.BytesIO(written.getvalue()))))
    print(f"{RECORDS:,} records read: Beam {theirs:.2f} s, ours {ours:.2f} s")

    _of_examples()

    random = np.random.default_rng(0)
    label = random.integers(0, 2, ROWS).astype(float)
    score = np.clip(label * 0.3 + random.random(ROWS) * 0.7, 0, 1)
    theirs = _seconds(
        lambda: bootstrap(
            (label, score), roc_auc_score, paired=True, vectorized=False, n_resamples=DRAWS, method="percentile", rng=0
        )
    )
    ours = _seconds(lambda: confidence_intervals.resample("binary", label, score, None, resamples=DRAWS))
    print(f"{DRAWS} draws of {ROWS:,} rows: scipy {theirs:.2f} s for the AUC, ours {ours:.2f} s for all metrics")


def _of_examples() -> None:
    """The ids of a shard's rows, and its examples without their label; in processor time, as TensorFlow has threads."""
    random = np.random.default_rng(0)
    columns = {name: pa.array(random.random(RECORDS, np.float32)) for name in "abcdefgh"}
    records = encode(columns, random.integers(0, 1 << 64, RECORDS, np.uint64))
    with tempfile.TemporaryDirectory() as folder:
        shard = Path(folder, "shard.tfrecord.gz")
        with tfrecord.RecordWriter(shard) as writer:
            writer.write(records)
        batches = tf.data.TFRecordDataset(str(shard), "GZIP").batch(4096)
        ids = batches.map(lambda some: tf.io.parse_example(some, {"_id": tf.io.FixedLenFeature([], tf.int64)})["_id"])
        theirs = _worked(lambda: np.concatenate(list(ids.as_numpy_iterator())))
        ours = _worked(lambda: np.concatenate([*map(example_bytes.row_ids, example_bytes.of_shards([str(shard)]))]))
    print(f"ids of {RECORDS:,} examples in a file: TensorFlow {theirs:.2f} s of processor time, ours {ours:.2f} s")
    theirs = _worked(lambda: list(map(_without, records)))
    groups = [example_bytes.joined(records[at : at + 16_384]) for at in range(0, RECORDS, 16_384)]
    ours = _worked(lambda: [example_bytes.without(group, ["h", "_id"]) for group in groups])
    print(f"{RECORDS:,} examples without two columns: protobuf {theirs:.2f} s of processor time, ours {ours:.2f} s")


def _without(record: bytes) -> bytes:
    example = tf.train.Example.FromString(record)
    for name in ("h", "_id"):
        del example.features.feature[name]
    return example.SerializeToString(deterministic=True)


def _started(code: str) -> float:
    return min(_seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) for _ in range(5))


def _worked(work: Callable[[], Any]) -> float:
    return _seconds(work, time.process_time)


def _seconds(work: Callable[[], Any], clock: Callable[[], float] = time.perf_counter) -> float:
    began = clock()
    work()
    return clock() - began


if __name__ == "__main__":
    main()
