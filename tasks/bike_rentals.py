"""How many bikes are rented in an hour, from the calendar and the weather; the newest weeks judge.

What is learned: rentals of an hour to come. Rows are split by their date, not by their content: the hours beside a test
row would tell its number, and there are none such of the hours that are to come.
Data: `sample` makes half a year of hours of one station; your own are rows with the columns below.
Model: `mlp`, two hidden layers, on the month, the weekday and the hour as sine and cosine.

    sluice run bike_rentals
    sluice run bike_rentals --data 'days/*.csv'
    echo '{"when": "2026-11-24T18:00", "temperature": 9.5, "holiday": "no"}' | sluice predict bike_rentals -
"""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
import pandas as pd
import tensorflow as tf

from tasks import Bar, Category, Date, Model, Number, Part, Splits, Task, Train
from transforms import categories, dates, scaling

HOLIDAY = ("no", "yes")
CALENDAR = ("month", "weekday", "hour")


def preprocess(features: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """Ten columns. The years are no input: what a model makes of days beyond all it has seen is guessed."""
    calendar = dates.calendar(features["when"], CALENDAR)
    weekday = categories.one_hot(dates.part(features["when"], "weekday"), range(7))
    weather = scaling.z_score([features["temperature"]])
    holiday = categories.one_hot(features["holiday"], HOLIDAY)
    return {"features": tf.concat([calendar, weekday, weather, holiday], axis=1)}


def mlp(units: int = 64) -> keras.Model:
    inputs = keras.Input((2 * len(CALENDAR) + 7 + 1 + len(HOLIDAY),), name="features")
    x = keras.layers.Dense(units, activation="relu")(inputs)
    x = keras.layers.Dense(units, activation="relu")(x)
    return keras.Model(inputs, keras.layers.Rescaling(100.0, 150.0)(keras.layers.Dense(1)(x)))


def sample() -> Sequence[Part]:
    return (Part(name="synthetic rentals", version="1", read=lambda: [_hours()]),)


def _hours(days: int = 182) -> pd.DataFrame:
    """Synthetic hours: commuters on workdays at eight and at five, others on warm afternoons."""
    random = np.random.RandomState(1817)  # Drais' first ride
    when = pd.date_range("2026-01-05", periods=24 * days, freq="h")
    hour, weekday = when.hour.to_numpy(), when.day_of_week.to_numpy()
    holiday = np.repeat(random.rand(days) < 0.03, 24)
    season = -np.cos(2 * np.pi * (when.day_of_year.to_numpy() - 20) / 365)
    temperature = 10 + 9 * season + 4 * np.sin(2 * np.pi * (hour - 9) / 24) + np.repeat(random.normal(0, 3, days), 24)
    at_work = (weekday < 5) & ~holiday
    commuters = 220 * at_work * (np.exp(-((hour - 8) ** 2) / 3) + np.exp(-((hour - 17) ** 2) / 5))
    leisure = np.maximum(temperature, 0) * 9 * np.exp(-((hour - 15) ** 2) / 18) * np.where(at_work, 0.6, 1.0)
    rentals = np.maximum(np.round(12 + commuters + leisure + random.normal(0, 12, len(when))), 0)
    return pd.DataFrame(
        {
            "when": when,
            "temperature": np.round(temperature, 1),
            "holiday": np.where(holiday, "yes", "no"),
            "rentals": rentals,
        }
    )


TASK = Task(
    about="Bikes rented in an hour, from the calendar and the weather",
    features=(
        Date("when", minimum="2000-01-01", maximum="2100-01-01", about="the hour, by the clock of the place"),
        Number("temperature", minimum=-60, maximum=60, when_missing="keep", about="degrees Celsius"),
        Category("holiday", HOLIDAY),
    ),
    label=Number("rentals", minimum=0, maximum=100_000),
    sample=sample,
    preprocess=preprocess,
    models={"mlp": Model(mlp, Train(epochs=60, batch_size=64, learning_rate=0.003, loss="mse", patience=8))},
    gate=(Bar("mae", 20, tolerance=1),),
    splits=Splits(by="when", eval="2 weeks", test="4 weeks"),
)
