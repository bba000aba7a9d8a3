"""What the warm process imports, and what it leaves for those that are forked from it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from repository import ROOT

PROGRAM = """
import sys, warnings
from components import warm_process

warm_process.load("apache_beam")
found = [name for name in ("google.cloud.storage", "google.cloud.bigquery", "pymongo") if name in sys.modules]
import google.cloud.storage, pymongo
import apache_beam as beam
with beam.Pipeline(runner="apache_beam.runners.portability.fn_api_runner.FnApiRunner") as pipeline:
    pipeline | beam.Create([20, 22]) | beam.CombineGlobally(sum) | beam.Map(lambda total: print(found, total))
"""


TENSORFLOW = """
import sys
from components import warm_process

names = ("sklearn", "scipy.sparse", "scipy.ndimage", "googleapiclient.discovery", "IPython")
warm_process.load("tensorflow")
warm_process.load("tensorflow_transform")
import keras
print([name for name in names if name in sys.modules])
warm_process.load("sklearn.metrics")
import sklearn.base, scipy.sparse, scipy.ndimage, googleapiclient.discovery, IPython
print(issubclass(keras.wrappers.SKLearnClassifier, sklearn.base.BaseEstimator))
"""


@pytest.mark.slow
def test_tensorflow_comes_without_other_libraries_which_can_be_had_afterwards() -> None:
    # tf.Transform, which other tests import, asks in it for another Keras.
    fresh = {name: value for name, value in os.environ.items() if name != "TF_USE_LEGACY_KERAS"}
    command = [sys.executable, "-c", TENSORFLOW]
    done = subprocess.run(command, cwd=ROOT, env=fresh, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[]\nTrue\n"), done.stderr


@pytest.mark.slow
def test_beam_comes_without_clouds_which_can_be_had_afterwards() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "[] 42\n"), done.stderr
    assert "compatible bson" not in done.stderr
