"""Rows a second of Keras' own `fit` on random arrays of the tutorials' shapes, on TensorFlow or JAX.

JAX is none of our libraries: pip install --target FOLDER jax, and name the folder in PYTHONPATH.

    KERAS_BACKEND=jax PYTHONPATH=FOLDER .venv/bin/python benchmarks/keras_backends.py [--at-once 64] [MODEL ...]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import keras
import numpy as np
from keras.layers import Conv2D, Dense, Dropout, Embedding, Flatten, GlobalAveragePooling1D, MaxPooling2D, Reshape

EPOCHS = 3
PICTURE = (28, 28)


def dense(*units: int) -> list[keras.layers.Layer]:
    return [Flatten(), *(Dense(count, activation="relu") for count in units), Dense(10, activation="softmax")]


def convolved() -> list[keras.layers.Layer]:
    blocks = [[Conv2D(size, 3, padding="same", activation="relu"), MaxPooling2D()] for size in (24, 48)]
    return [Reshape((*PICTURE, 1)), *blocks[0], *blocks[1], Dropout(0.3), *dense(128)]


def averaged() -> list[keras.layers.Layer]:
    return [Embedding(10_000, 16), GlobalAveragePooling1D(), Dense(16, activation="relu"), Dense(1, "sigmoid")]


Layers = Callable[[], list[keras.layers.Layer]]
# The shape of a row, the rows, those of a batch, the optimizer, the loss and the layers.
MODELS: dict[str, tuple[tuple[int, ...], int, int, str, str, Layers]] = {
    "mlp128": (PICTURE, 32_768, 32, "adam", "sparse_categorical_crossentropy", lambda: dense(128)),
    "mlp300_100": (PICTURE, 32_768, 32, "sgd", "sparse_categorical_crossentropy", lambda: dense(300, 100)),
    "cnn": (PICTURE, 8_192, 128, "adam", "sparse_categorical_crossentropy", convolved),
    "california_housing": ((8,), 12_288, 32, "sgd", "mse", lambda: [Dense(30, activation="relu"), Dense(1)]),
    "imdb_padded": ((256,), 32_768, 512, "adam", "binary_crossentropy", averaged),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", metavar="MODEL", help=f"of {', '.join(MODELS)}; default: all")
    parser.add_argument("--at-once", type=int, default=1, metavar="N", help="steps in one go; default: 1")
    given = parser.parse_args()
    for name in given.models or MODELS:
        shape, rows, batch, optimizer, loss, layers = MODELS[name]
        random = np.random.default_rng(0)
        words = name == "imdb_padded"
        inputs = random.integers(0, 10_000, (rows, *shape)) if words else random.random((rows, *shape), np.float32)
        labels = random.integers(0, 10 if "sparse" in loss else 2, rows)
        model = keras.Sequential([keras.Input(shape), *layers()])
        model.compile(optimizer=optimizer, loss=loss, steps_per_execution=given.at_once)
        began = time.monotonic()
        model.fit(inputs, labels, batch_size=batch, verbose=0)
        first = time.monotonic()
        model.fit(inputs, labels, batch_size=batch, epochs=EPOCHS, verbose=0)
        speed = EPOCHS * rows / (time.monotonic() - first)
        print(
            f"{name:20} {keras.backend.backend():12} first epoch {first - began:.1f} s, {speed:,.0f} rows/s", flush=True
        )


if __name__ == "__main__":
    main()
