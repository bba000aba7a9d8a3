"""Colour pictures from the file to what is served."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from repository import ROOT

import tasks
from components.check_task import fitted
from components.serving.export import export

RANDOM = re.compile("Random|Multinomial|TruncatedNormal")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, fitted.Fitted, keras.Model]:
    folder = tmp_path_factory.mktemp("flowers")
    prepared = fitted.fit("flowers", folder)
    model = prepared.task.models["cnn"].make(prepared.graph)
    export(prepared.task, "cnn", model, prepared.preprocessing, folder / "model")
    return folder / "model", prepared, model


def operations(graph: Any) -> set[str]:
    """The kinds of all operations, those of the functions called too."""
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for function in definition.library.function for node in function.node_def)]
    return {node.op for node in nodes}


@pytest.mark.slow
def test_augmentation_is_in_training_and_not_in_what_is_served(
    served: tuple[Path, fitted.Fitted, keras.Model],
) -> None:
    path, prepared, model = served
    loaded = tf.saved_model.load(str(path))
    for name in ("features", "serving_default"):
        assert not [op for op in operations(loaded.signatures[name].graph) if RANDOM.search(op)]
    inputs = prepared.inputs(model)
    trained = tf.function(lambda: model(inputs, training=True)).get_concrete_function()
    assert [op for op in operations(trained.graph) if RANDOM.search(op)]


@pytest.mark.slow
def test_a_client_sends_the_files_bytes(served: tuple[Path, fitted.Fitted, keras.Model]) -> None:
    path, prepared, model = served
    files = prepared.features["photo"]
    assert {bytes(content[:3]) for content in files.numpy()} == {b"\xff\xd8\xff", b"\x89PN"}
    answers = tf.saved_model.load(str(path)).signatures["features"](photo=files)["probabilities"]
    np.testing.assert_allclose(answers, model(prepared.inputs(model), training=False), rtol=1e-5)


def test_drawings_are_the_same_every_time() -> None:
    (part,) = tasks.get("flowers").sample()
    (first,), (again,) = part.read(), part.read()
    assert first["photo"].tolist() == again["photo"].tolist()


@pytest.mark.slow
def test_the_documented_transfer_takes_weights_from_a_file(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "pictures.md").read_text()
    source = next(block for block in re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL) if "transfer" in block)
    module: dict[str, Any] = {}
    exec(compile(source, "docs/pictures.md", "exec"), module)
    fresh = module["transfer"]()
    base = next(layer for layer in fresh.layers if isinstance(layer, keras.Model))
    base.save_weights(tmp_path / "mobilenet.weights.h5")
    loaded = module["transfer"](weights=str(tmp_path / "mobilenet.weights.h5"))
    again = next(layer for layer in loaded.layers if isinstance(layer, keras.Model))
    for one, other in zip(base.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert len(loaded.trainable_variables) == 2
    assert fresh.trainable_variables[0].shape == (3, 3, 3, 16)
