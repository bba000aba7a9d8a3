"""Settings by name, as `--set KEY=VALUE` gives them, turned into what preprocessing, model and fit take."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import Any

import tasks
from tasks import InputError, Task, Train

TRAIN, MODEL, PREPROCESS = "train.", "model.", "preprocess."
BOOLEANS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
NONE = ("none", "null")
# Train's fields that hold a name of Keras'.
NAMED = {"optimizer": tasks.OPTIMIZERS, "loss": tasks.LOSSES}


@dataclasses.dataclass(frozen=True)
class Setting:
    """What a setting may hold."""

    kinds: tuple[type, ...]
    optional: bool = False
    choices: tuple[str, ...] = ()
    of_keras: bool = False

    @property
    def expected(self) -> str:
        names = {bool: "true or false", int: "an integer", float: "a number", str: "text", tuple: "numbers and commas"}
        words = [" or ".join(map(repr, self.choices))] if self.choices else [names[kind] for kind in self.kinds]
        words = ["one of Keras' names"] if self.of_keras else words
        return " or ".join([*words, *(["none"] if self.optional else [])])


def check_overrides(task: Task, model: str, overrides: Mapping[str, str]) -> tuple[dict[str, str], dict[str, str]]:
    """The settings of preprocessing and those of training, all known and readable; InputError otherwise."""
    there = known(task, model)
    for key in overrides:
        if key not in there:
            raise InputError(f"There is no setting {key!r} for the model {model!r}.{tasks.nearest(key, list(there))}")
    preprocess = {key: value for key, value in overrides.items() if key.startswith(PREPROCESS)}
    train = {key: value for key, value in overrides.items() if not key.startswith(PREPROCESS)}
    preprocess_settings(task, preprocess)
    train_settings(task, model, train)
    return preprocess, train


def known(task: Task, model: str) -> dict[str, Setting]:
    """Every setting of the model, of its fit and of the preprocessing."""
    return {
        **{TRAIN + name: setting for name, setting in _train_fields().items()},
        **{MODEL + name: _like(default) for name, default in task.hyperparameters(model).items()},
        **{PREPROCESS + name: _like(default) for name, default in tasks.keyword_defaults(task.preprocess).items()},
    }


@dataclasses.dataclass(frozen=True)
class Described:
    """One setting as people ask about it; `of` is the function whose parameter it is."""

    name: str
    default: Any
    expected: str
    of: str = ""


def described_preprocess(task: Task) -> list[Described]:
    return _of(PREPROCESS, tasks.keyword_defaults(task.preprocess), "the preprocessing")


def described_model(task: Task, model: str) -> list[Described]:
    """The model's own settings, then those of its fit."""
    train, builder = task.models[model].train, getattr(task.models[model].build, "__name__", model)
    fit = [Described(TRAIN + name, getattr(train, name), field.expected) for name, field in _train_fields().items()]
    return [*_of(MODEL, task.hyperparameters(model), f"a parameter of {builder}()"), *fit]


def _of(prefix: str, defaults: Mapping[str, Any], of: str) -> list[Described]:
    return [Described(prefix + name, default, _like(default).expected, of) for name, default in defaults.items()]


def train_settings(task: Task, model: str, settings: Mapping[str, str]) -> tuple[Train, dict[str, Any]]:
    """How the model is fitted, and the keyword arguments of its builder, with the settings in place of the defaults."""
    fields = _train_fields()
    changed = {
        name: parse(TRAIN + name, settings[TRAIN + name], fields[name]) for name in fields if TRAIN + name in settings
    }
    try:
        train = dataclasses.replace(task.models[model].train, **changed)
        tasks.check_fit(task, model, train)
    except ValueError as error:
        raise InputError(str(error)) from error
    return train, _arguments(task.hyperparameters(model), MODEL, settings)


def preprocess_settings(task: Task, settings: Mapping[str, str]) -> dict[str, Any]:
    """The keyword arguments of the task's preprocessing."""
    return _arguments(tasks.keyword_defaults(task.preprocess), PREPROCESS, settings)


def parse(key: str, text: str, setting: Setting) -> Any:
    """A setting's value from what the user typed."""
    word = text.strip()
    if setting.optional and word.lower() in NONE:
        return None
    if setting.choices:
        if found := next((name for name in (word, word.lower()) if name in setting.choices), None):
            return found
    else:
        for kind in setting.kinds:
            try:
                return _read(word if kind is not str else text, kind)
            except (ValueError, KeyError):
                continue
    hint = tasks.nearest(word, list(setting.choices)) if setting.of_keras else ""
    raise InputError(f"{key} must be {setting.expected}. Received: {text!r}.{hint}")


def _read(word: str, kind: type) -> Any:
    if kind is bool:
        return BOOLEANS[word.lower()]
    if kind is tuple:
        inside = word[1:-1] if (word[:1], word[-1:]) in {("[", "]"), ("(", ")")} else word
        return tuple(_number(part) for part in inside.split(",") if part.strip())
    if kind in (int, float) and "_" in word:
        raise ValueError(word)
    return kind(word)


def _number(word: str) -> int | float:
    try:
        return int(word)
    except ValueError:
        return float(word)


def _arguments(defaults: dict[str, Any], prefix: str, settings: Mapping[str, str]) -> dict[str, Any]:
    return {
        name: parse(prefix + name, settings[prefix + name], _like(default)) if prefix + name in settings else default
        for name, default in defaults.items()
    }


def _like(default: Any) -> Setting:
    """What may stand in place of a default: its own kind; for None anything."""
    if default is None:
        return Setting((int, float, str), optional=True)
    kind = tuple if isinstance(default, list | tuple) else type(default)
    return Setting((kind if kind in (bool, int, float, tuple) else str,))


def _train_fields() -> dict[str, Setting]:
    """Train's plain fields, by their annotations."""
    kinds = {"bool": bool, "int": int, "float": float, "str": str}
    found = {}
    for field in dataclasses.fields(Train):
        parts = [part.strip() for part in str(field.type).split(" | ")]
        choices = tuple(re.findall(r"""["']([^"']*)["']""", str(field.type))) if "Literal[" in str(field.type) else ()
        choices = NAMED.get(field.name, choices)
        plain = tuple(kinds[part] for part in parts if part in kinds)
        if plain or choices:
            found[field.name] = Setting(plain, "None" in parts, choices, field.name in NAMED)
    return found
