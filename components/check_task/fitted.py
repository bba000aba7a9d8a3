"""What a task's preprocessing and models promise, tried on some rows of its sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tensorflow_transform as tft

import tasks
from components.check_task.broken_promise import demand
from components.check_task.definition import checked
from components.examples.encode import encode
from components.examples.parse import parsed, tensor_spec
from components.examples.tfrecord import RecordWriter
from components.serving.preprocessing import Preprocessing, model_inputs
from components.train import check_output
from components.transform import step as transform
from tasks import Task

ROWS = 48


@dataclass(frozen=True)
class Fitted:
    """A task with some rows of its sample, and its preprocessing fitted on them."""

    task: Task
    graph: str
    preprocessing: Preprocessing
    features: Mapping[str, tf.Tensor]

    def inputs(self, model: keras.Model) -> Any:
        return model_inputs(model, self.preprocessing.dense(self.features))


def fit(name: str, folder: Path) -> Fitted:
    """As the steps do it, in this process and without Beam's pass over the sources."""
    task, examples, graph = tasks.get(name), folder / "examples", str(folder / "graph")
    rows = next(rows for part in task.sample() for rows in checked(task, part) if len(rows))
    (examples / "train").mkdir(parents=True)
    with RecordWriter(examples / "train" / "examples-00000-of-00001.tfrecord.gz") as writer:
        writer.write(encode(rows.columns, rows.ids)[:ROWS])
    transform.run(task=name, settings={}, beam_args=[], examples=str(examples), transform_graph=graph)
    features, _, _ = next(iter(parsed(task, str(examples), "train", ROWS)))
    return Fitted(task, graph, Preprocessing(graph), features)


def label_is_no_input(fitted: Fitted) -> None:
    loaded = tf.saved_model.load(f"{fitted.graph}/transform_fn")
    (inputs,), _ = loaded.transform_fn.structured_input_signature
    demand(set(inputs) == {feature.name for feature in fitted.task.features}, f"The graph takes {sorted(inputs)}.")
    outputs = fitted.preprocessing.graph(fitted.features)
    demand(fitted.task.label.name not in outputs, "The label is among what preprocess returns.")


def row_alone_is_as_among_others(fitted: Fitted) -> None:
    together = _arrays(fitted.preprocessing.dense(fitted.features))
    alone = _arrays(fitted.preprocessing.dense({key: values[3:4] for key, values in fitted.features.items()}))
    for key, values in alone.items():
        demand(np.array_equal(values[0], together[key][3]), f"A row's {key} depends on the other rows of its batch.")
        finite = values.dtype.kind != "f" or np.isfinite(together[key]).all()
        demand(finite, f"preprocess makes {key} of some row of the sample that is not finite.")


def row_may_lack_what_is_optional(fitted: Fitted) -> None:
    features = dict(fitted.features)
    optional = [feature for feature in fitted.task.features if feature.when_missing != "reject"]
    for feature in optional:
        dtype, missing = tensor_spec(feature)
        features[feature.name] = tf.fill([len(features[feature.name])], tf.constant(missing, dtype))
    for key, values in _arrays(fitted.preprocessing.dense(features)).items():
        finite = values.dtype.kind != "f" or np.isfinite(values).all()
        names = ", ".join(feature.name for feature in optional)
        demand(finite, f"preprocess makes {key} not finite where a row lacks {names}.")


def report_can_tell_what_was_seen(fitted: Fitted) -> None:
    if fitted.task.seen is None:
        return
    output = tft.TFTransformOutput(fitted.graph)
    outputs = fitted.preprocessing.graph(fitted.features)
    told = fitted.task.seen(outputs, lambda key: [word.decode() for word in output.vocabulary_by_name(key)])
    rows = len(next(iter(fitted.features.values())))
    demand(
        len(told) == rows and all(isinstance(row, str) and row for row in told),
        f"`seen` must give a text for each of {rows} rows. Received: {told[:3]} and {max(len(told) - 3, 0)} more.",
    )


def model_answers(fitted: Fitted, name: str) -> None:
    model = fitted.task.models[name].make(fitted.graph)
    inputs = fitted.inputs(model)
    outputs, again = model(inputs, training=False), model(inputs, training=False)
    check_output.check(fitted.task, name, outputs)
    for one, other in zip(keras.tree.flatten(outputs), keras.tree.flatten(again), strict=True):
        demand(np.array_equal(one, other), f"Model {name!r} answers the same rows otherwise when asked again.")


def model_is_kept_whole(fitted: Fitted, name: str, folder: Path) -> None:
    model = fitted.task.models[name].make(fitted.graph)
    outputs, path = model(fitted.inputs(model), training=False), folder / f"{name}.keras"
    model.save(path)
    loaded = keras.models.load_model(path)
    reloaded = loaded(fitted.inputs(loaded), training=False)
    for one, other in zip(keras.tree.flatten(outputs), keras.tree.flatten(reloaded), strict=True):
        demand(
            np.allclose(one, other, rtol=1e-6, equal_nan=True),
            f"Model {name!r} answers otherwise when saved and loaded.",
        )


def model_is_the_same_for_a_seed(fitted: Fitted, name: str) -> None:
    made = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = fitted.task.models[name].make(fitted.graph)
        model(fitted.inputs(model))
        made.append(model.get_weights())
    same = all(np.array_equal(one, other) for one, other in zip(*made, strict=True))
    demand(same, f"Model {name!r} begins with other weights when built again with the same seed.")


PROMISES: Mapping[str, Callable[[Fitted], None]] = {
    "the label is no input": label_is_no_input,
    "a row is preprocessed alone as among others": row_alone_is_as_among_others,
    "a row may lack what need not be there": row_may_lack_what_is_optional,
    "the report can tell what was seen": report_can_tell_what_was_seen,
}
MODEL_PROMISES: Mapping[str, Callable[[Fitted, str], None]] = {
    "it answers with what its label asks": model_answers,
    "it is the same for the same seed": model_is_the_same_for_a_seed,
}


def _arrays(outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in outputs.items()}
