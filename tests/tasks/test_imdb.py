"""Reviews from their archive and tables, and that their ids are Keras' own."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
import tarfile
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from repository import ROOT

import tasks
from components.serving.preprocessing import Preprocessing
from components.transform import step as transform
from tasks import InputError, _imdb
from tasks._files import RealFile
from transforms import text

REAL = Path(os.environ.get("SLUICE_REAL_DATA", ROOT.parent / "shared" / "data"))
needs_real_data = pytest.mark.skipif(not (REAL / "imdb").exists(), reason="set SLUICE_REAL_DATA to the real data")

UNRANKED = 10**9
REVIEWS = {
    "aclImdb/train/neg/0_3.txt": "Bad, \x85 NA",
    "aclImdb/train/pos/0_9.txt": "Good<br />",
    "aclImdb/train/unsup/0_0.txt": "Unjudged",
    "aclImdb/test/pos/0_10.txt": "Great",
    "aclImdb/README": "About",
}


@pytest.fixture
def archive(tmp_path: Path) -> RealFile:
    path = tmp_path / "aclImdb_v1.tar.gz"
    with tarfile.open(path, "w:gz") as files:
        for name, content in REVIEWS.items():
            member = tarfile.TarInfo(name)
            member.size = len(content.encode())
            files.addfile(member, io.BytesIO(content.encode()))
    return replace(_imdb.ARCHIVE, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def listed(frames: Iterable[pd.DataFrame]) -> list[list[object]]:
    return [row for frame in frames for row in frame.to_numpy().tolist()]


def test_reviews_of_the_archive(archive: RealFile, tmp_path: Path) -> None:
    train, test = (listed(_imdb._archived(archive, tmp_path, split)) for split in ("train", "test"))
    assert train == [["Bad, \x85 NA", 0], ["Good<br />", 1]]
    assert test == [["Great", 1]]


def test_reviews_of_a_table(tmp_path: Path) -> None:
    path = tmp_path / "imdb" / _imdb.TABLES["train"].name
    path.parent.mkdir(parents=True)
    rows = [["text", "label", "file"], ['"Good", \x85 NA', 1, "train/pos/0_9.txt"], ["NA", 0, "train/neg/0_1.txt"]]
    with gzip.open(path, "wt", encoding="utf-8", newline="") as table:
        csv.writer(table).writerows(rows)
    file = replace(_imdb.TABLES["train"], sha256=hashlib.sha256(path.read_bytes()).hexdigest())
    assert listed(_imdb._table(file, tmp_path)) == [['"Good", \x85 NA', 1], ["NA", 0]]


def test_what_tfds_has_prepared_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "imdb_reviews" / "plain_text" / "1.0.0").mkdir(parents=True)
    with pytest.raises(InputError, match="lacks aclImdb_v1"):
        _imdb.real(tmp_path)
    (tmp_path / "imdb_reviews" / "plain_text" / "1.0.0" / "dataset_info.json").write_text("{}")
    assert _imdb.real(tmp_path) == "tfds:imdb_reviews/plain_text:1.0.0"
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert _imdb.real(None) == "tfds:imdb_reviews/plain_text:1.0.0"


@pytest.fixture(scope="module")
def reviews() -> dict[str, pd.DataFrame]:
    return {part.split: pd.concat(list(part.read()), ignore_index=True) for part in _imdb.real(REAL)}


@pytest.fixture(scope="module")
def ranks() -> dict[str, int]:
    return json.loads((REAL / "imdb" / "imdb_word_index.json").read_text())


@pytest.mark.slow
@needs_real_data
def test_the_words_of_all_50_000_reviews_are_those_of_keras(
    reviews: dict[str, pd.DataFrame], ranks: dict[str, int]
) -> None:
    """Keras' file holds the ranks of the words, in the order of the tables, less the words without a rank."""
    with np.load(REAL / "imdb" / "imdb.npz", allow_pickle=True) as arrays:
        for split in ("train", "test"):
            words = text.words(tf.constant(reviews[split]["text"].tolist()))
            found = words.with_flat_values(lookup(ranks, words.flat_values))
            ours = tf.ragged.boolean_mask(found, found < UNRANKED)
            theirs = arrays[f"x_{split}"]
            assert [len(row) for row in theirs] == ours.row_lengths().numpy().tolist()
            np.testing.assert_array_equal(ours.flat_values, np.concatenate(theirs))


@pytest.mark.slow
@needs_real_data
@pytest.mark.parametrize("truncation", ["pre", "post"])
def test_ids_are_those_of_keras_with_its_vocabulary(
    truncation: str, reviews: dict[str, pd.DataFrame], ranks: dict[str, int]
) -> None:
    words = text.words(tf.constant(reviews["train"]["text"].tolist()))
    codes = text.codes(words, tf.where((rank := lookup(ranks, words.flat_values)) > 9996, -1, rank - 1))
    np.testing.assert_array_equal(text.pad(codes, 256, truncation), padded_by_keras("train", truncation))


@pytest.mark.thorough
@pytest.mark.slow
@needs_real_data
def test_ids_are_those_of_keras_but_for_ties(
    reviews: dict[str, pd.DataFrame], ranks: dict[str, int], write_examples: Callable[..., str], tmp_path: Path
) -> None:
    """Keras numbers words of one frequency in another order than ours; every id stands for the same frequency."""
    task, train = tasks.get("imdb_padded"), reviews["train"]
    examples = write_examples(task, tmp_path / "examples", {"train": train.to_dict("records")})
    graph = str(tmp_path / "graph")
    transform.analyse(task, task.preprocess, examples, graph, [])
    ours = Preprocessing(graph).graph({"text": tf.constant(train["text"].tolist())})["ids"].numpy()
    theirs = padded_by_keras("train", "pre")

    counts = Counter(text.words(tf.constant(train["text"].tolist())).flat_values.numpy().tolist())
    vocabulary = tft.TFTransformOutput(graph).vocabulary_by_name("words")
    keras_words = sorted(ranks, key=ranks.__getitem__)[: len(vocabulary)]
    frequency = [counts[word] for word in vocabulary]
    assert frequency == [counts[word.encode()] for word in keras_words]
    alone = np.array([True] * 4 + [Counter(frequency)[count] == 1 for count in frequency])
    np.testing.assert_array_equal(ours[alone[ours] & alone[theirs]], theirs[alone[ours] & alone[theirs]])
    of_one_frequency = np.array([-1, -2, -3, -4, *frequency])
    last = frequency[-1]  # where the vocabulary ends, one of the tied words is in ours and another in Keras'
    same = of_one_frequency[ours] == of_one_frequency[theirs]
    assert set(of_one_frequency[np.maximum(ours, theirs)[~same]]) <= {last}
    assert (ours == theirs).mean() > 0.86
    assert (~same).sum() < 2500  # of 6.4 million


def lookup(ranks: dict[str, int], words: tf.Tensor) -> tf.Tensor:
    known = tf.lookup.KeyValueTensorInitializer(list(ranks), list(ranks.values()), value_dtype=tf.int64)
    return tf.lookup.StaticHashTable(known, default_value=UNRANKED)[words]


def padded_by_keras(split: str, truncation: str) -> np.ndarray:
    """`keras.datasets.imdb.load_data(num_words=10000)` on the cached file, in the order of the file."""
    with np.load(REAL / "imdb" / "imdb.npz", allow_pickle=True) as arrays:
        rows = [[1, *(rank + 3 if rank + 3 < 10_000 else 2 for rank in row)] for row in arrays[f"x_{split}"]]
    return keras.utils.pad_sequences(rows, maxlen=256, padding="post", truncating=truncation)
