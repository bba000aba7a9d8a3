"""Kinds of flowers from colour photos of any size, in a folder for each kind.

What is learned: which of five kinds of flowers a photo shows. The photo is a file as it comes (JPEG, PNG, GIF, BMP or
WebP); the served model decodes it, turns it upright as the camera says, cuts out the middle and scales it to 64 by 64.
Data: `sample` draws 240 flowers; your own are a folder with one folder a kind, such as TensorFlow's `flower_photos`,
or that archive as it is.
Model: `cnn`, three convolutions from scratch; photos are mirrored, turned and zoomed at random while it trains, and
never when it is served.

    sluice run flowers
    sluice run flowers --data flower_photos.tgz
    sluice predict flowers rose.jpg more/*.jpg
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import tensorflow as tf

from tasks import Bar, Category, Image, Model, Part, Task, Train, _flower_drawings
from transforms import images

SIZE = 64
KINDS = ("daisy", "dandelion", "roses", "sunflowers", "tulips")


def preprocess(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    return {"photo": images.resize(features["photo"], SIZE, SIZE, channels=3, fit="crop")}


def cnn(filters: int = 16, units: int = 64, dropout: float = 0.3) -> keras.Model:
    inputs = keras.Input((SIZE, SIZE, 3), name="photo")
    x = keras.layers.RandomFlip("horizontal")(inputs)
    x = keras.layers.RandomRotation(0.1)(x)
    x = keras.layers.RandomZoom(0.1)(x)
    x = keras.layers.Conv2D(filters, 5, strides=2, padding="same", activation="relu")(x)
    for size in (2 * filters, 4 * filters):
        x = keras.layers.Conv2D(size, 3, padding="same", activation="relu")(x)
        x = keras.layers.MaxPooling2D()(x)
    x = keras.layers.Dropout(dropout)(keras.layers.Flatten()(x))
    x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(len(KINDS), activation="softmax")(x))


def sample() -> Sequence[Part]:
    return (Part(name="drawn flowers", version="1", read=lambda: [_flower_drawings.draw(1, 240)]),)


TASK = Task(
    about="Kinds of flowers from colour photos of any size",
    features=(Image("photo", SIZE, SIZE, channels=3),),
    label=Category("label", KINDS),
    sample=sample,
    preprocess=preprocess,
    models={"cnn": Model(cnn, Train(epochs=12, batch_size=32, patience=3))},
    gate=(Bar("accuracy", 0.6, tolerance=0.02),),
    slices=("label",),
)
