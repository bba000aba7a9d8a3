"""Records of several shards as batches, in the shards' order though two are read at a time."""

from __future__ import annotations

from pathlib import Path

import pytest
import tensorflow as tf

from components import machine
from components.examples import parse


@pytest.mark.parametrize("cores", [1, 2])
def test_batches_are_full_and_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, cores: int) -> None:
    monkeypatch.setattr(machine, "cores", lambda: cores)
    written, folder = [], tmp_path / "train"
    folder.mkdir()
    for number, count in enumerate((100, 3, 0, 41, 7)):
        with tf.io.TFRecordWriter(str(folder / f"examples-{number:05d}-of-00005.tfrecord.gz"), "GZIP") as writer:
            for row in range(count):
                written.append(f"{number} {row}".encode())
                writer.write(written[-1])
    batches = [batch.tolist() for batch in parse.serialized(str(tmp_path), "train", 4).as_numpy_iterator()]
    assert [record for batch in batches for record in batch] == written
    assert {len(batch) for batch in batches[:-1]} == {4}
