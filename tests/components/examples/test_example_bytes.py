"""What is found in the bytes of examples is what TensorFlow parses, however few bytes are read at once."""

from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import tensorflow as tf

from components.examples import example_bytes, parse
from components.examples.encode import encode
from components.examples.tfrecord import ROW_ID, CutOffError, DamagedRecordError, RecordWriter

ROWS = 300
IDS = np.random.default_rng(0).integers(0, 1 << 64, ROWS, np.uint64)
IDS[:4] = [0, 1, 127, 1 << 63]
COLUMNS = {
    "Before": pa.array([None if i % 3 else float(i) for i in range(ROWS)], pa.float32()),
    "label": pa.array([i % 7 for i in range(ROWS)], pa.int64()),
    "labels": pa.array(["x" * (i % 200) for i in range(ROWS)]),  # such as makes an example of more than 127 bytes
    "text": pa.array([None if i % 5 == 0 else "ä\0" * (i * 5 % 97) for i in range(ROWS)]),
}


@pytest.fixture
def shards(tmp_path):
    """Two, of examples as ingest writes them."""
    records, paths = encode(COLUMNS, IDS), [tmp_path / f"examples-0000{i}-of-00002.tfrecord.gz" for i in range(2)]
    for path, some in zip(paths, (records[:170], records[170:]), strict=True):
        with RecordWriter(path) as writer:
            writer.write(some)
    return list(map(str, paths))


@pytest.fixture(params=[4 << 20, 1000, 7])
def piece(request, monkeypatch):
    monkeypatch.setattr(example_bytes, "PIECE", request.param)


@pytest.mark.usefixtures("piece")
def test_records_and_their_ids(shards):
    pieces = list(example_bytes.of_shards(shards))
    assert [record for some in pieces for record in some.some(np.arange(len(some)))] == encode(COLUMNS, IDS)
    ids = np.concatenate(list(map(example_bytes.row_ids, pieces)))
    np.testing.assert_array_equal(ids.view(np.uint64), IDS)


@pytest.mark.usefixtures("piece")
def test_groups_are_multiples_until_the_last(shards):
    groups = list(example_bytes.in_groups(example_bytes.of_shards(shards), 64))
    assert [len(group) % 64 for group in groups[:-1]] == [0] * (len(groups) - 1)
    assert [record for group in groups for record in group] == encode(COLUMNS, IDS)


@pytest.mark.usefixtures("piece")
@pytest.mark.parametrize(("most", "again"), [(1 << 30, ROWS), (100, 0)])
def test_a_split_is_read_once_if_it_is_small(shards, tmp_path, monkeypatch, most, again):
    monkeypatch.setattr(parse.Split, "MOST_KEPT", most)
    split = parse.Split(str(tmp_path.parent), tmp_path.name)
    next(iter(split))  # which is no reason to keep only that
    assert sum(map(len, split)) == ROWS
    for shard in shards:
        with RecordWriter(Path(shard)):
            pass  # no record is left
    assert sum(map(len, split)) == again


def without_by_protobuf(record, names):
    example = tf.train.Example.FromString(record)
    for name in names:
        example.features.feature.pop(name, None)
    return example


@pytest.mark.parametrize("names", [["label", ROW_ID], ["labels"], ["Before", "text"], [ROW_ID], ["absent"]])
def test_examples_without_some_columns_are_those_that_protobuf_makes(names):
    records = encode(COLUMNS, IDS)
    found = example_bytes.without(example_bytes.joined(records), names)
    expected = [without_by_protobuf(record, names) for record in records]
    assert list(map(tf.train.Example.FromString, found)) == expected
    assert list(map(len, found)) == [example.ByteSize() for example in expected]


def test_examples_in_any_order_of_columns():
    """As another program may write them."""
    records = [by_protobuf(number) for number in range(50)]
    together = example_bytes.joined(records)
    assert example_bytes.row_ids(together).tolist() == [number - 25 for number in range(50)]
    found = map(tf.train.Example.FromString, example_bytes.without(together, [ROW_ID, "label"]))
    assert [sorted(example.features.feature) for example in found] == [["a", "z"]] * 50


def by_protobuf(number):
    example, names = tf.train.Example(), ["z", ROW_ID, "a", "label"]
    for name in names[number % 4 :] + names[: number % 4]:
        example.features.feature[name].int64_list.value.append(number - 25)
    return example.SerializeToString()


def test_bytes_that_are_no_examples_are_told(tmp_path):
    text = tf.train.Example()
    text.features.feature[ROW_ID].bytes_list.value.append(b"1")
    for broken, said in (
        (b"", "no id"),
        (text.SerializeToString(), "not one integer"),
        (b"\x0a\x02\x10\x01", "column"),
    ):
        with pytest.raises(DamagedRecordError, match=said):
            example_bytes.row_ids(example_bytes.joined([encode(COLUMNS, IDS)[0], broken]))
    path = tmp_path / "examples-00000-of-00001.tfrecord.gz"
    with RecordWriter(path) as writer:
        writer.write(encode(COLUMNS, IDS))
    plain = gzip.decompress(path.read_bytes())
    for damaged, error in ((plain[:-1], CutOffError), (b"\xff" * 8 + plain[8:], DamagedRecordError)):
        path.write_bytes(gzip.compress(damaged))
        with pytest.raises(error):
            list(example_bytes.of_shards([str(path)]))


def test_the_ids_of_a_split(tmp_path, shards):
    (tmp_path / "train").mkdir()
    for shard in shards:
        (tmp_path / "train" / shard.rpartition("/")[2]).hardlink_to(shard)
    np.testing.assert_array_equal(parse.row_ids(str(tmp_path), "train").view(np.uint64), IDS)
    assert len(parse.row_ids(str(tmp_path), "test")) == 0
