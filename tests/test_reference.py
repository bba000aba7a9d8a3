"""docs/reference says what the code says: every field, function, name and default, and nothing else."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
from repository import ROOT

import tasks
from tasks import METRICS, Bar, Category, Date, Image, Metric, Model, Number, Part, Splits, Task, Text, Train

PAGES = ROOT / "docs" / "reference"
COMMON = ("name", "when_missing", "drift", "about", "column")
REQUIRED = inspect.Parameter.empty
# Transforms that tasks do not call themselves.
INNER = {"exif", "iso_dates"}
# What a dataclass makes anew for each value, and a function that does nothing.
MADE = {"splits": "`Splits()`", "metrics": "`{}`", "settle": ""}


def section(page: str, title: str) -> str:
    """What stands below a heading, up to the next of its level."""
    (found,) = re.findall(rf"^## {title}\n(.*?)(?=^## |\Z)", (PAGES / page).read_text(), re.M | re.S)
    return str(found)


def table(text: str) -> list[tuple[str, str, str]]:
    """Of each row the code in the first cell, the second as it is written, and the rest."""
    rows = [
        line.strip("| ").split(" | ") for line in text.replace("| |", "|  |").splitlines() if line.startswith("| `")
    ]
    return [(cells[0].strip("`"), cells[1].strip(), " | ".join(cells[2:])) for cells in rows]


def documented(page: str, title: str) -> dict[str, str]:
    return {name: default for name, default, _ in table(section(page, title))}


def fields(kind: Any, without: Sequence[str] = ()) -> dict[str, str]:
    """The fields of a class with their defaults, as the pages write them."""
    found = {}
    for name, parameter in inspect.signature(kind).parameters.items():
        default = "" if parameter.default is REQUIRED else f"`{parameter.default!r}`".replace("'", '"')
        found[name] = MADE.get(name, default)
    return {name: default for name, default in found.items() if name not in without}


@pytest.mark.parametrize(
    ("page", "kind"),
    [
        ("task.md", Task), ("task.md", Part), ("train.md", Train), ("model.md", Model), ("splits.md", Splits),
        ("bars.md", Bar), ("bars.md", Metric),
    ],
)  # fmt: skip
def test_every_field_with_its_default(page: str, kind: type) -> None:
    told, known = documented(page, kind.__name__), fields(kind)
    assert told == known
    assert list(told) == list(known) or kind is Splits


@pytest.mark.parametrize("kind", [Number, Category, Text, Image, Date])
def test_the_fields_of_columns(kind: type) -> None:
    assert documented("features.md", kind.__name__) == fields(kind, without=COMMON)
    common = {name: default for name, default in fields(kind).items() if name in COMMON}
    assert documented("features.md", "All of them") == common


@pytest.mark.parametrize(("page", "kind"), [("train.md", Train), ("task.md", Part), ("features.md", Number)])
def test_every_choice_of_a_field(page: str, kind: Any) -> None:
    title = "All of them" if kind is Number else kind.__name__
    said = {name: text for name, _, text in table(section(page, title))}
    choices = {
        name: re.findall(r"'([^']+)'", str(parameter.annotation))
        for name, parameter in inspect.signature(kind).parameters.items()
    }
    choices |= {"when_missing": list(get_args(tasks.WhenMissing))} if kind is Number else {}
    choices |= {"split": list(get_args(tasks.Split))} if kind is Part else {}
    assert any(choices.values())
    for name, words in choices.items():
        for word in words:
            assert f'`"{word}"`' in said[name], (name, word)


def test_every_metric_and_whether_more_is_better() -> None:
    lines = re.findall(r"^\| (\w+) \| `(\w+)` \| (more|less) \|$", section("bars.md", "Metrics"), re.M)
    known = [
        (kind, name, "more" if more else "less") for kind, names in METRICS.items() for name, more in names.items()
    ]
    assert lines == known


@pytest.mark.parametrize(("title", "names"), [("Optimizers", tasks.OPTIMIZERS), ("Losses", tasks.LOSSES)])
def test_every_name_of_keras(title: str, names: tuple[str, ...]) -> None:
    listed = section("train.md", title).split(".\n")[0]
    assert tuple(re.findall(r"`(\w+)`", listed)) == names


def functions(path: Path) -> list[str]:
    """The public functions of a module with their arguments, from its source: TensorFlow is not imported."""
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            names = [argument.arg for argument in node.args.args]
            defaults = [f"={ast.unparse(default)}" for default in node.args.defaults]
            pairs = zip(names, [""] * (len(names) - len(defaults)) + defaults, strict=True)
            found.append(f"{path.stem}.{node.name}({', '.join(map(''.join, pairs))})".replace("'", '"'))
    return found


MODULES = sorted({path.stem for path in (ROOT / "transforms").glob("[a-z]*.py")} - INNER)


@pytest.mark.parametrize("module", MODULES)
def test_every_transform(module: str) -> None:
    told = [name for name, _, _ in table(section("transforms.md", module))]
    assert sorted(told) == sorted(functions(ROOT / "transforms" / f"{module}.py"))


def test_every_page_and_every_name_is_listed() -> None:
    index = (PAGES / "README.md").read_text()
    assert set(re.findall(r"^\| \[([\w.]+)\]", index, re.M)) == {path.name for path in PAGES.glob("*.md")} - {
        "README.md"
    }
    (listed,) = re.findall(r"`from tasks import ([\w, ]+)`", index)
    kinds = [name for name in tasks.__all__ if inspect.isclass(getattr(tasks, name)) and name != "InputError"]
    assert listed.split(", ") == sorted(kinds)
    assert re.findall(r"^## (\w+)$", (PAGES / "transforms.md").read_text(), re.M) == MODULES


def test_the_weights_of_the_page_are_weights() -> None:
    (source,) = re.findall(r"^```python\n(.*?)^```", (PAGES / "train.md").read_text(), re.M | re.S)
    module: dict[str, Any] = {}
    exec(compile(source, "docs/reference/train.md", "exec"), module)
    rows = pd.DataFrame({"when": pd.to_datetime(["2026-11-24", "2025-11-24"], utc=True)})
    assert module["newer"](rows).round(2).tolist() == [1.0, 0.5]
    assert Train(epochs=1, sample_weight=module["newer"]).sample_weight is not None
