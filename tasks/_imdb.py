"""The film reviews that the imdb tasks share: the Large Movie Review Dataset (Maas et al., 2011), and a sample."""

from __future__ import annotations

import functools
import tarfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd

from tasks import Category, InputError, Part, Splits, Text
from tasks._files import RealFile, prepared

FEATURES = (Text("text", about="a review, with its HTML line breaks"),)
LABEL = Category("label", (0, 1), names=("negative", "positive"))
# Two fifths of the official train reviews are for validation: 15,000 and 10,000, as in the tutorials.
SPLITS = Splits(train=0.48, eval=0.32, test=0.20)

# As tfds has it. Keras' cache is used, since `keras.utils.get_file` is how tutorials fetch it.
ARCHIVE = RealFile(
    name="aclImdb_v1.tar.gz",
    folder="imdb",
    url="http://ai.stanford.edu/~amaas/data/sentiment/aclImdb_v1.tar.gz",
    sha256="c40f74a18d3b61f90feba1e17730e0d38e8b97c05fde7008942e91923d1658fe",
)
# The same reviews as two tables with the columns text and label.
TABLES: dict[Literal["train", "test"], RealFile] = {
    "train": RealFile(
        name="reviews/train.csv.gz",
        folder="imdb",
        url="",
        sha256="b5794096c28455cab952c3d34e4118e31b1540aeb34831e8c82716703c22c08c",
    ),
    "test": RealFile(
        name="reviews/test.csv.gz",
        folder="imdb",
        url="",
        sha256="64e89ae05645e01971dcc5ba54b8559efed74fbb035a4ce3b28f1b1d8a3dd52c",
    ),
}
CHUNK = 2500


def real(data_dir: Path | None) -> Sequence[Part] | str:
    """The official train and test reviews: as TensorFlow Datasets has prepared them, as two tables, or the archive."""
    if prepared("imdb_reviews/plain_text/1.0.0", data_dir):
        return "tfds:imdb_reviews/plain_text:1.0.0"
    if data_dir is not None and _has_tables(data_dir):
        return [
            Part(name=file.name, version=file.sha256, split=split, read=functools.partial(_table, file, data_dir))
            for split, file in TABLES.items()
        ]
    archive = ARCHIVE.check(data_dir)
    return [
        Part(
            name=f"{archive.name}/{split}",
            version=archive.sha256,
            split=split,
            read=functools.partial(_archived, archive, data_dir, split),
        )
        for split in TABLES
    ]


def _has_tables(data_dir: Path) -> bool:
    try:
        return all(file.check(data_dir) for file in TABLES.values())
    except InputError:
        return False


def _table(file: RealFile, data_dir: Path) -> Iterable[pd.DataFrame]:
    columns = ["text", "label"]
    yield from pd.read_csv(file.path(data_dir), usecols=columns, keep_default_na=False, chunksize=CHUNK)


def _archived(archive: RealFile, data_dir: Path | None, split: str) -> Iterator[pd.DataFrame]:
    rows: list[tuple[str, int]] = []
    with tarfile.open(archive.path(data_dir), "r|gz") as files:
        for member in files:
            _, *folders = Path(member.name).parts[:-1] or [""]
            if folders in ([split, "neg"], [split, "pos"]) and (content := files.extractfile(member)):
                rows.append((content.read().decode(), int(folders[1] == "pos")))
                if len(rows) == CHUNK:
                    yield pd.DataFrame(rows, columns=["text", "label"])
                    rows = []
    if rows:
        yield pd.DataFrame(rows, columns=["text", "label"])


GOOD = """wonderful superb brilliant moving delightful masterful charming gripping touching hilarious excellent perfect
amazing beautiful favorite enjoyable fascinating powerful memorable refreshing"""
BAD = """awful boring terrible dull pointless worst horrible mess waste annoying laughable lame tedious ridiculous
predictable poorly stupid disappointing bland unwatchable"""
NEUTRAL = """the a this that film movie story plot actor actress director scene camera music script ending beginning
character dialogue cast screen hour minutes cinema sequel book version scenes audience role house night city family
war love money train summer it was is and of in with for on at by from about after before while one two some many
they he she we there here then again almost mostly often once sometimes"""


def sample() -> Sequence[Part]:
    """Synthetic reviews: mostly neutral words, a few that judge, and one in five of which misleads."""
    return (
        Part(name="synthetic reviews, train", version="1", split="train", read=lambda: [_reviews(1, 6000)]),
        Part(name="synthetic reviews, test", version="1", split="test", read=lambda: [_reviews(2, 1500)]),
    )


def _reviews(seed: int, count: int) -> pd.DataFrame:
    random = np.random.RandomState(seed)  # numpy promises the same numbers for ever of RandomState alone
    good, bad, neutral = (np.array(words.split(), dtype=object) for words in (GOOD, BAD, NEUTRAL))
    labels = random.randint(0, 2, count)
    texts = [_review(random, neutral, (bad, good)[label], (good, bad)[label]) for label in labels]
    return pd.DataFrame({"text": texts, "label": labels})


def _review(random: np.random.RandomState, neutral: np.ndarray, right: np.ndarray, wrong: np.ndarray) -> str:
    words = random.choice(neutral, random.randint(60, 200))
    judging = random.randint(0, len(words), random.randint(8, 16))
    mislead = random.rand(len(judging)) < 0.2
    words[judging] = np.where(mislead, random.choice(wrong, len(judging)), random.choice(right, len(judging)))
    breaks = random.randint(1, len(words), 4)
    words[breaks] = random.choice([",", "<br /><br />", "...", "--"], 4)
    return " ".join(words).capitalize() + random.choice([".", "!", "?"])
