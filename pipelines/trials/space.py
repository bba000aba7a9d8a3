"""What a search may choose from: `--space KEY=A|B`, `KEY=LOW..HIGH` and `KEY=log:LOW..HIGH`, read and checked."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from components import settings
from components.settings import Setting
from tasks import InputError, Task, nearest

FORMS = "KEY=A|B|C, KEY=LOW..HIGH or KEY=log:LOW..HIGH"
LOG = "log:"


@dataclass(frozen=True, kw_only=True)
class Axis:
    """One setting that is searched: its choices, or its range."""

    key: str
    kind: Literal["choice", "int", "float"]
    choices: tuple[str, ...] = ()
    low: float = 0
    high: float = 0
    log: bool = False

    @property
    def extremes(self) -> tuple[str, ...]:
        """All values that have to be allowed for every one to be so."""
        return self.choices or (self.text(self.low), self.text(self.high))

    @property
    def count(self) -> float:
        """How many values there are."""
        if self.kind == "float":
            return math.inf
        return len(self.choices) or int(self.high - self.low) + 1

    @property
    def values(self) -> tuple[str, ...]:
        """Each of them, where they can be counted."""
        return self.choices or tuple(map(str, range(int(self.low), int(self.high) + 1)))

    def text(self, value: float | str) -> str:
        """The value as `--set` takes it; four digits of a number are enough to say it again."""
        if isinstance(value, str):
            return value
        if self.kind == "int":
            return str(int(value))
        return str(min(max(float(f"{value:.4g}"), self.low), self.high))


def parse(words: Sequence[str], task: Task, model: str, fixed: Mapping[str, str]) -> list[Axis]:
    """The axes of the space, every value of which the task allows; `model` may be "", for the task's first."""
    given = _split(words, fixed)
    if "model" in given and model:
        raise InputError(f"The model is given by --model {model} and searched by --space. Expected one of the two.")
    models = _choices("model", given["model"]) if "model" in given else (model or task.default_model,)
    for name in models:
        if name not in task.models:
            raise InputError(f"There is no model {name!r} of this task.{nearest(name, list(task.models))}")
    axes = [
        Axis(key=key, kind="choice", choices=models) if key == "model" else _axis(key, value, task, models)
        for key, value in given.items()
    ]
    for name in models:
        settings.check_overrides(task, name, fixed)
        there = settings.known(task, name)
        for key, value in ((axis.key, value) for axis in axes if axis.key in there for value in axis.extremes):
            settings.check_overrides(task, name, {**fixed, key: value})
    return axes


def _split(words: Sequence[str], fixed: Mapping[str, str]) -> dict[str, str]:
    given: dict[str, str] = {}
    for word in words:
        key, equals, value = (part.strip() for part in word.partition("="))
        if not key or not equals or not value:
            raise InputError(f"--space takes {FORMS}. Received: {word!r}.")
        if key in given:
            raise InputError(f"Two spaces are given for {key}. Expected one, with all its values.")
        if key in fixed:
            raise InputError(f"{key} is fixed by --set and searched by --space. Expected one of the two.")
        if key == "seed":
            raise InputError(
                "A seed is nothing to be searched: the best of many is the luckiest. To see how much luck there is: "
                "sluice sweep TASK --grid seed=0,1,2."
            )
        given[key] = value
    return given


def _axis(key: str, value: str, task: Task, models: Sequence[str]) -> Axis:
    found = [there[key] for name in models if key in (there := settings.known(task, name))]
    if not found:
        settings.check_overrides(task, models[0], {key: value})  # says what there is instead
    ranged = value.startswith(LOG) or (".." in value and "|" not in value)
    return _range(key, value, found[0]) if ranged else Axis(key=key, kind="choice", choices=_choices(key, value))


def _choices(key: str, value: str) -> tuple[str, ...]:
    names = [name.strip() for name in value.split("|")]
    if "" in names:
        raise InputError(f"One of the values of {key} is empty. Expected such as {key}=A|B|C. Received: {value!r}.")
    if len(set(names)) == 1:
        raise InputError(
            f"{key} has the one value {names[0]!r}, so there is nothing to choose. Expected {FORMS}, or "
            f"--set {key}={names[0]} to fix it."
        )
    return tuple(dict.fromkeys(names))


def _range(key: str, value: str, setting: Setting) -> Axis:
    log, bounds = value.startswith(LOG), value.removeprefix(LOG)
    if setting.choices or not {int, float} & {*setting.kinds}:
        raise InputError(
            f"{key} must be {setting.expected}, of which there is no range. Expected its values: {key}=A|B. "
            f"Received: {value!r}."
        )
    low, high = _bounds(key, value, bounds, setting)
    if low > high:
        raise InputError(
            f"The range of {key} ends below its beginning. Expected the lower bound first. Received: {value!r}."
        )
    if low == high:
        raise InputError(f"The range of {key} holds one value alone. To fix it: --set {key}={bounds.split('..')[0]}.")
    if log and low <= 0:
        raise InputError(f"A logarithmic range lies above 0. Received: {key}={value}.")
    whole = float not in setting.kinds or (int in setting.kinds and isinstance(low, int) and isinstance(high, int))
    return Axis(key=key, kind="int" if whole else "float", low=low, high=high, log=log)


def _bounds(key: str, value: str, bounds: str, setting: Setting) -> tuple[float, float]:
    parts = [part.strip() for part in bounds.split("..")]
    if len(parts) != 2 or not all(parts):
        raise InputError(f"A range is such as {key}=LOW..HIGH or {key}=log:LOW..HIGH. Received: {value!r}.")
    low, high = (settings.parse(key, part, setting) for part in parts)
    if not all(isinstance(bound, int | float) and math.isfinite(bound) for bound in (low, high)):
        raise InputError(f"The bounds of {key} must be finite numbers. Received: {value!r}.")
    return low, high
