"""What every task promises: a new file in tasks/ is held to it the moment it exists."""

from __future__ import annotations

import dataclasses
import importlib
import math
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from repository import ROOT

import tasks
from components.serving.preprocessing import Preprocessing, model_inputs
from components.transform import step as transform
from tasks import METRICS, Category, Image, InputError, Number, Part, Task, Text
from transforms.images import PNG

MODELS = [(name, model) for name in tasks.names() for model in tasks.get(name).models]
ROWS = 48
MISSING = {Number: math.nan, Text: b"", Image: b""}


def rows(part: Part) -> pd.DataFrame:
    return pd.concat(list(part.read()), ignore_index=True)


def literal(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


@dataclass(frozen=True)
class Prepared:
    """A task with some rows of its sample, and its preprocessing fitted on them."""

    task: Task
    graph: str
    preprocessing: Preprocessing
    features: Mapping[str, tf.Tensor]

    def inputs(self, model: keras.Model) -> Any:
        return model_inputs(model, self.preprocessing.dense(self.features))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory, write_examples: Callable[..., str]) -> Callable[[str], Prepared]:
    made: dict[str, Prepared] = {}

    def prepare(name: str) -> Prepared:
        if name not in made:
            task, folder = tasks.get(name), tmp_path_factory.mktemp(name)
            frame = rows(task.sample()[0])[:ROWS]
            records = [{key: literal(value) for key, value in row.items()} for row in frame.to_dict("records")]
            examples = write_examples(task, folder / "examples", {"train": records})
            graph = str(folder / "graph")
            transform.run(task=name, settings={}, beam_args=[], examples=examples, transform_graph=graph)
            features = {f.name: tensor(f, frame[f.name]) for f in task.features}
            made[name] = Prepared(task, graph, Preprocessing(graph), features)
        return made[name]

    return prepare


def tensor(feature: tasks.Feature, values: Any) -> tf.Tensor:
    dtype = tf.float32 if isinstance(feature, Number) else tf.string
    if isinstance(feature, Category) and feature.integer:
        dtype = tf.int64
    return tf.constant(list(values), dtype)


def arrays(outputs: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value) for name, value in outputs.items()}


@pytest.mark.parametrize("name", ["class", "prediction", "probabilities", "probability"])
def test_a_further_output_cannot_take_the_main_ones_place(name: str) -> None:
    task = tasks.get("auto_mpg")
    model = dataclasses.replace(task.models["mlp"], outputs=("main", name))
    with pytest.raises(ValueError, match=rf"Expected other names for further outputs\. Received: {name}\."):
        dataclasses.replace(task, models={"mlp": model})


