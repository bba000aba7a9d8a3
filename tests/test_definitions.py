"""What a task's file may not say is refused, in words, when it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

import pytest

from tasks import Bar, Category, Model, Number, Splits, Task, Train


@pytest.mark.parametrize("when_missing", ["keep", "skip_training"])
@pytest.mark.parametrize("values", [(-1, 0, 1), ("", "left")])
def test_a_value_that_stands_for_a_missing_one(values: tuple, when_missing: str) -> None:
    with pytest.raises(ValueError, match=r"Category 'side' cannot have the value (-1|''), which stands for a missing"):
        Category("side", values, when_missing=when_missing)
    assert Category("side", values).values == values


@pytest.mark.parametrize("values", [(0, 1, 1), ("left", "left")])
def test_a_value_that_comes_twice(values: tuple) -> None:
    with pytest.raises(ValueError, match=r"Category 'side' needs values that differ\. Received: \("):
        Category("side", values)


def task(train: Train, label: Number | Category, splits: Splits) -> Task:
    return Task(
        about="Boats",
        features=(Number("length"),),
        label=label,
        sample=lambda: (),
        preprocess=lambda features: features,
        models={"mlp": Model(lambda: None, train)},
        gate=(Bar("mae" if isinstance(label, Number) else "auc", 1.0),),
        splits=splits,
    )


@pytest.mark.parametrize("watching", [{"patience": 0}, {"patience": 3}, {"keep_best": True}])
def test_a_fit_that_watches_rows_that_are_not_held_out(watching: Mapping[str, int]) -> None:
    train, none = Train(epochs=1, **watching), Splits(train=0.8, eval=0.0, test=0.2)
    with pytest.raises(ValueError, match=r"patience or keep_best, which need .* Received: Splits\(eval=0\.0\)\."):
        task(train, Number("y"), none)
    assert task(train, Number("y"), Splits()).models["mlp"].train == train
    assert task(Train(epochs=1), Number("y"), none).splits == none


@pytest.mark.parametrize("weights", ["balanced", {1: 2.0}])
def test_weights_of_classes_that_a_number_does_not_have(weights: Mapping[int, float]) -> None:
    train = Train(epochs=1, class_weights=weights)
    with pytest.raises(ValueError, match="Model 'mlp' has class_weights, but the label 'y' is a number"):
        task(train, Number("y"), Splits())
    with pytest.raises(ValueError, match="has class_weights"):
        dataclasses.replace(task(train, Category("y", (0, 1)), Splits()), label=Number("y"))
