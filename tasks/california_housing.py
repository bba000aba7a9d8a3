"""Prices of houses in California's districts, from the census of 1990 (StatLib; 20,640 districts).

What is learned: a district's median house value, in 100,000 dollars, from scikit-learn's eight features. These are
computed in the preprocessing from the raw columns, so that raw rows are served.
Data: `sample` makes 2,400 synthetic districts from a formula; `real` is StatLib's table, 64/16/20 by content.
Models: `mlp` (30-1, sgd 0.01, 20 epochs) and four forms of one wide and deep network (two layers of 30 beside a
straight line; sgd 0.005, 30 epochs): `wide_deep`, `wide_deep_two_inputs` (the first five features wide, the last six
deep), `wide_deep_aux` (as before, and a second output from the deep part, weighted 0.9 to 0.1), and
`wide_deep_subclassed` (a subclass of `keras.Model`).

    sluice run california_housing --data real

Reached on the real data, mean squared error, mean of seeds 0 to 2: `mlp` 0.333, `wide_deep` 0.326,
`wide_deep_subclassed` 0.330, `wide_deep_two_inputs` 0.351 and `wide_deep_aux` 0.350.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tasks import Bar, InputError, Model, Number, Part, Task, Train
from tasks._files import RealFile
from transforms import scaling

FEATURES = (
    Number("longitude", minimum=-180, maximum=180),
    Number("latitude", minimum=-90, maximum=90),
    Number("housing_median_age", minimum=0, maximum=200, about="years"),
    Number("total_rooms", minimum=0),
    Number("total_bedrooms", minimum=0, when_missing="keep", about="missing in some editions of the table"),
    Number("population", minimum=0),
    Number("households", minimum=0),
    Number("median_income", minimum=0, about="10,000 dollars a year"),
)
LABEL = Number("median_house_value", minimum=0, maximum=50, about="100,000 dollars")
RAW = [feature.name for feature in FEATURES]

KERAS = RealFile(
    name="california_housing.npz",
    folder="california_housing",
    url="https://storage.googleapis.com/tensorflow/tf-keras-datasets/california_housing.npz",
    sha256="1a2e3a52e0398de6463aebe6f4a8da34fb21fbb6b934cf88c3425e766f2a1a6f",
)
STATLIB = RealFile(
    name="cal_housing.data",
    folder="california_housing",
    url="",
    sha256="a2b44dcc7e1c9091b43c4f458b25cbd1f7e8068d08edd26bc4703108d3fa6214",
)


def preprocess(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Scikit-learn's eight features as z-scores: all together, the first five, and the last six."""
    households = features["households"]
    columns = scaling.z_score(
        [
            features["median_income"],
            features["housing_median_age"],
            tf.math.divide_no_nan(features["total_rooms"], households),
            tf.math.divide_no_nan(features["total_bedrooms"], households),
            features["population"],
            tf.math.divide_no_nan(features["population"], households),
            features["latitude"],
            features["longitude"],
        ]
    )
    return {"features": columns, "wide": columns[:, :5], "deep": columns[:, 2:]}


def mlp(units: int = 30) -> keras.Model:
    inputs = keras.Input((8,), name="features")
    x = keras.layers.Dense(units, activation="relu")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def wide_deep(units: int = 30) -> keras.Model:
    inputs = keras.Input((8,), name="features")
    x = keras.layers.Concatenate()([inputs, _deep(inputs, units)])
    return keras.Model(inputs, keras.layers.Dense(1)(x))


def wide_deep_two_inputs(units: int = 30) -> keras.Model:
    wide, deep = keras.Input((5,), name="wide"), keras.Input((6,), name="deep")
    x = keras.layers.Concatenate()([wide, _deep(deep, units)])
    return keras.Model({"wide": wide, "deep": deep}, keras.layers.Dense(1)(x))


def wide_deep_aux(units: int = 30) -> keras.Model:
    wide, deep = keras.Input((5,), name="wide"), keras.Input((6,), name="deep")
    hidden = _deep(deep, units)
    x = keras.layers.Concatenate()([wide, hidden])
    outputs = {"prediction": keras.layers.Dense(1)(x), "aux": keras.layers.Dense(1, name="aux")(hidden)}
    return keras.Model({"wide": wide, "deep": deep}, outputs)


