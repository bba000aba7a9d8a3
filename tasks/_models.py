"""A task's models: how each is built, and how it is fitted."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from tasks._features import as_tuple, brief
from tasks._keras_names import check_functions, check_names

if TYPE_CHECKING:
    import keras
    import pandas as pd


@dataclass(frozen=True, kw_only=True)
class Train:
    """How a model is fitted. Every plain field can be overridden: `--set train.epochs=3`.

    `patience` stops after so many epochs without a smaller validation loss and goes back to the best weights;
    `keep_best` goes back to them without stopping early. When a killed run goes on, what `callbacks` did to the model
    and its optimizer is there again, such as a lowered learning rate; what they count themselves begins afresh.
    """

    epochs: int
    batch_size: int = 32
    optimizer: str = "adam"
    learning_rate: float | None = None
    schedule: Literal["constant", "cosine", "exponential"] = "constant"
    loss: str | None = None
    patience: int | None = None
    keep_best: bool = False
    fit_on: Literal["train", "train+eval"] = "train"
    mixed_precision: bool = False
    scale_batch: bool = False
    memory: float | None = None
    xla: bool | None = None
    class_weights: Mapping[int | str, float] | Literal["balanced"] | None = None
    sample_weight: Callable[[pd.DataFrame], Any] | None = None
    loss_weights: Mapping[str, float] | None = None
    callbacks: Callable[[], Sequence[keras.callbacks.Callback]] | None = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size"):
            if getattr(self, name) < 1:
                raise ValueError(f"Train.{name} must be at least 1. Received: {getattr(self, name)}.")
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ValueError(f"Train.learning_rate must be a number above 0. Received: {self.learning_rate}.")
        if self.memory is not None and not 0 <= self.memory < math.inf:
            raise ValueError(f"Train.memory must be a number of GiB, 0 or more. Received: {self.memory}.")
        if self.patience is not None and self.patience < 0:
            raise ValueError(f"Train.patience must be at least 0. Received: {self.patience}.")
        if (self.keep_best or self.patience is not None) and self.fit_on == "train+eval":
            raise ValueError("patience and keep_best need rows held out to watch. Expected fit_on='train' with them.")
        check_names(optimizer=self.optimizer, loss=self.loss)
        check_functions(callbacks=self.callbacks, sample_weight=self.sample_weight)


@dataclass(frozen=True)
class Model:
    """A way to build a Keras model and how to fit it.

    `build` returns an uncompiled model whose inputs bear names of the preprocessing's outputs. Its keyword arguments
    are hyperparameters: `--set model.units=128`. A regression ends in one linear unit, two classes in one sigmoid unit
    (the probability of the label's second value), more classes in a softmax. A model with several outputs returns a
    dict; the first key named in `outputs` is the one the gate judges, the others are served by their own names.

    A builder with a parameter called `transform_graph` is told where the fitted preprocessing lies, so that it can
    read a vocabulary. A sentence that a report should give about a model goes into its attribute `about`.

    `settle` takes the settings that were given and returns further ones, which hang on more than code and data: on what
    the network has, say. It is asked once, when a run begins, so that they are in its record and in the caches' keys.
    """

    build: Callable[..., keras.Model]
    train: Train
    _: KW_ONLY
    outputs: tuple[str, ...] = ("prediction",)
    settle: Callable[[Mapping[str, str]], Mapping[str, str]] = lambda given: {}

    def __post_init__(self) -> None:
        # A built model can be called, too; Keras need not be imported to know it.
        built = any(kind.__module__.partition(".")[0] == "keras" for kind in type(self.build).__mro__)
        if built or not callable(self.build):
            raise ValueError(
                "Model takes the function that builds the model, not what it returns. "
                f"Expected Model(mlp, ...), without brackets after mlp. Received: {brief(self.build)}."
            )
        if not isinstance(self.train, Train):
            raise ValueError(f"Model takes how it is fitted. Expected Train(...). Received: {brief(self.train)}.")
        made = as_tuple("A Model's outputs", self.outputs, str, '("prediction",)')
        object.__setattr__(self, "outputs", made)

    def make(self, transform_graph: str | Path, **hyperparameters: Any) -> keras.Model:
        """Build with these hyperparameters and what else the builder asks for."""
        wanted = inspect.signature(self.build).parameters
        given = {"transform_graph": Path(transform_graph)} if "transform_graph" in wanted else {}
        return self.build(**given, **hyperparameters)
