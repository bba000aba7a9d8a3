"""What a task's file may not say is refused, in words, when it is read."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping

import pytest

from components.settings import train_settings
from tasks import Bar, Category, Date, Image, InputError, Model, Number, Splits, Task, Text, Train


@pytest.mark.parametrize("when_missing", ["keep", "skip_training"])
@pytest.mark.parametrize("values", [(-1, 0, 1), ("", "left")])
def test_a_value_that_stands_for_a_missing_one(values: tuple, when_missing: str) -> None:
    with pytest.raises(ValueError, match=r"Category 'side' cannot have the value (-1|''), which stands for a missing"):
        Category("side", values, when_missing=when_missing)
    assert Category("side", values).values == values


@pytest.mark.parametrize("values", [(0, 1, 1), ("left", "left")])
def test_a_value_that_comes_twice(values: tuple) -> None:
    with pytest.raises(ValueError, match=r"Category 'side' needs values that differ\. Received: \("):
        Category("side", values)


def task(train: Train, label: Number | Category, splits: Splits) -> Task:
    metric = {0: "mae", 2: "auc"}.get(len(label.values) if isinstance(label, Category) else 0, "accuracy")
    return Task(
        about="Boats",
        features=(Number("length"),),
        label=label,
        sample=lambda: (),
        preprocess=lambda features: features,
        models={"mlp": Model(lambda: None, train)},
        gate=(Bar(metric, 1.0),),
        splits=splits,
    )


@pytest.mark.parametrize("watching", [{"patience": 0}, {"patience": 3}, {"keep_best": True}])
def test_a_fit_that_watches_rows_that_are_not_held_out(watching: Mapping[str, int]) -> None:
    train, none = Train(epochs=1, **watching), Splits(train=0.8, eval=0.0, test=0.2)
    with pytest.raises(ValueError, match=r"patience or keep_best, which need .* Received: Splits\(eval=0\.0\)\."):
        task(train, Number("y"), none)
    assert task(train, Number("y"), Splits()).models["mlp"].train == train
    assert task(Train(epochs=1), Number("y"), none).splits == none


@pytest.mark.parametrize("weights", ["balanced", {1: 2.0}])
def test_weights_of_classes_that_a_number_does_not_have(weights: Mapping[int, float]) -> None:
    train = Train(epochs=1, class_weights=weights)
    with pytest.raises(ValueError, match="Model 'mlp' has class_weights, but the label 'y' is a number"):
        task(train, Number("y"), Splits())
    with pytest.raises(ValueError, match="has class_weights"):
        dataclasses.replace(task(train, Category("y", (0, 1)), Splits()), label=Number("y"))


@pytest.mark.parametrize(
    "make",
    [
        lambda word: Number("length", when_missing=word),
        lambda word: Category("length", (1, 2), when_missing=word),
        lambda word: Text("length", when_missing=word),
        lambda word: Image("length", (2, 2), when_missing=word),
        lambda word: Date("length", when_missing=word),
    ],
)
def test_an_unknown_word_for_what_is_missing(make: Callable[[str], object]) -> None:
    with pytest.raises(ValueError, match=r"'length' has an unknown when_missing\. .* 'keep' .* Received: 'drop'\."):
        make("drop")
    for word in ("reject", "keep", "skip_training"):
        make(word)


def test_a_number_that_no_value_can_be() -> None:
    with pytest.raises(ValueError, match=r"Number 'length' has a minimum above its maximum.* at most 10\. .* 100\."):
        Number("length", minimum=100, maximum=10)
    assert Number("length", minimum=10, maximum=10).minimum == 10


@pytest.mark.parametrize(
    ("label", "metric", "bar"),
    [
        (Category("y", (0, 1)), "accuracy", 85),
        (Category("y", (0, 1)), "auc", 1.01),
        (Category("y", (0, 1, 2)), "macro_f1", 70),
        (Number("y"), "r2", 90),
        (Number("y"), "r2", float("nan")),
    ],
)
def test_a_bar_that_no_model_clears(label: Number | Category, metric: str, bar: float) -> None:
    boats = task(Train(epochs=1), label, Splits())
    with pytest.raises(ValueError, match=rf"No {metric} is above 1\. Expected a bar such as 0\.85\. Received: {bar}\."):
        dataclasses.replace(boats, gate=(Bar(metric, bar),))
    assert dataclasses.replace(boats, gate=(Bar(metric, 1),)).gate == (Bar(metric, 1),)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("patience", -1), ("epochs", 0), ("batch_size", 0), ("learning_rate", 0.0),
        ("learning_rate", -0.1), ("learning_rate", float("nan")), ("learning_rate", float("inf")),
    ],
)  # fmt: skip
def test_a_fit_that_cannot_be(name: str, value: float) -> None:
    sentence = rf"Train\.{name} must be .* Received: {value}\."
    with pytest.raises(ValueError, match=sentence):
        Train(**{"epochs": 1, name: value})
    with pytest.raises(InputError, match=sentence):
        train_settings(task(Train(epochs=1), Number("y"), Splits()), "mlp", {f"train.{name}": str(value)})


BAR, ISLAND = Bar("mae", 1.0), Category("island", ("left", "right"))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"gate": BAR},
            r"A Task's gate must be a tuple\. .* such as \(Bar\(\"accuracy\", 0\.85\),\)\. .* Bar\(",
        ),
        ({"gate": ("mae",)}, r"Received: \('mae',\)\."),
        ({"slices": "island"}, r"A Task's slices must be .* such as \(\"island\",\)\. Received: 'island'\."),
        ({"may_tell": "island"}, "A Task's may_tell must be a tuple"),
        ({"features": ISLAND}, r"such as \(Number\(\"length\"\),\)\. Received: Category\("),
        ({"features": ("island",)}, r"Received: \('island',\)\."),
        ({"label": "price"}, r"A Task's label is one Number or one Category\. Received: 'price'\.$"),
        ({"label": Date("when")}, r"A Task's label is one Number or one Category\. Received: Date\(name='when'"),
        ({"slices": ("when",), "features": (Date("when"), ISLAND)}, r"Slices are made by Category columns: island\."),
        ({"label": (Number("a"), Number("b"))}, r"For several labels, make a task of each\.$"),
        (
            {"features": [Number("length"), Number("y")]},
            r"needs a name of its own\. Received twice: 'y'\. The label is no feature\.$",
        ),
        ({"preprocess": {}}, r"A Task's preprocess is a function, without brackets\. Received: \{\}\."),
        (
            {"models": Model(lambda: None, Train(epochs=1))},
            r"Expected \{\"mlp\": Model\(mlp, \.\.\.\)\}\. Rec",
        ),
        ({"models": {"mlp": Train(epochs=1)}}, "A Task's models have names"),
    ],
)
def test_a_value_of_another_kind(changes: Mapping[str, object], sentence: str) -> None:
    boats = task(Train(epochs=1), Number("y"), Splits())
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(boats, **changes)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Bar("mae", 1.0, slices="island"), r"A Bar's slices must be a tuple\. .* Received: 'island'\."),
        (
            lambda: Category("island", "left"),
            r"The values of Category .island. must be a tuple.* Received: 'left'\.",
        ),
        (lambda: Category("island", (1, 2), names="ab"), "The names of Category 'island' must be a tuple"),
        (
            lambda: Date("when", minimum="1.1.2020"),
            r"The minimum of Date 'when' is an ISO date .* '2020-01-01'\. Received: '1\.1\.2020'\.",
        ),
        (lambda: Date("when", maximum=2030), r"The maximum of Date 'when' .* Received: 2030\."),
        (
            lambda: Date("when", minimum="2030-01-01", maximum="2020-01-01"),
            r"Date 'when' has a minimum after its maximum.* at most 2020-01-01\. Received: 2030-01-01\.",
        ),
        (lambda: Model(len, Train(epochs=1), outputs="aux"), "A Model's outputs must be a tuple"),
        (lambda: Model(len, {"epochs": 1}), r"Expected Train\(\.\.\.\)\. Received: \{'epochs': 1\}\."),
        (lambda: Model(None, Train(epochs=1)), r"Expected Model\(mlp, \.\.\.\), without brackets .* Received: None\."),
    ],
)
def test_a_part_of_another_kind(make: Callable[[], object], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()


def test_a_list_does_for_a_tuple() -> None:
    boats = task(Train(epochs=1), Number("y"), Splits())
    listed = dataclasses.replace(boats, features=[ISLAND], slices=["island"], gate=[Bar("mae", 1.0, slices=["island"])])
    assert (listed.features, listed.slices, listed.gate) == (
        (ISLAND,), ("island",), (Bar("mae", 1.0, slices=("island",)),),
    )  # fmt: skip


def test_a_model_that_is_built_already() -> None:
    import keras

    with pytest.raises(ValueError, match=r"not what it returns\. Expected Model\(mlp, .* Received: <Sequential"):
        Model(keras.Sequential(), Train(epochs=1))


class Sgd:
    """Stands for an object of Keras', which a definition does not import."""


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizer": Sgd()}, r"Train\.optimizer is a name of Keras', such as 'adam'\. Received: <.*Sgd object"),
        ({"optimizer": "adamm"}, r"Train\.optimizer is none of Keras' names: 'adamm'\. Did you mean 'adam'\?"),
        ({"optimizer": None}, r"Train\.optimizer is a name of Keras'"),
        ({"loss": Sgd()}, r"Train\.loss is a name of Keras', such as 'mae'"),
        ({"loss": "hubber"}, "Did you mean 'huber'"),
        ({"callbacks": [Sgd()]}, r"Train\.callbacks is a function, which each fit calls: .* Received: \[<"),
        ({"sample_weight": 2}, r"Train\.sample_weight is a function"),
    ],
)
def test_a_fit_is_given_names_and_functions(given, said):
    with pytest.raises(ValueError, match=said):
        Train(epochs=1, **given)


def test_names_are_taken_as_keras_takes_them():
    Train(epochs=1, optimizer="Adam", loss="MeanSquaredError")
    Train(epochs=1, optimizer="mine>Adam", loss="mine>Loss")
