from __future__ import annotations

import dataclasses
import os
import sys
import types
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import tasks
from components import settings
from components.resolve import step as resolve
from components.serving import versions
from tasks import Bar, Category, InputError, Model, Number, Part, Splits, Task, Train


def _build(units: int = 64, dropout: float = 0.5, bias: bool = True, name: str = "x", width: None = None) -> Any:
    raise AssertionError("nothing is built here")


def _deep(layers: tuple[int, ...] = (300, 100)) -> Any:
    raise AssertionError("nothing is built here")


def _preprocess(features: dict[str, Any], words: int = 1000) -> dict[str, Any]:
    raise AssertionError("nothing is preprocessed here")


BOATS = Task(
    about="Boats",
    features=(Number("length"),),
    label=Number("speed"),
    sample=lambda: (Part(name="boats", version="1", read=lambda: [pd.DataFrame({"length": [1.0], "speed": [2.0]})]),),
    preprocess=_preprocess,
    models={"mlp": Model(_build, Train(epochs=5, patience=2)), "deep": Model(_deep, Train(epochs=9))},
    gate=(Bar("mae", 1.0),),
)


@pytest.fixture
def boats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A task of that name, as a file of the tasks folder would be."""
    module = types.ModuleType("tasks.boats")
    module.TASK = BOATS  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tasks.boats", module)
    monkeypatch.setattr(tasks, "names", lambda: ["boats"])
    return tmp_path


def run(folder: Path, **changes: Any) -> resolve.Resolved:
    given: dict[str, Any] = {
        "task": "boats",
        "model": "",
        "data": "sample",
        "data_dir": "",
        "destination": str(folder / "serving"),
        "seed": 0,
        "overrides": {},
    }
    return resolve.run(**(given | changes))


def test_what_is_resolved(boats: Path) -> None:
    overrides = {"train.epochs": "3", "model.units": "8", "preprocess.words": "10"}
    found = run(boats, overrides=overrides, seed=7)
    assert found.model == "mlp"
    assert found.champion == ""
    assert found.preprocess_settings == {"preprocess.words": "10"}
    assert found.train_settings == {"train.epochs": "3", "model.units": "8"}
    assert found.parameters == {
        "task": "boats", "model": "mlp", "data": "sample", "data_dir": "", "snapshot": found.snapshot, "seed": "7",
        "code": found.parameters["code"],
        "train.epochs": "3", "model.units": "8", "preprocess.words": "10",
    }  # fmt: skip
    assert list(boats.iterdir()) == []


def test_the_inputs_change_with_whatever_could_change_the_model(boats: Path) -> None:
    (boats / "boats.csv").write_text("length,speed\n1,2\n")
    data = str(boats / "boats.csv")
    seen = [
        run(boats),
        run(boats, seed=1),
        run(boats, model="deep"),
        run(boats, overrides={"train.epochs": "3"}),
        run(boats, data=data),
    ]
    assert len({found.inputs for found in seen}) == len(seen)
    assert run(boats).inputs == seen[0].inputs == run(boats, destination=str(boats / "other")).inputs
    (boats / "boats.csv").write_text("length,speed\n1,3\n")
    assert run(boats, data=data).snapshot != seen[-1].snapshot


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"task": "boat"}, "There is no task 'boat'. Did you mean 'boats'?"),
        ({"model": "mlpp"}, "The task 'boats' has no model 'mlpp'. Did you mean 'mlp'?"),
        ({"data": "real"}, "This task has no real data set."),
        ({"data": ""}, "The data must be 'sample', 'real', 'tfds:NAME', or a file or glob."),
        ({"data": "none.csv"}, "There is no file 'none.csv'."),
        ({"data_dir": "/data"}, "The directory '/data' is for the real data's files."),
        ({"seed": -1}, "The seed must be an integer from 0"),
        ({"destination": ""}, "The destination must be a directory."),
        ({"destination": "nothing://bucket"}, "The destination 'nothing://bucket' cannot be used"),
        (
            {"overrides": {"train.epoch": "3"}},
            "There is no setting 'train.epoch' for the model 'mlp'. Did you mean 'train.",
        ),
        ({"overrides": {"epochs": "3"}}, "There is no setting 'epochs' for the model 'mlp'."),
        ({"overrides": {"train.callbacks": "3"}}, "There is no setting 'train.callbacks'"),
        ({"overrides": {"model.layers": "3"}}, "There is no setting 'model.layers' for the model 'mlp'."),
        ({"overrides": {"train.epochs": "many"}}, "train.epochs must be an integer. Received: 'many'."),
        ({"overrides": {"train.epochs": "0"}}, "Train.epochs must be at least 1. Received: 0."),
        ({"overrides": {"train.fit_on": "test"}}, "train.fit_on must be 'train' or 'train+eval'. Received: 'test'."),
        (
            {"overrides": {"train.optimizer": "adm"}},
            "train.optimizer must be one of Keras' names. Received: 'adm'. Did you mean 'adam'?",
        ),
        (
            {"overrides": {"train.loss": "mean_square_error"}},
            "train.loss must be one of Keras' names or none. Received: 'mean_square_error'. Did you mean 'mean_squ",
        ),
        ({"overrides": {"train.patience": "x"}}, "train.patience must be an integer or none. Received: 'x'."),
        ({"overrides": {"preprocess.words": "1.5"}}, "preprocess.words must be an integer. Received: '1.5'."),
    ],
)
def test_what_the_user_typed_wrong_is_told(boats: Path, changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as told:
        run(boats, **changes)
    assert str(told.value).startswith(message)
    assert list(boats.iterdir()) == []


def test_a_destination_that_cannot_be_is_told_before_any_work(boats: Path) -> None:
    (boats / "file").write_text("")
    for place in ("file", "file/serving"):
        with pytest.raises(InputError, match=r"cannot be created: .*file' is not a directory"):
            run(boats, destination=str(boats / place))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_destination_that_may_not_be_written_is_told(boats: Path) -> None:
    (boats / "closed").mkdir(mode=0o500)
    with pytest.raises(InputError, match="this user may not write"):
        run(boats, destination=str(boats / "closed" / "serving"))


def test_the_date_in_the_data_is_that_of_the_schedule(boats: Path) -> None:
    for day in ("2026-02-28", "2026-03-01"):
        (boats / f"{day}.csv").write_text(f"length,speed\n1,{day[-1]}\n")
    pattern = {"data": str(boats / "{date}.csv"), "timezone": "Europe/Berlin"}
    found = run(boats, **pattern, scheduled="2026-02-28T23:30:00Z")
    assert found.data == found.parameters["data"] == str(boats / "2026-03-01.csv")
    assert found.snapshot == run(boats, data=found.data).snapshot
    before = run(boats, data=str(boats / "{previous_date}.csv"), scheduled="2026-03-01T00:00:00Z")
    assert before.data == str(boats / "2026-02-28.csv")
    assert before.snapshot != found.snapshot


def test_each_cached_step_has_a_hash_of_its_own_code(boats: Path) -> None:
    found = run(boats)
    codes = [found.ingest_code, found.validate_code, found.transform_code, found.train_code, found.evaluate_code]
    assert len({*codes, found.rehearse_code}) == 6
    assert run(boats, seed=1).train_code == found.train_code


def serve(folder: Path, provenance: dict[str, Any]) -> str:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "saved_model.pb").write_bytes(b"model")
    return versions.add(folder / "serving", "boats", folder / "model", {"provenance.json": provenance}).champion


def test_the_champion_is_the_newest_version(boats: Path) -> None:
    first = serve(boats, {"inputs": "others", "champion": ""})
    assert run(boats).champion == first
    second = serve(boats, {"inputs": "others too", "champion": first, "model_sha256": "abc"})
    assert run(boats).champion == second == "2:abc"


def test_after_a_push_of_the_same_inputs_the_champion_is_what_that_one_was_judged_against(boats: Path) -> None:
    inputs = run(boats).inputs
    first = serve(boats, {"inputs": inputs, "champion": ""})
    assert run(boats).champion == ""
    assert run(boats, seed=1).champion == first
    serve(boats, {"inputs": inputs, "champion": first})
    assert run(boats).champion == first
    third = serve(boats, {"inputs": inputs, "champion": "99:gone"})
    assert run(boats).champion == third


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("train.epochs", "3", 3),
        ("train.learning_rate", "1e-2", 0.01),
        ("train.learning_rate", "none", None),
        ("train.patience", "None", None),
        ("train.optimizer", "sgd", "sgd"),
        ("train.optimizer", "AdamW", "adamw"),
        ("train.schedule", "cosine", "cosine"),
        ("train.mixed_precision", "true", True),
        ("train.class_weights", "none", None),
        ("train.loss", "mae", "mae"),
        ("train.loss", "Huber", "Huber"),
        ("train.loss", "none", None),
    ],
)
def test_train_settings(key: str, text: str, value: object) -> None:
    train, _ = settings.train_settings(BOATS, "mlp", {key: text})
    assert getattr(train, key.removeprefix("train.")) == value
    assert type(getattr(train, key.removeprefix("train."))) is type(value)


def test_settings_that_the_rows_cannot_serve() -> None:
    with pytest.raises(InputError, match="Model 'mlp' has class_weights, but the label 'speed' is a number"):
        settings.train_settings(BOATS, "mlp", {"train.class_weights": "balanced"})
    whole = dataclasses.replace(
        BOATS, splits=Splits(train=0.8, eval=0, test=0.2), models={"deep": BOATS.models["deep"]}
    )
    with pytest.raises(InputError, match="Model 'deep' has patience or keep_best, which need rows held out"):
        settings.train_settings(whole, "deep", {"train.keep_best": "yes"})
    kinds = dataclasses.replace(BOATS, label=Category("kind", (0, 1)), gate=(Bar("auc", 0.5),))
    assert settings.train_settings(kinds, "mlp", {"train.class_weights": "balanced"})[0].class_weights == "balanced"


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("units", "8", 8),
        ("dropout", "1", 1.0),
        ("bias", "no", False),
        ("name", "3", "3"),
        ("width", "3", 3),
        ("width", "0.5", 0.5),
        ("width", "wide", "wide"),
        ("width", "none", None),
    ],
)
def test_hyperparameters_take_the_kind_of_their_defaults(key: str, text: str, value: object) -> None:
    _, found = settings.train_settings(BOATS, "mlp", {f"model.{key}": text})
    assert found[key] == value
    assert type(found[key]) is type(value)
    assert len(found) == 5


def test_tuples_and_defaults() -> None:
    assert settings.train_settings(BOATS, "deep", {"model.layers": "20,0.5"})[1] == {"layers": (20, 0.5)}
    assert settings.train_settings(BOATS, "deep", {}) == (Train(epochs=9), {"layers": (300, 100)})
    assert settings.preprocess_settings(BOATS, {"preprocess.words": "5"}) == {"words": 5}
    assert settings.preprocess_settings(BOATS, {}) == {"words": 1000}
    for text in ("1_0", "2.0", "", "nan"):
        with pytest.raises(InputError, match=r"model\.units must be an integer"):
            settings.train_settings(BOATS, "mlp", {"model.units": text})
    with pytest.raises(InputError, match=r"model\.bias must be true or false\. Received: 'maybe'"):
        settings.train_settings(BOATS, "mlp", {"model.bias": "maybe"})
