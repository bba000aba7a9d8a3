"""A fit that was cut short: every model of every task goes on after its last finished epoch, to the same end."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import tasks
from components.serving.preprocessing import Preprocessing
from components.train import shuffled_batches
from components.train import step as train
from components.train.checkpoint import KEPT, Resume
from components.transform import step as transform
from tasks import Train

MODELS = [(name, model) for name in tasks.names() for model in tasks.get(name).models]
EPOCHS = 3


class StopBefore(keras.callbacks.Callback):
    """Ends the process as a request to stop does, when the epoch before has been kept."""

    def __init__(self, epoch: int) -> None:
        super().__init__()
        self.at = epoch

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if epoch == self.at:
            raise SystemExit("terminated")


class Prepared:
    """Some rows of a task's sample, preprocessed, and a fit of any of its models on them."""

    def __init__(self, name: str, folder: Path, write_examples: Callable[..., str]) -> None:
        self.name, self.task, self.graph = name, tasks.get(name), str(folder / "graph")
        frame = pd.concat(list(self.task.sample()[0].read()), ignore_index=True)[:48]
        rows = [{key: _literal(value) for key, value in row.items()} for row in frame.to_dict("records")]
        examples = write_examples(self.task, folder / "examples", {"train": rows[:32], "eval": rows[32:]})
        transform.run(task=name, settings={}, beam_args=[], examples=examples, transform_graph=self.graph)
        preprocessing, settings = Preprocessing(self.graph), Train(epochs=1)
        self.rows = shuffled_batches.load(self.task, settings, preprocessing, examples, ("train",))
        self.watched = shuffled_batches.load(self.task, settings, preprocessing, examples, ("eval",))

    def fit(self, model: str, directory: Path, stop: int = EPOCHS) -> tuple[Resume, list[np.ndarray]]:
        """In three epochs, cut short before the one of that number; without XLA, which takes longer to compile."""
        settings = dataclasses.replace(
            self.task.models[model].train, epochs=EPOCHS, xla=False, callbacks=lambda: [StopBefore(stop)]
        )
        watched = self.watched if settings.fit_on == "train" else None
        keras.utils.set_random_seed(0)
        built = train.build(self.task, model, self.task.hyperparameters(model), self.rows, self.graph)
        resume = train.fit(self.task, model, built, settings, self.rows, watched, 0, directory)
        return resume, [np.asarray(weights) for weights in built.get_weights()]


def _literal(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, write_examples: Callable[..., str]) -> Callable[[str], Prepared]:
    made: dict[str, Prepared] = {}

    def prepare(name: str) -> Prepared:
        if name not in made:
            made[name] = Prepared(name, tmp_path_factory.mktemp(name), write_examples)
        return made[name]

    return prepare


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), MODELS)
def test_a_fit_cut_short_after_its_first_and_its_second_epoch_comes_to_the_same_end(
    name: str, model: str, prepared: Callable[[str], Prepared], tmp_path: Path
) -> None:
    whole, expected = prepared(name).fit(model, tmp_path / "whole")
    for epoch in (1, 2):
        with pytest.raises(SystemExit):
            prepared(name).fit(model, tmp_path / "cut", stop=epoch)
    resumed, received = prepared(name).fit(model, tmp_path / "cut")
    assert len(resumed.history["loss"]) == EPOCHS
    assert (resumed.history, resumed.best_epoch) == (whole.history, whole.best_epoch)
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("damage", [lambda kept: kept[:-100], lambda kept: kept[:1000] + b"?" * 99 + kept[1099:]])
def test_a_torn_state_is_no_state(
    damage: Callable[[bytes], bytes], prepared: Callable[[str], Prepared], tmp_path: Path
) -> None:
    whole, expected = prepared("auto_mpg").fit("mlp", tmp_path / "whole")
    with pytest.raises(SystemExit):
        prepared("auto_mpg").fit("mlp", tmp_path / "cut", stop=1)
    kept = tmp_path / "cut" / "resume" / KEPT
    kept.write_bytes(damage(kept.read_bytes()))
    again, received = prepared("auto_mpg").fit("mlp", tmp_path / "cut")
    assert again.history == whole.history
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, other)
