"""What Keras makes of a name alone, told here so that a wrong one is known without importing Keras."""

from __future__ import annotations

from difflib import get_close_matches
from typing import Any

OPTIMIZERS = (
    "adadelta", "adafactor", "adagrad", "adam", "adamax", "adamw", "ftrl", "lion", "muon", "nadam", "rmsprop",
    "schedulefreeadamw", "sgd",
)  # fmt: skip
LOSSES = (
    "bce", "binary_crossentropy", "binary_focal_crossentropy", "categorical_crossentropy",
    "categorical_focal_crossentropy", "categorical_hinge", "circle", "cosine_similarity", "ctc", "dice", "hinge",
    "huber", "kl_divergence", "kld", "log_cosh", "mae", "mape", "mean_absolute_error",
    "mean_absolute_percentage_error", "mean_squared_error", "mean_squared_logarithmic_error", "mse", "msle",
    "poisson", "sparse_categorical_crossentropy", "squared_hinge", "tversky", "BCE", "KLD", "MAE", "MAPE", "MSE",
    "MSLE", "BinaryCrossentropy", "BinaryFocalCrossentropy", "CTC", "CategoricalCrossentropy",
    "CategoricalFocalCrossentropy", "CategoricalHinge", "Circle", "CosineSimilarity", "Dice", "Hinge", "Huber",
    "KLDivergence", "LogCosh", "MeanAbsoluteError", "MeanAbsolutePercentageError", "MeanSquaredError",
    "MeanSquaredLogarithmicError", "Poisson", "SparseCategoricalCrossentropy", "SquaredHinge", "Tversky",
)  # fmt: skip


def check_names(*, optimizer: Any, loss: Any) -> None:
    """ValueError for what Keras makes nothing of, or for an object, which two fits would share."""
    for what, given, known, such_as in (("optimizer", optimizer, OPTIMIZERS, "adam"), ("loss", loss, LOSSES, "mae")):
        if given is None and what == "loss":
            continue
        if not isinstance(given, str):
            raise ValueError(f"Train.{what} is a name of Keras', such as {such_as!r}. Received: {given!r:.100}.")
        # What a task's file registers with Keras has its package before it.
        if ">" not in given and not {given, given.lower()} & set(known):
            close = get_close_matches(given, known, n=1)
            hint = f"Did you mean {close[0]!r}?" if close else f"Expected one of: {', '.join(known)}."
            raise ValueError(f"Train.{what} is none of Keras' names: {given!r}. {hint}")


def check_functions(**given: Any) -> None:
    """ValueError for what is there already where each fit makes its own."""
    for what, function in given.items():
        if function is not None and not callable(function):
            raise ValueError(
                f"Train.{what} is a function, which each fit calls: expected lambda: [...] or a function's name "
                f"without brackets. Received: {function!r:.100}."
            )
