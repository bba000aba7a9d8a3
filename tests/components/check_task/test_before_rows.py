"""What would fail in training is found on tensors without values, and nothing else is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import keras
import pytest

import tasks
from components.check_task import before_rows
from tasks import InputError, Model, Task

MODELS = [(name, model) for name in tasks.names() for model in tasks.get(name).models]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), MODELS)
def test_every_model_of_every_task_passes(name: str, model: str) -> None:
    before_rows.run(task=name, model_name=model, preprocess_settings={}, train_settings={})


def line(name: str = "features", units: int = 1, width: int = 2) -> Callable[[], keras.Model]:
    return lambda: keras.Sequential([keras.Input((width,), name=name), keras.layers.Dense(units)])


def nothing() -> None:
    return None


def asks_for_more(features: dict[str, Any]) -> dict[str, Any]:
    return {"features": features["speed"]}


def breaks(features: dict[str, Any]) -> dict[str, Any]:
    return {"features": features["a"] + features["side"]}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"build": line("feature")}, r"Expected some of: features\. Received: feature\."),
        ({"build": line(width=3)}, r"the model was tried: .*expected shape=\(None, 3\), found shape=\(None, 2\)"),
        ({"build": line(units=2)}, r"Expected Dense\(1\) at the end\. Received: 2 units, of shape \(rows, 2\)"),
        ({"build": nothing}, r"Expected a keras\.Model\. Received: None"),
        ({"build": lambda: keras.layers.Denze(1)}, "the model was tried: .*Denze"),
        ({"preprocess": asks_for_more}, "preprocess asks for 'speed', which is no feature"),
        ({"preprocess": breaks}, "preprocess was tried: "),
        ({"callbacks": lambda: [1]}, r"a list of Keras' callbacks\. Received: 1 in it"),
        ({"callbacks": lambda: 1}, "callbacks was tried: .*not iterable"),
    ],
)
def test_what_would_fail_in_training_is_told(
    plane: Task, monkeypatch: pytest.MonkeyPatch, changes: dict[str, Any], said: str
) -> None:
    model = plane.models["line"]
    fit = dataclasses.replace(model.train, callbacks=changes.get("callbacks"))
    models = {"line": Model(changes.get("build", model.build), fit)}
    task = dataclasses.replace(plane, models=models, preprocess=changes.get("preprocess", plane.preprocess))
    monkeypatch.setattr(tasks, "get", lambda name: task)
    with pytest.raises(InputError, match=f"(?s){said}"):
        before_rows.run(task="plane", model_name="line", preprocess_settings={}, train_settings={})


def test_a_model_that_reads_the_fitted_preprocessing_is_left_for_later(
    plane: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(transform_graph: str) -> keras.Model:
        raise AssertionError(transform_graph)

    task = dataclasses.replace(plane, models={"line": Model(build, plane.models["line"].train)})
    monkeypatch.setattr(tasks, "get", lambda name: task)
    before_rows.run(task="plane", model_name="line", preprocess_settings={}, train_settings={})
