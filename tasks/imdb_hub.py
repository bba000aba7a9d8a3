"""Whether a film review is positive, from a TF-Hub text embedding (IMDB; 25,000 train and 25,000 test reviews).

What is learned: a trainable module that turns a text into 20 numbers, fine-tuned with a small network behind it.
Data: `sample` makes 7,500 short synthetic reviews; `real` is the Large Movie Review Dataset with its official test
split, two fifths of train held out.
Model: `hub`, the module, Dense 16, one sigmoid; adam, batches of 512, at most 20 epochs. All 20 overfit: training stops
when the held-out loss has not fallen for 2 epochs and keeps the best weights. The module is gnews-swivel-20dim, or any
other: `--set model.handle=PATH_OR_URL`. Where it cannot be had, a module of the same interface is made from the words
of the train split, and the report says so; `--set model.handle=own` asks for that. Which one it is,
a run settles at its start.

    sluice run imdb_hub --data real

Reached on the real data with the module made here, mean of seeds 0 to 2: accuracy 0.873.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path

import keras
import tensorflow as tf

from tasks import Bar, Model, Task, Train, _imdb
from transforms import text

GNEWS = "https://tfhub.dev/google/tf2-preview/gnews-swivel-20dim/1"
VOCABULARY = "tokens"
HANDLE = "model.handle"
OWN = "own"  # the module made here


def preprocess(features: dict[str, tf.Tensor], tokens: int = 20_000) -> dict[str, tf.Tensor]:
    """The raw text; its most frequent tokens are counted in case that a module has to be made from them."""
    text.vocabulary(text.tokens(features["text"]), tokens, VOCABULARY)
    return {"text": features["text"]}


def reachable(given: Mapping[str, str]) -> dict[str, str]:
    """The default module if it can be had now, here or from the network; else the one made from the train split."""
    if HANDLE in given:
        return {}
    kept = Path(os.environ.get("TFHUB_CACHE_DIR") or Path(tempfile.gettempdir(), "tfhub_modules"))
    if (kept / hashlib.sha1(GNEWS.encode()).hexdigest()).is_dir():  # as tensorflow_hub keeps it
        return {HANDLE: GNEWS}
    try:
        with urllib.request.urlopen(f"{GNEWS}?tf-hub-format=compressed", timeout=10):
            return {HANDLE: GNEWS}
    except OSError as error:
        print(f"The text module {GNEWS} cannot be had ({error}); one is made from the train split.", flush=True)
        return {HANDLE: OWN}


def hub(transform_graph: Path, handle: str = OWN, units: int = 16) -> keras.Model:
    from tasks import _hub  # its layer is a class of Keras, which a mere listing of tasks does without

    layer = _hub.text_layer(handle, transform_graph, VOCABULARY)
    inputs = keras.Input((), dtype="string", name="text")
    x = keras.layers.Dense(units, activation="relu")(layer(inputs))
    model = keras.Model(inputs, keras.layers.Dense(1, activation="sigmoid")(x))
    model.about = layer.about
    return model


TASK = Task(
    about="Whether a film review is positive, from a TF-Hub text embedding (IMDB)",
    features=_imdb.FEATURES,
    label=_imdb.LABEL,
    sample=_imdb.sample,
    real=_imdb.real,
    preprocess=preprocess,
    models={"hub": Model(hub, Train(epochs=20, batch_size=512, optimizer="adam", patience=2), settle=reachable)},
    gate=(Bar("accuracy", 0.85, tolerance=0.01),),
    splits=_imdb.SPLITS,
)
