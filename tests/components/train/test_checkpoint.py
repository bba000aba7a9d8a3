"""A fit that was cut short: every model of every task goes on after its last finished epoch, to the same end."""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest

import tasks
from components.serving.preprocessing import Preprocessing
from components.train import preprocessed_rows
from components.train import step as train
from components.train.checkpoint import KEPT, Resume, read
from components.transform import step as transform
from tasks import Train

MODELS = [(name, model) for name in tasks.names() for model in tasks.get(name).models]
EPOCHS = 3
# One that watches a split, and one that does not.
BOTH = {("auto_mpg", "mlp"), ("fashion_mnist", "mlp128")}


class Keep(keras.callbacks.Callback):
    """Lays aside what each epoch left for the next: what a kill in that next epoch would leave."""

    def __init__(self, directory: Path) -> None:
        super().__init__()
        self.directory = directory

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        kept = self.directory / "resume" / KEPT
        if kept.exists():
            shutil.copyfile(kept, self.directory / f"after-{epoch}")


class Prepared:
    """Some rows of a task's sample, preprocessed, and a fit of any of its models on them."""

    def __init__(self, name: str, folder: Path, write_examples: Callable[..., str]) -> None:
        self.name, self.task, self.graph = name, tasks.get(name), str(folder / "graph")
        frame = pd.concat(list(self.task.sample()[0].read()), ignore_index=True)[:48]
        rows = [{key: _literal(value) for key, value in row.items()} for row in frame.to_dict("records")]
        examples = write_examples(self.task, folder / "examples", {"train": rows[:32], "eval": rows[32:]})
        transform.run(task=name, settings={}, beam_args=[], examples=examples, transform_graph=self.graph)
        preprocessing, settings = Preprocessing(self.graph), Train(epochs=1)
        self.rows = preprocessed_rows.load(
            preprocessed_rows.Reader(self.task, settings, preprocessing), examples, ("train",)
        )
        self.watched = preprocessed_rows.load(
            preprocessed_rows.Reader(self.task, settings, preprocessing), examples, ("eval",)
        )

    def fit(self, model: str, directory: Path, *, xla: bool = False) -> tuple[Resume, list[np.ndarray]]:
        """In three epochs; mostly without XLA, which takes longer to compile."""
        settings = dataclasses.replace(
            self.task.models[model].train, epochs=EPOCHS, xla=xla, callbacks=lambda: [Keep(directory)]
        )
        watched = self.watched if settings.fit_on == "train" else None
        keras.utils.set_random_seed(0)
        built = train.build(self.task, model, self.task.hyperparameters(model), self.rows, self.graph)
        resume = train.fit(self.task, model, built, settings, self.rows, watched, 0, directory)
        return resume, [np.asarray(weights) for weights in built.get_weights()]

    def resumed(
        self, model: str, directory: Path, state: bytes, *, xla: bool = False
    ) -> tuple[Resume, list[np.ndarray]]:
        (directory / "resume").mkdir(parents=True)
        (directory / "resume" / KEPT).write_bytes(state)
        return self.fit(model, directory, xla=xla)


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
def test_a_fit_killed_after_its_first_or_second_epoch_comes_to_the_same_end(
    name: str, model: str, prepared: Callable[[str], Prepared], tmp_path: Path
) -> None:
    whole, expected = prepared(name).fit(model, tmp_path / "whole")
    for epoch in (1, 2) if (name, model) in BOTH else (1,):
        state = (tmp_path / "whole" / f"after-{epoch}").read_bytes()
        resumed, received = prepared(name).resumed(model, tmp_path / str(epoch), state)
        assert len(resumed.history["loss"]) == EPOCHS
        assert (resumed.history, resumed.best_epoch) == (whole.history, whole.best_epoch)
        for one, other in zip(expected, received, strict=True):
            np.testing.assert_array_equal(one, other)
        assert not (tmp_path / str(epoch) / f"after-{epoch - 1}").exists()  # it did not begin afresh


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), [("fashion_mnist", "mlp128"), ("imdb_padded", "average")])
@pytest.mark.usefixtures("no_op_determinism")
def test_so_does_one_that_xla_compiles(
    name: str, model: str, prepared: Callable[[str], Prepared], tmp_path: Path
) -> None:
    whole, expected = prepared(name).fit(model, tmp_path / "whole", xla=True)
    state = (tmp_path / "whole" / "after-1").read_bytes()
    resumed, received = prepared(name).resumed(model, tmp_path / "again", state, xla=True)
    assert resumed.history == whole.history
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_torn_state_is_no_state(prepared: Callable[[str], Prepared], tmp_path: Path) -> None:
    whole, expected = prepared("auto_mpg").fit("mlp", tmp_path / "whole")
    state = (tmp_path / "whole" / "after-1").read_bytes()
    for torn in (state[:-100], state[:1000] + b"?" * 99 + state[1099:], b""):
        directory = tmp_path / str(len(torn))
        directory.mkdir()
        (directory / KEPT).write_bytes(torn)
        assert read(directory / KEPT) is None
    again, received = prepared("auto_mpg").resumed("mlp", tmp_path / "again", state[:-100])
    assert again.history == whole.history
    for one, other in zip(expected, received, strict=True):
        np.testing.assert_array_equal(one, other)
