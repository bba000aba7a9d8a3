"""What we write by hand beside the library that could do it: python benchmarks/by_hand.py."""

from __future__ import annotations

import argparse
import io
import os
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from apache_beam.io.tfrecordio import _TFRecordUtil as beam
from scipy.stats import bootstrap
from sklearn.metrics import roc_auc_score

from components.evaluate import confidence_intervals
from components.examples import tfrecord

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


def _started(code: str) -> float:
    return min(_seconds(lambda: subprocess.run([sys.executable, "-c", code], check=True)) for _ in range(5))


def _seconds(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
