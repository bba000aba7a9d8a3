"""Whether a film review is positive, from the ids of its words (IMDB; 25,000 train and 25,000 test reviews).

What is learned: an embedding of the 10,000 most frequent words, averaged over the review.
Data: `sample` makes 7,500 short synthetic reviews; `real` is the Large Movie Review Dataset with its official test
split, two fifths of train held out. The ids are those of `keras.datasets.imdb`, padded after the end to 256. Of longer
reviews the last 256 words stay, as with Keras' `pad_sequences`: verdicts stand at the end. The first 256, with
`--set preprocess.truncation=post`, lose almost one point of accuracy.
Model: `average`, Embedding 16, average over all 256 places, Dense 16, one sigmoid; adam, batches of 512, at most 40
epochs. The last ones overfit: training stops when the held-out loss has not fallen for 5 and keeps the best weights.

    sluice run imdb_padded --data real

Reached on the real data, mean of seeds 0 to 2: accuracy 0.877.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import tensorflow as tf

from tasks import Bar, Model, Task, Train, _imdb
from transforms import text

VOCABULARY = "words"


def preprocess(
    features: dict[str, tf.Tensor], words: int = 10_000, length: int = 256, truncation: Literal["pre", "post"] = "pre"
) -> dict[str, tf.Tensor]:
    ids = text.ids(text.words(features["text"]), words, VOCABULARY)
    return {"ids": text.pad(ids, length, truncation)}


def average(words: int = 10_000, embedding: int = 16, units: int = 16) -> keras.Model:
    ids = keras.Input((None,), dtype="int64", name="ids")
    x = keras.layers.Embedding(words, embedding)(ids)
    x = keras.layers.GlobalAveragePooling1D()(x)
    x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(ids, keras.layers.Dense(1, activation="sigmoid")(x))


def seen(outputs: Mapping[str, Any], vocabulary: Callable[[str], list[str]]) -> list[str]:
    known = vocabulary(VOCABULARY)
    return [text.read_back(ids, known) for ids in outputs["ids"].numpy().tolist()]


TASK = Task(
    about="Whether a film review is positive, from its last 256 words (IMDB)",
    features=_imdb.FEATURES,
    label=_imdb.LABEL,
    sample=_imdb.sample,
    real=_imdb.real,
    preprocess=preprocess,
    models={"average": Model(average, Train(epochs=40, batch_size=512, optimizer="adam", patience=5))},
    gate=(Bar("accuracy", 0.85, tolerance=0.01),),
    seen=seen,
    splits=_imdb.SPLITS,
)
