from __future__ import annotations

import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from repository import ROOT

from components.examples import encode, tfrecord
from components.examples.tfrecord import DamagedRecordError, RecordWriter, read_records, serialized_examples_of


def write(path: Path, written: list[bytes]) -> str:
    with RecordWriter(path) as writer:
        writer.write(written)
    assert writer.count == len(written)
    return str(path)


def test_the_bytes_of_a_record_are_those_of_the_format() -> None:
    # Length 3, its masked CRC-32C, the data, its masked CRC-32C; as tf.io.TFRecordWriter writes it.
    assert tfrecord.framed([b"abc"]).hex() == "0300000000000000b099490e" + b"abc".hex() + "6e57f121"


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    written = [b"", b"a", b"b" * 100_000, bytes(range(256))]
    urls = [write(tmp_path / "first.tfrecord.gz", written[:2]), write(tmp_path / "second.tfrecord.gz", written[2:])]
    assert list(serialized_examples_of(urls)) == written
    assert list(serialized_examples_of([])) == []


def test_the_same_records_are_the_same_bytes_under_any_name_and_in_any_batches(tmp_path: Path) -> None:
    records = [np.random.default_rng(1).integers(0, 9, 5_000_000, np.uint8).tobytes(), b"b", b"c" * 2_000_000, b"d"]
    with RecordWriter(tmp_path / "one") as writer:
        writer.write(records)
    with RecordWriter(tmp_path / "two") as writer:
        for record in records:
            writer.write([record])
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()
    assert gzip.decompress((tmp_path / "one").read_bytes()) == tfrecord.framed(records)


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        (lambda data: data[:-1], "the file ends within record 2"),
        (lambda data: data[:25], "the file ends within record 2"),
        (lambda data: data[:12] + b"x" + data[13:], "record 1 does not have the checksum stored with it"),
        (lambda data: b"x" + data[1:], "record 1 has no valid length"),
        (lambda data: b"mpg,weight\n" * 10, "record 1 has no valid length"),
    ],
)
def test_damage_is_told_by_record(damage: object, what: str) -> None:
    data = tfrecord.framed([b"abc", b"defgh"])
    with pytest.raises(DamagedRecordError, match=what):
        list(read_records(io.BytesIO(damage(data))))  # type: ignore[operator]


@pytest.mark.parametrize(
    ("number", "bytes_"), [(0, "00"), (1, "01"), (127, "7f"), (128, "8001"), (2**64 - 1, "ff" * 9 + "01")]
)
def test_varints(number: int, bytes_: str) -> None:
    assert encode.varint(number).hex() == bytes_


def test_an_example_is_encoded_with_its_columns_sorted_and_without_what_is_missing() -> None:
    columns = {"b": pa.array([1.0, None], pa.float32()), "a": pa.array([None, "x"], pa.string())}
    first, second = encode.encode(columns, np.array([5, 0], np.uint64))
    identity = "0a0c0a035f696412051a030a01"
    assert first.hex() == "0a1d" + identity + "05" + "0a0d0a0162120812060a040000803f"
    assert second.hex() == "0a1a" + identity + "00" + "0a0a0a016112050a030a0178"


@pytest.mark.slow
def test_tensorflow_reads_the_records_and_the_examples(tmp_path: Path) -> None:
    import tensorflow as tf

    columns = {
        "number": pa.array([1.5, None, -2.0], pa.float32()),
        "whole": pa.array([-1, 2**62, None], pa.int64()),
        "word": pa.array(["ä", "y" * 70, None], pa.string()),
        "pixels": pa.array([b"\x00\xff", None, b"12"], pa.binary()),
    }
    ids = np.array([0, 2**63, 2**64 - 1], np.uint64)
    write(tmp_path / "first", encode.encode(columns, ids))
    write(tmp_path / "second", encode.encode(columns, ids))
    # Small shards are put together as members of one gzip file.
    (tmp_path / "joined").write_bytes((tmp_path / "first").read_bytes() + (tmp_path / "second").read_bytes())
    read = list(tf.data.TFRecordDataset(str(tmp_path / "joined"), "GZIP").as_numpy_iterator())
    assert read == encode.encode(columns, ids) * 2
    parsed = tf.io.parse_example(
        read[:3],
        {
            "number": tf.io.FixedLenFeature([], tf.float32, float("nan")),
            "whole": tf.io.FixedLenFeature([], tf.int64, -1),
            "word": tf.io.FixedLenFeature([], tf.string, b""),
            "pixels": tf.io.FixedLenFeature([], tf.string, b""),
            "_id": tf.io.FixedLenFeature([], tf.int64),
        },
    )
    np.testing.assert_array_equal(parsed["number"], [1.5, np.nan, -2.0])
    assert parsed["whole"].numpy().tolist() == [-1, 2**62, -1]
    assert parsed["word"].numpy().tolist() == ["ä".encode(), b"y" * 70, b""]
    assert parsed["pixels"].numpy().tolist() == [b"\x00\xff", b"", b"12"]
    assert parsed["_id"].numpy().tolist() == [0, -(2**63), -1]
    assert tf.train.Example.FromString(read[0]).SerializeToString(deterministic=True) == read[0]
    (tmp_path / "theirs.gz").write_bytes(b"")
    with tf.io.TFRecordWriter(str(tmp_path / "theirs.gz"), "GZIP") as writer:
        writer.write(b"abc")
    with gzip.open(tmp_path / "theirs.gz") as file:
        assert file.read() == tfrecord.framed([b"abc"])


def test_the_light_steps_never_import_tensorflow() -> None:
    modules = "resolve.step, ingest.step, validate.step, push.step, reading.check_rows, examples.statistics, settings"
    imports = "\n".join(f"import components.{module}" for module in modules.split(", "))
    code = f"{imports}\nimport sys\nassert 'tensorflow' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
