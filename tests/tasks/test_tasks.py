"""What every task promises: a new file in tasks/ is held to it the moment it exists."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from repository import ROOT

import tasks
from components.check_task import definition, fitted
from components.check_task.fitted import Fitted

MODELS = [(name, model) for name in tasks.names() for model in tasks.get(name).models]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Fitted]:
    made: dict[str, Fitted] = {}

    def prepare(name: str) -> Fitted:
        if name not in made:
            made[name] = fitted.fit(name, tmp_path_factory.mktemp(name))
        return made[name]

    return prepare


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
@pytest.mark.parametrize("promise", definition.PROMISES)
def test_its_definition(promise: str, name: str) -> None:
    definition.PROMISES[promise](name)


@pytest.mark.slow
@pytest.mark.parametrize("name", tasks.names())
@pytest.mark.parametrize("promise", fitted.PROMISES)
def test_its_preprocessing(promise: str, name: str, prepared: Callable[[str], Fitted]) -> None:
    fitted.PROMISES[promise](prepared(name))


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), MODELS)
@pytest.mark.parametrize("promise", fitted.MODEL_PROMISES)
def test_its_models(promise: str, name: str, model: str, prepared: Callable[[str], Fitted]) -> None:
    fitted.MODEL_PROMISES[promise](prepared(name), model)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "model"), MODELS)
def test_its_models_can_be_saved_and_loaded(
    name: str, model: str, prepared: Callable[[str], Fitted], tmp_path: Path
) -> None:
    fitted.model_is_kept_whole(prepared(name), model, tmp_path)
