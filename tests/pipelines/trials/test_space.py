"""What a search may choose from, as typed."""

from __future__ import annotations

import math

import pytest

import tasks
from pipelines.trials.space import Axis, parse
from pipelines.trials.watched_metric import possible_fits, stands_for
from tasks import InputError


def axes(*words, task="auto_mpg", model="", fixed=None):
    return parse(words, tasks.get(task), model, fixed or {})


def test_choices_ranges_and_logarithmic_ranges_are_read():
    words = ("train.learning_rate=log:1e-4..1e-1", "model.units= 16 | 32|16 ", "train.epochs=5..40")
    rate, units, epochs, optimizer = axes(*words, "train.optimizer=adam|sgd")
    assert rate == Axis(key="train.learning_rate", kind="float", low=1e-4, high=0.1, log=True)
    assert units == Axis(key="model.units", kind="choice", choices=("16", "32"))
    assert epochs == Axis(key="train.epochs", kind="int", low=5, high=40)
    assert optimizer.choices == ("adam", "sgd")
    assert (rate.count, units.count, epochs.count) == (math.inf, 2, 36)


def test_whole_bounds_of_a_setting_that_takes_any_number_make_no_whole_range():
    (rate,) = axes("train.learning_rate=1..2")
    assert rate.kind == "float"


def test_a_number_is_told_in_four_digits_that_stay_within_the_range():
    rate = Axis(key="train.learning_rate", kind="float", low=0.00123456, high=0.1, log=True)
    assert rate.text(0.0316227766) == "0.03162"
    assert rate.text(0.0012346) == "0.001235"
    assert Axis(key="a", kind="float", low=0.0123444, high=1).text(0.0123445) == "0.0123444"  # rounded, it is below


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["train.learning_rate"], "--space takes KEY=A|B|C, KEY=LOW..HIGH or KEY=log:LOW..HIGH. Received"),
        (["=1|2"], "--space takes"),
        (["model.units="], "--space takes"),
        (["model.unit=16|32"], "Did you mean 'model.units'?"),
        (["train.learning_rate=0.1..0.001"], "ends below its beginning"),
        (["train.learning_rate=0.1..0.1"], "one value alone. To fix it: --set train.learning_rate=0.1"),
        (["train.learning_rate=log:0..0.1"], "lies above 0"),
        (["train.learning_rate=-1..1"], "above 0"),
        (["train.learning_rate=log:0.1"], "A range is such as train.learning_rate=LOW..HIGH"),
        (["train.learning_rate=0.1.."], "A range is such as"),
        (["train.learning_rate=nan..1"], "finite"),
        (["train.learning_rate=low..high"], "train.learning_rate must be a number or none. Received: 'low'"),
        (["train.learning_rate=0.1|fast"], "train.learning_rate must be a number or none. Received: 'fast'"),
        (["model.units=0.5..3"], "model.units must be an integer. Received: '0.5'"),
        (["model.units=16||32"], "One of the values of model.units is empty"),
        (["model.units=16|16"], "has the one value '16'"),
        (["train.optimizer=adam..sgd"], "of which there is no range"),
        (["train.optimizer=adam|sdg"], "Did you mean 'sgd'?"),
        (["train.keep_best=0..1"], "train.keep_best must be true or false, of which there is no range"),
        (["model=mlp|mpl"], "Did you mean 'mlp'?"),
        (["seed=0|1|2"], "the best of many is the luckiest"),
        (["train.epochs=1..5", "train.epochs=2..6"], "Two spaces are given for train.epochs"),
    ],
)
def test_a_space_that_cannot_be_is_a_sentence(words, said):
    with pytest.raises(InputError) as error:
        axes(*words)
    assert said in str(error.value)


def test_a_setting_is_fixed_or_searched_and_so_is_the_model():
    with pytest.raises(InputError, match=r"train\.epochs is fixed by --set and searched by --space"):
        axes("train.epochs=1..5", fixed={"train.epochs": "3"})
    with pytest.raises(InputError, match="The model is given by --model mlp and searched by --space"):
        axes("model=mlp|wide_deep", task="california_housing", model="mlp")


def test_a_setting_that_one_of_the_models_has_may_be_searched():
    searched = axes("model=mlp|wide_deep", "train.epochs=1..5", task="california_housing")
    assert [axis.key for axis in searched] == ["model", "train.epochs"]


def test_trials_are_put_in_order_by_what_their_fits_have_in_common():
    task = tasks.get("california_housing")  # judged by mse, which nothing watches: it is the loss
    alike = possible_fits(axes("train.epochs=5..9", task="california_housing"), task, "", {})
    assert stands_for(task, [fit.loss for fit in alike]).name == "loss"
    assert {fit.epochs for fit in alike} >= {5, 9}
    other = possible_fits(axes("train.loss=mse|huber", task="california_housing"), task, "", {})
    assert stands_for(task, [fit.loss for fit in other]).name == "mae"


def test_without_watched_rows_there_is_nothing_to_search_by():
    fixed = {"train.fit_on": "train+eval", "train.patience": "none", "train.keep_best": "false"}
    with pytest.raises(InputError, match=r"none are held out for that.*Received: train\.fit_on with more than train"):
        possible_fits(axes("train.epochs=5..9", fixed=fixed), tasks.get("auto_mpg"), "", fixed)
