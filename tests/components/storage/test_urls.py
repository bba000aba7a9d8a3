"""Ingest and transform on URLs, as a distributed runner's workers need them; here in fsspec's memory."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import fsspec
import numpy as np
import pytest

from components.examples import parse
from components.examples.tfrecord import serialized_examples_of
from components.ingest import step as ingest
from components.ingest import worker_exchange
from components.reading.sources import source_parts
from components.storage import urls as reach
from components.transform import beam_analysis
from tasks import InputError

BUCKET = "memory://bucket/run-1"


@pytest.fixture(autouse=True)
def bucket() -> Any:
    system = fsspec.filesystem("memory")
    yield system
    system.store.clear()
    system.pseudo_dirs[:] = [""]


@pytest.fixture
def cars(tmp_path: Path) -> str:
    for day in range(3):
        lines = [f"{day}.{n},{n},{'left' if n % 2 else 'right'},{n}" for n in range(50)]
        lines += ["not a number,1,left,1"]
        (tmp_path / f"day-{day}.csv").write_text("\n".join(["a,b,side,y", *lines]) + "\n")
    return str(tmp_path / "day-*.csv")


@pytest.mark.parametrize(
    ("beam_args", "distributed"),
    [
        ([], False),
        (["--runner=DirectRunner"], False),
        (["--runner=apache_beam.runners.portability.fn_api_runner.FnApiRunner"], False),
        (["--direct_num_workers=2"], False),
        (["--runner=FlinkRunner", "--flink_master=host:8081"], True),
        (["--runner", "DataflowRunner"], True),
    ],
)
def test_a_named_runner_that_is_not_this_process_is_distributed(beam_args: list[str], distributed: bool) -> None:
    assert reach.is_distributed(beam_args) is distributed
    assert reach.reachable("/gcs/b/x", "gs://b/x", beam_args) == ("gs://b/x" if distributed else "/gcs/b/x")
    assert reach.reachable("/runs/x", "/runs/x", beam_args) == "/runs/x"


def test_ingest_to_a_url_is_ingest_to_a_folder(plane: Any, cars: str, tmp_path: Path, bucket: Any) -> None:
    parts, place = source_parts(plane, cars), f"{BUCKET}/examples"
    bucket.pipe_file("/bucket/run-1/examples/train/examples-left-over.tfrecord.gz", b"of a killed attempt")
    there = ingest.ingest_to_url(plane, parts, place, [])
    here = ingest.ingest(plane, parts, tmp_path / "examples", [])
    assert there == here
    assert there["rejected"]["count"] == 3
    for split in ("train", "eval", "test"):
        urls = parse.shards(place, split)
        assert [url.rpartition("/")[2] for url in urls] == ["examples-00000-of-00001.tfrecord.gz"]
        files = parse.shards(str(tmp_path / "examples"), split)
        assert list(serialized_examples_of(urls)) == list(serialized_examples_of(files))
    names = {path.removeprefix("/bucket/run-1/examples/") for path in bucket.find("/bucket")}
    assert {name.partition("/")[0] for name in names} == {"train", "eval", "test", "rejected"}


@pytest.mark.parametrize("place", [f"{BUCKET}/examples", "memory://bucket/part-time/run-1/examples"])
def test_a_broken_file_is_the_same_sentence(plane: Any, tmp_path: Path, place: str) -> None:
    (tmp_path / "cars.csv.gz").write_bytes(gzip.compress(b"a,b,side,y\n1,2,left,3\n" * 100)[:-20])
    with pytest.raises(InputError, match=r"cars\.csv\.gz is damaged or cut off"):
        ingest.ingest_to_url(plane, source_parts(plane, str(tmp_path / "cars.csv.gz")), place, [])


def test_row_ids_of_official_splits_come_back(tmp_path: Path) -> None:
    place = worker_exchange.opened(f"{BUCKET}/examples/.unfinished")
    assert place.ids(0, "test").tolist() == []
    attempt = place.attempt(0)
    np.array([7, 3, 7], np.uint64).tofile(attempt / "test.ids")
    (attempt / worker_exchange.SUMMARY).write_bytes(b"whole")
    place.done(attempt, 0)
    assert not attempt.exists()
    assert place.ids(0, "test").tolist() == [3, 7]


def test_a_part_that_cannot_be_read_leaves_nothing_but_the_reason(tmp_path: Path) -> None:
    for place in (worker_exchange.opened(f"{BUCKET}/examples/.unfinished"), worker_exchange.opened(str(tmp_path))):
        attempt = place.attempt(5)
        place.failed(attempt, 5, {"what": "torn"})
        assert not attempt.exists()
        assert place.ids(5, "test").size == 0


def test_the_analysis_reads_urls_and_keeps_blocks_there(plane: Any, cars: str, tmp_path: Path) -> None:
    place = f"{BUCKET}/examples"
    ingest.ingest_to_url(plane, source_parts(plane, cars), place, [])
    rows = sum(1 for _ in serialized_examples_of(parse.shards(place, "train")))
    assert beam_analysis.analyse(plane, plane.preprocess, place, str(tmp_path / "graph"), []) == rows
    assert (tmp_path / "graph" / "transform_fn" / "saved_model.pb").is_file()
