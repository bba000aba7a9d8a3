"""What a task's preprocessing and model say of each other before any row is read: traced, on tensors without values."""

from __future__ import annotations

import functools
import inspect
import tempfile
from collections.abc import Callable
from typing import Any

import keras
from tensorflow_transform.impl_helper import trace_preprocessing_function

import tasks
from components import settings
from components.examples.parse import tensor_types
from components.serving.preprocessing import model_inputs
from components.train import check_output
from components.train import step as train_step
from components.train.optimizer import compile_model
from components.transform.step import preprocessed
from tasks import InputError, Task, _mistakes


def run(*, task: str, model_name: str, preprocess_settings: dict[str, str], train_settings: dict[str, str]) -> None:
    """InputError if the run would fail in a later step, whatever the rows."""
    definition = tasks.get(task)
    known = settings.preprocess_settings(definition, preprocess_settings)
    train, hyperparameters = settings.train_settings(definition, model_name, train_settings)
    outputs = _told("preprocess", lambda: traced(definition, functools.partial(preprocessed, definition, **known)))
    chosen = definition.models[model_name]
    if "transform_graph" in inspect.signature(chosen.build).parameters:
        return  # it reads what is fitted only later
    model = _told("the model", lambda: train_step.make(definition, model_name, hyperparameters))
    if hasattr(model, "inputs"):  # a subclassed one shows its outputs when it is called with rows
        answer = _told("the model", lambda: model(model_inputs(model, outputs)))
        check_output.check_shapes(definition, model_name, answer)
        _told("the fit", lambda: compile_model(definition, model, train, chosen.outputs, 1))
    made = _told("callbacks", lambda: list(train.callbacks()) if train.callbacks else [])
    if strange := [each for each in made if not isinstance(each, keras.callbacks.Callback)]:
        raise InputError(f"Train.callbacks gives a list of Keras' callbacks. Received: {strange[0]!r} in it.")


def traced(task: Task, preprocess: Callable[[dict[str, Any]], dict[str, Any]]) -> dict[str, keras.KerasTensor]:
    """What the preprocessing puts out for rows that nobody has seen."""
    with tempfile.TemporaryDirectory() as folder:
        _, _, outputs = trace_preprocessing_function(preprocess, tensor_types(task), False, base_temp_dir=folder)
    return {
        name: keras.KerasTensor([None, *value.shape[1:]], value.dtype.name, name=name)
        for name, value in outputs.items()
    }


def _told(what: str, made: Callable[[], Any]) -> Any:
    """What a task's own function makes; whatever it raises is the task's, to be told in a sentence."""
    try:
        return made()
    except InputError:
        raise
    except Exception as error:
        said = _mistakes.sentence(error) or f"{type(error).__name__}: {str(error).strip()[:2000]}"
        raise InputError(f"Before any row was read, {what} was tried: {said}") from error