def wide_deep_subclassed(units: int = 30) -> keras.Model:
    from tasks._wide_deep import WideDeep  # a class of Keras, which a mere listing of tasks does without

    return WideDeep(units)


def _deep(inputs: keras.KerasTensor, units: int) -> keras.KerasTensor:
    for _ in range(2):
        inputs = keras.layers.Dense(units, activation="relu")(inputs)
    return inputs


def real(data_dir: Path | None) -> Sequence[Part]:
    """Keras' file, or StatLib's table if only that is in the data directory."""
    for file in (KERAS, STATLIB) if data_dir is not None else ():
        try:
            file.check(data_dir)
        except InputError:
            continue
        return (_part(file, data_dir),)
    return (_part(KERAS.check(data_dir), data_dir),)


def _part(file: RealFile, data_dir: Path | None) -> Part:
    return Part(name=file.name, version=file.sha256, read=lambda: [_read(file.path(data_dir))])


def _read(path: Path) -> pd.DataFrame:
    if path.suffix == ".npz":
        with np.load(path) as arrays:
            districts, dollars = arrays["x"], arrays["y"]
    else:
        table = np.loadtxt(path, delimiter=",", dtype=np.float32)
        districts, dollars = table[:, :-1], table[:, -1]
    return pd.DataFrame(districts, columns=RAW).assign(median_house_value=dollars / 1e5)


def sample() -> Sequence[Part]:
    return (Part(name="synthetic districts", version="1", read=_districts),)


def _districts(count: int = 2400) -> Iterable[pd.DataFrame]:
    """Synthetic districts: houses cost more where people earn more, near the coast, and where few share one."""
    random = np.random.RandomState(1990)  # numpy promises the same numbers for ever of RandomState alone
    latitude = random.uniform(32.5, 42, count)
    from_coast = random.gamma(1.5, 1.2, count)
    income = np.clip(random.lognormal(1.25, 0.45, count), 0.5, 15)
    households = np.round(random.lognormal(6, 0.6, count)) + 1
    rooms = np.round(households * random.normal(5.4, 0.9, count).clip(2))
    people = np.round(households * random.normal(2.9, 0.5, count).clip(1))
    value = 0.6 + 0.42 * income + 0.9 * np.exp(-from_coast) - 0.25 * (people / households - 2.9)
    districts = pd.DataFrame(
        {
            "longitude": -124 + (42 - latitude) * 0.75 + from_coast,
            "latitude": latitude,
            "housing_median_age": random.randint(1, 53, count),
            "total_rooms": rooms,
            "total_bedrooms": np.round(rooms * random.uniform(0.18, 0.22, count)),
            "population": people,
            "households": households,
            "median_income": income,
            "median_house_value": np.clip(value + random.normal(0, 0.25, count), 0.15, 7),
        }
    )
    yield districts.round(4)


WIDE_DEEP = Train(epochs=30, optimizer="sgd", learning_rate=0.005, patience=10)
TWO_OUTPUTS = Train(
    epochs=30, optimizer="sgd", learning_rate=0.005, patience=10, loss_weights={"prediction": 0.9, "aux": 0.1}
)
TASK = Task(
    about="Prices of houses in California's districts (census of 1990)",
    features=FEATURES,
    label=LABEL,
    sample=sample,
    real=real,
    preprocess=preprocess,
    models={
        "mlp": Model(mlp, Train(epochs=20, optimizer="sgd", learning_rate=0.01, patience=10)),
        "wide_deep": Model(wide_deep, WIDE_DEEP),
        "wide_deep_two_inputs": Model(wide_deep_two_inputs, WIDE_DEEP),
        "wide_deep_aux": Model(wide_deep_aux, TWO_OUTPUTS, outputs=("prediction", "aux")),
        "wide_deep_subclassed": Model(wide_deep_subclassed, WIDE_DEEP),
    },
    gate=(Bar("mse", 0.5, tolerance=0.02),),
)
