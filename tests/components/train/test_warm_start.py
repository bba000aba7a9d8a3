"""Starting from the serving model's weights: what fits is taken, what does not is told."""

from __future__ import annotations

import resource
from pathlib import Path

import keras
import numpy as np
import pytest

from components.train import warm_start


def build(units: int = 4, extra: bool = False) -> keras.Model:
    inputs = keras.Input((3,), name="features")
    x = keras.layers.Dense(units)(inputs)
    x = keras.layers.Dropout(0.5)(x)
    x = keras.layers.Dense(5)(x)
    if extra:
        x = keras.layers.LayerNormalization()(x)
    return keras.Model(inputs, keras.layers.Dense(1)(x))


@pytest.fixture
def served(tmp_path: Path) -> tuple[Path, keras.Model]:
    version = tmp_path / "serving" / "boats" / "1"
    (version / "assets.extra").mkdir(parents=True)
    (version / "saved_model.pb").write_bytes(b"model")
    keras.utils.set_random_seed(1)
    model = build()
    model.save(version / "assets.extra" / "model.keras")
    (tmp_path / "graph" / "transform_fn" / "assets").mkdir(parents=True)
    return version, model


def begin(model: keras.Model, version: Path) -> dict[str, object]:
    return warm_start.begin(model, f"{version}#abc", str(version.parents[2] / "graph"))


def test_without_a_version_nothing_is_done() -> None:
    assert warm_start.begin(build(), "", "") == {}


def test_the_same_model_takes_all_weights(served: tuple[Path, keras.Model]) -> None:
    version, before = served
    model = build()
    assert begin(model, version) == {"from": str(version), "taken": 6, "fresh": [], "why": ""}
    for one, other in zip(model.get_weights(), before.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_layers_of_another_shape_begin_afresh_and_are_told(served: tuple[Path, keras.Model]) -> None:
    version, before = served
    model = build(units=7)
    fresh = [np.array(weights) for weights in model.get_weights()]
    facts = begin(model, version)
    assert facts["taken"] == 2
    assert facts["fresh"] == [variable.path for variable in model.weights[:4]]
    for one, other in zip(model.get_weights()[:4], fresh[:4], strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(model.get_weights()[4], before.get_weights()[4])
    assert "these do not fit and begin afresh" in warm_start.told(facts, 6)


def test_a_layer_more_begins_afresh(served: tuple[Path, keras.Model]) -> None:
    version, _ = served
    model = build(extra=True)
    facts = begin(model, version)
    assert facts["taken"] == 6
    assert facts["fresh"] == [variable.path for variable in model.weights if "normalization" in variable.path]
    assert all(np.isfinite(weights).all() for weights in model.get_weights())


def test_random_states_are_the_runs_own(served: tuple[Path, keras.Model]) -> None:
    version, _ = served
    keras.utils.set_random_seed(5)
    model = build()
    states = [np.asarray(variable.value) for variable in model.variables if "seed" in variable.path]
    begin(model, version)
    for one, other in zip([v for v in model.variables if "seed" in v.path], states, strict=True):
        np.testing.assert_array_equal(one.value, other)


def test_another_vocabulary_is_no_warm_start(served: tuple[Path, keras.Model]) -> None:
    version, _ = served
    (version.parents[2] / "graph" / "transform_fn" / "assets" / "words").write_text("a\nb\n")
    model = build()
    fresh = model.get_weights()
    facts = begin(model, version)
    assert facts["why"] == "The vocabulary words is another now, so the same row is another word's."
    assert facts["taken"] == 0
    np.testing.assert_array_equal(model.get_weights()[0], fresh[0])


def test_a_vocabulary_of_a_layers_own_is_no_hindrance(served: tuple[Path, keras.Model]) -> None:
    version, _ = served
    (version / "assets").mkdir()
    (version / "assets" / "tokens.txt").write_text("the\nmovie\n")
    for folder in (version / "assets", version.parents[2] / "graph" / "transform_fn" / "assets"):
        (folder / "words").write_text("a\nb\n")
    assert begin(build(), version)["taken"] == 6
    (version / "assets" / "words").write_text("b\na\n")
    assert begin(build(), version)["taken"] == 0


def test_a_version_without_weights_or_gone_is_told(served: tuple[Path, keras.Model]) -> None:
    version, _ = served
    (version / "assets.extra" / "model.keras").write_bytes(b"damaged")
    assert begin(build(), version)["taken"] == 0
    (version / "assets.extra" / "model.keras").unlink()
    assert begin(build(), version)["why"] == "The serving version has no model.keras beside it."
    assert begin(build(), version.with_name("2"))["why"].startswith("There is no version at")


def test_a_file_that_the_machine_cannot_open_is_not_taken_for_a_damaged_one(served: tuple[Path, keras.Model]) -> None:
    version, _ = served
    model = build()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
    try:
        with pytest.raises(OSError, match="Too many open files"):
            warm_start._load(model, version / "assets.extra" / "model.keras")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