def test_listing_every_task_imports_no_tensorflow() -> None:
    code = (
        "from pipelines import lazy_imports; lazy_imports.install(); import tasks\n"
        "[(t.about, t.kind, list(t.models), t.default_model, t.gate) for t in map(tasks.get, tasks.names())]\n"
        "heavy = ('tensorflow', 'keras', 'pandas', 'tensorflow_transform')\n"
        "assert not any(map(lazy_imports.loaded, heavy))"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", tasks.names())
def test_its_docstring_gives_the_command(name: str) -> None:
    documentation = importlib.import_module(f"tasks.{name}").__doc__ or ""
    assert f"sluice run {name}" in documentation


@pytest.mark.parametrize("name", tasks.names())
def test_the_sample_is_the_same_every_time(name: str) -> None:
    first, again = tasks.get(name).sample(), tasks.get(name).sample()
    assert [(part.name, part.version, part.split) for part in first] == [(p.name, p.version, p.split) for p in again]
    for one, other in zip(first, again, strict=True):
        pd.testing.assert_frame_equal(rows(one), rows(other))


@pytest.mark.parametrize("name", tasks.names())
def test_the_sample_fills_every_split(name: str) -> None:
    task = tasks.get(name)
    official = {part.split for part in task.sample()}
    assert official in ({None}, {"train", "test"})
    assert min(task.splits.train, task.splits.eval, task.splits.test) > 0
    assert len({part.name for part in task.sample()}) == len(task.sample())


@pytest.mark.parametrize("name", tasks.names())
def test_rows_of_the_sample_keep_to_the_schema(name: str) -> None:
    task = tasks.get(name)
    for part in task.sample():
        frame = rows(part)
        assert set(frame) >= {column.name for column in task.columns}
        for column in task.columns:
            check_column(column, frame[column.name])


def check_column(column: tasks.Feature, values: pd.Series) -> None:
    present = values.dropna()
    assert column.when_missing != "reject" or len(present) == len(values)
    match column:
        case Number():
            assert np.isfinite(present).all()
            assert column.minimum is None or present.min() >= column.minimum
            assert column.maximum is None or present.max() <= column.maximum
        case Category():
            assert set(present) == set(column.values)
        case Text():
            assert present.map(len).min() > 0
        case Image():
            raw = present.map(len) == math.prod(column.shape)
            assert (raw | present.map(lambda content: content.startswith(PNG))).all()


@pytest.mark.parametrize("name", tasks.names())
def test_a_data_directory_without_the_files_is_an_input_error(name: str, tmp_path: Path) -> None:
    task = tasks.get(name)
    if task.real is not None:
        with pytest.raises(InputError, match=f"The data directory {tmp_path} lacks"):
            task.real(tmp_path)


@pytest.mark.parametrize("name", tasks.names())
def test_its_gate_asks_for_what_is_measured(name: str) -> None:
    task = tasks.get(name)
    assert {bar.metric for bar in task.gate} <= set(METRICS[task.kind])
    assert len({(bar.metric, bar.slices) for bar in task.gate}) == len(task.gate)


@pytest.mark.slow
@pytest.mark.slow
@pytest.mark.parametrize("name", tasks.names())
def test_the_label_is_no_input_of_the_graph(name: str, prepared: Callable[[str], Prepared]) -> None:
    task = prepared(name).task
    loaded = tf.saved_model.load(f"{prepared(name).graph}/transform_fn")
    (inputs,), _ = loaded.transform_fn.structured_input_signature
    assert set(inputs) == {feature.name for feature in task.features}
    assert task.label.name not in prepared(name).preprocessing.graph(prepared(name).features)


@pytest.mark.slow
@pytest.mark.parametrize("name", tasks.names())
def test_a_row_is_preprocessed_alone_as_among_others(name: str, prepared: Callable[[str], Prepared]) -> None:
    features, graph = prepared(name).features, prepared(name).preprocessing
    together = arrays(graph.dense(features))
    alone = arrays(graph.dense({key: values[3:4] for key, values in features.items()}))
    for key, values in alone.items():
        np.testing.assert_array_equal(values[0], together[key][3])
        if values.dtype.kind == "f":
            assert np.isfinite(together[key]).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", tasks.names())
def test_a_row_may_lack_what_need_not_be_there(name: str, prepared: Callable[[str], Prepared]) -> None:
    task, features = prepared(name).task, dict(prepared(name).features)
    for feature in task.features:
        if feature.when_missing != "reject":
            missing = MISSING.get(type(feature), -1 if isinstance(feature, Category) and feature.integer else b"")
            features[feature.name] = tensor(feature, [missing] * ROWS)
    for values in arrays(prepared(name).preprocessing.dense(features)).values():
        assert values.dtype.kind != "f" or np.isfinite(values).all()


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in tasks.names() if tasks.get(name).seen])
def test_the_report_can_tell_what_was_seen(name: str, prepared: Callable[[str], Prepared]) -> None:
    import tensorflow_transform as tft

    task, fitted = prepared(name).task, tft.TFTransformOutput(prepared(name).graph)
    assert task.seen is not None
    outputs = prepared(name).preprocessing.graph(prepared(name).features)
    told = task.seen(outputs, lambda key: [word.decode() for word in fitted.vocabulary_by_name(key)])
    assert len(told) == ROWS
    assert all(isinstance(row, str) and row for row in told)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model_name"), MODELS)
def test_a_model_takes_what_the_preprocessing_gives(
    name: str, model_name: str, prepared: Callable[[str], Prepared], tmp_path: Path
) -> None:
    task = prepared(name).task
    model = task.models[model_name].make(prepared(name).graph)
    inputs = prepared(name).inputs(model)
    outputs, again = model(inputs), model(inputs)
    declared = task.models[model_name].outputs
    assert (tuple(outputs) if isinstance(outputs, dict) else ("prediction",)) == declared
    judged = np.asarray(outputs[declared[0]] if isinstance(outputs, dict) else outputs)
    width = len(task.label.values) if isinstance(task.label, Category) and task.kind == "classes" else 1
    assert judged.shape == (ROWS, width)
    np.testing.assert_array_equal(judged, np.asarray(again[declared[0]] if isinstance(again, dict) else again))
    if task.kind == "classes":
        np.testing.assert_allclose(judged.sum(axis=1), 1, rtol=1e-5)
    if task.kind == "binary":
        assert ((judged >= 0) & (judged <= 1)).all()
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    reloaded = loaded(prepared(name).inputs(loaded))
    for one, other in zip(keras.tree.flatten(outputs), keras.tree.flatten(reloaded), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model_name"), MODELS)
def test_a_model_is_the_same_for_the_same_seed(name: str, model_name: str, prepared: Callable[[str], Prepared]) -> None:
    made = []
    for _ in range(2):
        keras.utils.set_random_seed(3)
        model = prepared(name).task.models[model_name].make(prepared(name).graph)
        model(prepared(name).inputs(model))
        made.append(model.get_weights())
    for one, other in zip(*made, strict=True):
        np.testing.assert_array_equal(one, other)
