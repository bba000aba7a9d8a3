"""What a model that was just built must answer, for its label to be learned: known before it is fitted."""

from __future__ import annotations

from typing import Any

import numpy as np
import tensorflow as tf

from tasks import Category, InputError, Task

ROWS = 32
# Half precision, in which mixed_precision computes, has about three digits.
CLOSE = {"float16": 0.02, "bfloat16": 0.05}


def check(task: Task, name: str, outputs: Any) -> None:
    """InputError if the outputs of a few rows are not those of a model of this label."""
    check_shapes(task, name, outputs)
    main = tf.convert_to_tensor(_main(task, name, outputs))
    if isinstance(task.label, Category) and (why := _no_probabilities(main, _units(task))):
        raise InputError(f"{_expected(task, name)} Received: {why}.")


def check_shapes(task: Task, name: str, outputs: Any) -> None:
    """The same of tensors that have no values yet."""
    declared = task.models[name].outputs
    named = set(outputs) if isinstance(outputs, dict) else None
    if named != (set(declared) if len(declared) > 1 else None):
        received = list(outputs) if isinstance(outputs, dict) else "one tensor"
        raise ValueError(f"Model {name!r} declares the outputs {list(declared)}. Received: {received}.")
    shape = tuple(_main(task, name, outputs).shape)
    if len(shape) != 2 or shape[1] != _units(task):
        one = len(shape) == 2
        received = f"{shape[1]} units" if one and shape[1] != 1 else "1 unit" if one else "no row of units"
        words = f"({', '.join(['rows', *map(str, shape[1:])])})"
        raise InputError(f"{_expected(task, name)} Received: {received}, of shape {words}.")


def _main(task: Task, name: str, outputs: Any) -> Any:
    return outputs[task.models[name].outputs[0]] if isinstance(outputs, dict) else outputs


def _units(task: Task) -> int:
    return len(task.label.values) if isinstance(task.label, Category) and task.kind == "classes" else 1


def _expected(task: Task, name: str) -> str:
    label, units = task.label, _units(task)
    if not isinstance(label, Category):
        return (
            f"Model {name!r} does not answer with a number for the label {label.name!r}. Expected Dense(1) at the end."
        )
    kind, activation = ("a probability", "sigmoid") if units == 1 else ("probabilities", "softmax")
    return (
        f"Model {name!r} does not answer with {kind} for the {len(label.values)} values of the label {label.name!r}. "
        f"Expected Dense({units}, activation={activation!r}) at the end."
    )


def _no_probabilities(main: tf.Tensor, units: int) -> str:
    """Why the answers to a few rows are none, or nothing."""
    answers, close = tf.cast(main, tf.float32).numpy(), CLOSE.get(main.dtype.name, 1e-3)
    if not np.isfinite(answers).all():
        return f"an answer that is no finite number, {answers[~np.isfinite(answers)][0]:g}"
    if answers.min() < -close or answers.max() > 1 + close:
        return f"answers from {answers.min():g} to {answers.max():g}, which no probabilities are"
    sums = answers.sum(axis=1)
    worst = sums[np.abs(sums - 1).argmax()]
    return f"answers that add up to {worst:g} in a row" if units > 1 and abs(worst - 1) > close else ""
