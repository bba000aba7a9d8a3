"""What would make an evaluation worthless is found, and what merely looks like it is left alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import tasks
from components.evaluate import blessing, honesty_checks
from components.evaluate.gate import Judgement
from tasks import Bar, Category, Feature, Image, Model, Number, Task, Text, Train

RANDOM = np.random.RandomState
LABEL = RANDOM(0).normal(20, 8, 300).astype(np.float32)
CLASS = RANDOM(1).randint(0, 3, 300)
BINARY = RANDOM(2).randint(0, 2, 300)


def make(label: Number | Category, *features: Feature, **changes: object) -> Task:
    metric = "mae" if isinstance(label, Number) else "accuracy"
    given = {"gate": (Bar(metric, 0.0 if metric == "accuracy" else 99.0),), **changes}
    return Task(
        about="A trial",
        features=features,
        label=label,
        sample=lambda: (),
        preprocess=lambda features: features,
        models={"m": Model(lambda: None, Train(epochs=1))},
        **given,
    )


# What a feature is made of the label by, and whether that is the label under another name.
NUMBERS = {
    "the label": (LABEL, True),
    "scaled": (LABEL * 1.609, True),
    "another unit, rounded": (np.round(235.2 / LABEL.clip(1), 1), True),
    "rounded to whole numbers": (np.round(LABEL), True),
    "reversed": (-LABEL, True),
    "bent": (np.exp(LABEL / 10), True),
    "folded": (np.abs(LABEL - 20) + 100 * (LABEL > 20), True),
    "with a little noise": (LABEL + RANDOM(3).normal(0, 0.3, 300), True),
    "often missing": (np.where(RANDOM(4).rand(300) < 0.5, np.nan, LABEL), True),
    "a good predictor": (LABEL + RANDOM(5).normal(0, 2.5, 300), False),
    "noise": (RANDOM(6).normal(size=300), False),
    "constant": (np.ones(300), False),
    "always missing": (np.full(300, np.nan), False),
    "a number for each row": (np.arange(300.0), False),
    "a coarse step of it": (np.digitize(LABEL, [15, 25]).astype(float), False),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_a_number_that_gives_a_number_away(name: str) -> None:
    feature, given = NUMBERS[name]
    task = make(Number("y"), Number("x"), Number("other"))
    said = honesty_checks.giveaways(task, {"x": feature.astype(np.float32), "other": np.ones(300)}, LABEL)
    assert bool(said) is given
    assert not given or "The label y is given away by x, which alone explains " in said


CLASSES = {
    "the class": (Category("x", (0, 1, 2)), CLASS, CLASS, True),
    "its name": (Category("x", ("a", "b", "c")), np.array([b"c", b"a", b"b"], object)[CLASS], CLASS, True),
    "more finely": (Category("x", tuple(range(9))), CLASS * 3 + RANDOM(1).randint(0, 3, 300), CLASS, True),
    "as a number": (Number("x"), CLASS * 2.5, CLASS, True),
    "as ranges": (Number("x"), CLASS + RANDOM(2).rand(300) / 2, CLASS, True),
    "of two": (Number("x"), np.where(BINARY, 1.0, -1.0) * RANDOM(3).rand(300), BINARY, True),
    "by being missing": (Number("x"), np.where(BINARY, np.nan, RANDOM(3).rand(300)), BINARY, True),
    "nine times of ten": (
        Category("x", (0, 1, 2)), np.where(RANDOM(4).rand(300) < 0.9, CLASS, 0), CLASS, False,
    ),
    "noise": (Number("x"), RANDOM(5).rand(300), CLASS, False),
    "a name for each row": (Category("x", tuple(range(300))), np.arange(300), CLASS, False),
    "always missing": (Category("x", ("a", "b")), np.full(300, b"", object), CLASS, False),
    "rarely anything else": (Category("x", (0, 1)), np.zeros(300, int), (np.arange(300) < 3).astype(int), False),
}  # fmt: skip


@pytest.mark.parametrize("name", CLASSES)
def test_a_feature_that_gives_a_class_away(name: str) -> None:
    feature, values, label, given = CLASSES[name]
    task = make(Category("y", (0, 1) if label is BINARY or "rarely" in name else (0, 1, 2)), feature)
    said = honesty_checks.giveaways(task, {"x": values}, label)
    assert bool(said) is given


@pytest.mark.parametrize(("nominal", "rows"), [(False, 39), (False, 3), (False, 0), (True, 39), (True, 1)])
def test_few_rows_show_no_dependence(nominal: bool, rows: int) -> None:
    label = np.arange(rows, dtype=np.float32)
    assert honesty_checks.dependence(label, label, nominal=nominal) == 0


def test_a_constant_label_is_given_away_by_nothing() -> None:
    assert honesty_checks.dependence(LABEL, np.ones(300), nominal=False) == 0
    assert honesty_checks.dependence(LABEL, np.ones(300, int), nominal=False, classes=2) == 0


def test_a_feature_that_may_tell_is_not_asked() -> None:
    task = make(Number("y"), Number("x"), Number("z"), may_tell=("x",))
    assert honesty_checks.giveaways(task, {"x": LABEL, "z": np.ones(300)}, LABEL) == ""
    with pytest.raises(ValueError, match="may_tell names features: x"):
        make(Number("y"), Number("x"), may_tell=("y",))


@pytest.mark.parametrize("rows", [10_001, 20_000, 65_432, 10_000_000])
def test_the_rows_looked_at_come_from_everywhere(rows: int) -> None:
    chosen = honesty_checks.spread(rows, 10_000)
    assert len(chosen) == len(np.unique(chosen)) == 10_000
    assert (np.diff(chosen) > 0).all()
    np.testing.assert_allclose(np.histogram(chosen, 10, (0, rows))[0], 1000, atol=1)
    # Labels that alternate are seen as often as they come.
    assert (chosen % 2).mean() == pytest.approx(0.5, abs=0.03)


def test_of_few_rows_all_are_looked_at() -> None:
    assert honesty_checks.spread(3, 10_000).tolist() == [0, 1, 2]
    assert honesty_checks.spread(0, 10_000).tolist() == []


def test_texts_and_images_are_not_looked_into() -> None:
    assert honesty_checks.checked_features(make(Number("y"), Text("text"), Image("image", (2, 2)))) == []


def cars() -> tuple[Mapping[str, np.ndarray], np.ndarray]:
    (part,) = tasks.get("auto_mpg").sample()
    (frame,) = part.read()
    columns = {name: frame[name].to_numpy(np.float32) for name in frame}
    return {**columns, "origin": frame["origin"].to_numpy()}, columns["mpg"]


def test_the_cars_give_nothing_away() -> None:
    assert honesty_checks.giveaways(tasks.get("auto_mpg"), *cars()) == ""


@pytest.mark.parametrize("scale", [1.0, 0.425144, -3.0])
def test_the_leak_of_the_tutorial_is_caught(scale: float) -> None:
    task = tasks.get("auto_mpg")
    leaky = dataclasses.replace(task, features=(*task.features, Number("economy")))
    features, label = cars()
    said = honesty_checks.giveaways(leaky, {**features, "economy": np.round(scale * label, 2)}, label)
    assert "given away by economy, which alone explains " in said
    assert "weight" not in said


def test_test_rows_that_stand_in_train() -> None:
    said = honesty_checks.in_train(np.array([1, 2, 3]), np.array([9, 3, 2]), "eval")
    assert said.startswith("2 of 3 test rows also stand in the eval split")
    assert honesty_checks.in_train(np.array([1, 2]), np.array([3]), "train") == ""
    assert honesty_checks.in_train(np.array([1, 2]), np.zeros(0, np.int64), "train") == ""


@pytest.mark.parametrize(
    ("prediction", "broken"),
    [([1.0, np.nan, np.inf], 2), ([1.0, 2.0, 3.0], 0), ([[0.5, np.nan], [0.5, 0.5], [np.nan, np.nan]], 2)],
)
def test_predictions_that_are_not_finite(prediction: list, broken: int) -> None:
    said = honesty_checks.not_finite(np.array(prediction))
    assert said.startswith(f"{broken} of 3 predictions are not finite") if broken else said == ""


@pytest.mark.parametrize(
    ("kind", "prediction", "stops"),
    [
        ("regression", [5.0, 5.0, 5.0], True),
        ("regression", [5.0, 5.000001, 5.0], True),
        ("regression", [5.0, 5.1, 5.0], False),
        ("regression", [0.0, 0.0, 0.0], True),
        ("binary", [0.5, 0.5, 0.5], True),
        ("binary", [0.001, 0.002, 0.001], False),
        ("classes", [[0.2, 0.8]] * 3, True),
        ("classes", [[0.2, 0.8], [0.3, 0.7], [0.2, 0.8]], False),
        ("regression", [5.0, np.nan, 5.0], False),  # that is another check's business
    ],
)
def test_a_model_that_ignores_its_input(kind: tasks.Kind, prediction: list, stops: bool) -> None:
    label = np.array([0, 1, 0])
    said = honesty_checks.constant(kind, np.arange(3), label, np.array(prediction, np.float32))
    assert said.startswith("The model ignores its input") is stops


def test_rows_that_are_all_the_same_may_have_one_answer() -> None:
    assert honesty_checks.constant("regression", np.array([7, 7]), np.array([1.0, 1.0]), np.array([5.0, 5.0])) == ""
    assert honesty_checks.constant("regression", np.array([7]), np.array([1.0]), np.array([5.0])) == ""


def judged(metric: str, bar: float, value: float, interval: tuple[float, float] | None, **changes: object) -> Judgement:
    judgement = Judgement(metric, bar, metric in ("accuracy", "r2", "auc"), 0.0, 0.95, "", 10, value, interval, None,
                          None, None, True, "")  # fmt: skip
    return dataclasses.replace(judgement, **changes)


HALVES = np.array([0, 1] * 5)
FEW = [
    ("binary", judged("accuracy", 0.8, 0.9, (0.6, 0.98)), False),  # one constant answer: 0.5
    ("binary", judged("accuracy", 0.8, 0.9, (0.5, 0.98)), True),
    ("binary", judged("accuracy", 0.8, 0.9, (0.4, 0.98)), True),
    ("binary", judged("accuracy", 0.8, 0.9, None), True),
    ("binary", judged("accuracy", 0.8, 0.7, (0.4, 0.9), passed=False), False),  # rejected anyway
    ("binary", judged("accuracy", 0.8, 0.9, (0.4, 0.98), where="side: left"), False),
    ("binary", judged("accuracy", 0.5, 0.6, (0.3, 0.9)), False),  # the bar asks for nothing
    ("binary", judged("auc", 0.8, 0.9, (0.45, 1.0)), True),
    ("binary", judged("log_loss", 0.5, 0.4, (0.2, 0.7)), True),  # one constant answer: log 2
    ("binary", judged("log_loss", 0.5, 0.4, (0.2, 0.6)), False),
    ("regression", judged("mae", 0.4, 0.3, (0.1, 0.45)), False),  # one constant answer: 0.5
    ("regression", judged("mae", 0.4, 0.3, (0.1, 0.55)), True),
    ("regression", judged("r2", 0.4, 0.5, (-0.1, 0.9)), True),
]


@pytest.mark.parametrize(("kind", "judgement", "stops"), FEW)
def test_a_test_split_too_small_for_its_bars(kind: tasks.Kind, judgement: Judgement, stops: bool) -> None:
    said = honesty_checks.too_few(kind, judgement, HALVES, 2)
    assert bool(said) is stops
    assert not stops or "10 test rows" in said


def test_what_a_constant_answer_scores() -> None:
    label = np.array([0, 0, 0, 1])
    assert honesty_checks.guessed("binary", "accuracy", label, 2) == 0.75
    assert honesty_checks.guessed("binary", "precision", label, 2) is None
    assert honesty_checks.guessed("classes", "accuracy", label, 3) == 0.75
    assert honesty_checks.guessed("regression", "mae", np.array([0.0, 0.0, 0.0, 4.0]), 0) == 1.0
    assert honesty_checks.guessed("regression", "rmse", np.array([0.0, 4.0]), 0) == 2.0


def test_the_verdict_says_all_that_is_wrong() -> None:
    task = make(Number("y"), Number("x"))
    frame = pd.DataFrame({"row": range(300), "label": LABEL, "prediction": np.float32(20)})
    seen = {"train": np.arange(290, 400), "eval": np.zeros(0, np.int64)}
    honest = {"features": {"x": 2 * LABEL}, "known_label": LABEL, "seen": seen}
    document = blessing.document(task, frame, honest=honest, rows=300)
    assert [finding["passed"] for finding in document["honesty"]] == [False, False, True, False, True]
    assert document["blessed"] is False
    assert [reason[:20] for reason in document["reasons"]] == [
        "The label y is given", "10 of 300 test rows ", "The model ignores it",
    ]  # fmt: skip
    assert all(bar["passed"] for bar in document["bars"])


def test_a_sound_evaluation_passes_every_check() -> None:
    task = make(Number("y"), Number("x"), gate=(Bar("mae", 3.0),))
    noise = RANDOM(9).normal(0, 2, 300)
    frame = pd.DataFrame({"row": range(300), "label": LABEL, "prediction": LABEL + noise})
    honest = {"features": {"x": noise}, "known_label": LABEL, "seen": {"train": np.arange(300, 400)}}
    document = blessing.document(task, frame, honest=honest)
    assert all(finding["passed"] for finding in document["honesty"])
    assert document["blessed"] is True


def test_noise_raises_no_alarm() -> None:
    features = tuple(Number(f"x{number}") for number in range(20))
    task = make(Category("y", tuple(range(10))), *features)
    random, rows = RANDOM(0), 25_000
    label = random.randint(0, 10, rows)
    values = {feature.name: random.rand(rows) for feature in features}
    assert (
        honesty_checks.giveaways(task, {name: column[:10_000] for name, column in values.items()}, label[:10_000]) == ""
    )
    assert honesty_checks.in_train(np.arange(rows), np.arange(rows, 3 * rows), "train") == ""
    assert honesty_checks.constant("binary", np.arange(rows), label, values["x0"]) == ""


def test_what_is_not_looked_into_is_not_spoken_for() -> None:
    label = Category("side", ("left", "right"))
    assert honesty_checks.giveaway_check(make(label, Number("a"))) == "no feature gives the label away"
    mixed = make(label, Number("a"), Text("words"), Category("b", (1, 2)))
    assert honesty_checks.giveaway_check(mixed) == "of a, b, none gives the label away"
    answers = SimpleNamespace(label=np.array([0, 1] * 40), prediction=np.array([0.1, 0.9] * 40))
    told = make(label, Number("a"), may_tell=("a",))
    for alone in (make(label, Text("words")), make(label, Image("pixels", (2, 2))), told):
        found = honesty_checks.check(alone, np.arange(80), answers, [], features={}, known_label=np.zeros(0), seen={})
        assert not [finding for finding in found if "label away" in finding.check]
