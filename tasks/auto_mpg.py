"""Fuel consumption of cars, from the Auto MPG data set (UCI; 398 cars of 1970 to 1982, 6 without horsepower).

What is learned: miles per gallon from seven properties of a car. The label is never among the inputs.
Data: `sample` makes 400 synthetic cars of the same shape; `real` is UCI's auto-mpg.data, 64/16/20 by content.
Model: `mlp`, two hidden layers of 64, RMSprop 0.001, at most 1,000 epochs, stopped early.
Cars without horsepower are left out of training; served ones count as of average horsepower.

    sluice run auto_mpg --data real

Reached on the real data: mean absolute error 1.93 (seeds 0 to 2).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tasks import Bar, Category, Model, Number, Part, Task, Train
from tasks._files import RealFile
from transforms import categories, scaling

FEATURES = (
    Number("cylinders", minimum=1, maximum=16),
    Number("displacement", minimum=10, maximum=1000, about="cubic inches"),
    Number("horsepower", minimum=1, maximum=1000, when_missing="skip_training"),
    Number("weight", minimum=500, maximum=10_000, about="pounds"),
    Number("acceleration", minimum=1, maximum=60, about="seconds to 60 miles an hour"),
    Number("model_year", minimum=50, maximum=99, about="less 1900"),
    Category("origin", (1, 2, 3), names=("USA", "Europe", "Japan")),
)
LABEL = Number("mpg", minimum=1, maximum=100, about="miles per gallon")
NUMBERS = tuple(feature.name for feature in FEATURES if isinstance(feature, Number))

UCI = RealFile(
    name="auto-mpg.data",
    folder="auto_mpg",
    url="https://archive.ics.uci.edu/ml/machine-learning-databases/auto-mpg/auto-mpg.data",
    sha256="48b830e11feee5572525f8f1691ddb9d38d3d7b7063edcd8fca672c2a5e17d8d",
)


def preprocess(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Nine columns: the numbers as z-scores, the origin one-hot."""
    numbers = scaling.z_score([features[name] for name in NUMBERS])
    origin = categories.one_hot(features["origin"], (1, 2, 3))
    return {"features": tf.concat([numbers, origin], axis=1)}


def mlp(units: int = 64, layers: int = 2) -> keras.Model:
    inputs = keras.Input((len(NUMBERS) + 3,), name="features")
    x = inputs
    for _ in range(layers):
        x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def real(data_dir: Path | None) -> Sequence[Part]:
    file = UCI.check(data_dir)
    return (Part(name=file.name, version=file.sha256, read=lambda: [_read(file.path(data_dir))]),)


def _read(path: Path) -> pd.DataFrame:
    names = [LABEL.name, *(feature.name for feature in FEATURES)]
    return pd.read_csv(path, names=names, na_values="?", comment="\t", sep=" ", skipinitialspace=True)


def sample() -> Sequence[Part]:
    return (Part(name="synthetic cars", version="1", read=_cars),)


def _cars(count: int = 400) -> Iterable[pd.DataFrame]:
    """Synthetic cars: the fuel a car burns grows with weight and power, and shrinks with the years."""
    random = np.random.RandomState(1970)  # numpy promises the same numbers for ever of RandomState alone
    origin = random.choice([1, 2, 3], count, p=[0.62, 0.18, 0.20])
    cylinders = np.where(origin == 1, random.choice([4, 6, 8], count, p=[0.3, 0.3, 0.4]), random.choice([4, 6], count))
    displacement = np.round(cylinders * np.where(origin == 1, 38, 28) * random.uniform(0.8, 1.2, count))
    horsepower = np.round(30 + 0.4 * displacement * random.uniform(0.75, 1.25, count))
    weight = np.round(1500 + 7.2 * displacement + random.normal(0, 200, count))
    acceleration = np.round(24 - 0.05 * horsepower - 0.0005 * weight + random.normal(0, 1.2, count), 1)
    model_year = random.randint(70, 83, count)
    gallons = 0.3 + 0.0011 * weight + 0.008 * horsepower - 0.09 * (model_year - 76) - 0.2 * (origin == 3)
    mpg = np.round(100 / np.maximum(gallons, 2) + random.normal(0, 1.5, count), 1)
    cars = pd.DataFrame({
        "cylinders": cylinders, "displacement": displacement, "horsepower": horsepower, "weight": weight,
        "acceleration": acceleration, "model_year": model_year, "origin": origin, "mpg": mpg,
    })  # fmt: skip
    cars.loc[random.choice(count, 6, replace=False), "horsepower"] = np.nan
    yield cars


TASK = Task(
    about="Fuel consumption of cars from seven properties (Auto MPG)",
    features=FEATURES,
    label=LABEL,
    sample=sample,
    real=real,
    preprocess=preprocess,
    models={
        "mlp": Model(
            mlp, Train(epochs=1000, batch_size=32, optimizer="rmsprop", learning_rate=0.001, loss="mse", patience=10)
        ),
    },
    gate=(Bar("mae", 2.5, tolerance=0.1, slices=("origin",)),),
    slices=("origin",),
)
