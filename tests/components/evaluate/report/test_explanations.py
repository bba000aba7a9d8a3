"""What a report says of why: features, errors along them, calibration, words, layers and earlier versions."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.calibration import calibration_curve
from sklearn.metrics import average_precision_score, precision_recall_curve

from components.evaluate.explained import Explained
from components.evaluate.importance import Importance
from components.evaluate.report import binary_page, features_page, moved_words, plots, training_page, verdict_page
from components.evaluate.report.calibration import curve
from components.evaluate.report.errors_by_feature import errors, groups
from components.evaluate.report.interval_plots import Point, points, whisker
from tasks import Bar, Category, Date, Feature, Model, Number, Task, Text, Train


def make_task(label: Number | Category, *features: Feature, metric: str) -> Task:
    return Task(
        about="What is learned", features=features, label=label, sample=lambda: (), preprocess=lambda given: given,
        models={"mlp": Model(lambda: None, Train(epochs=1))}, gate=(Bar(metric, 0.5),),  # type: ignore[arg-type, return-value]
    )  # fmt: skip


ORIGIN = Category("origin", (1, 2), names=("USA", "Europe"), when_missing="keep")
CARS = make_task(Number("mpg"), Number("weight", about="pounds"), ORIGIN, metric="mae")
SPAM = make_task(Category("spam", (0, 1), names=("no", "yes")), Number("length"), Text("text"), metric="accuracy")


def plain(markup: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", markup))


def test_errors_are_what_is_predicted_less_the_truth_or_whether_the_class_is_wrong() -> None:
    frame = pd.DataFrame({"label": [1.0, 2.0], "prediction": [1.5, np.nan]})
    assert errors(CARS, frame)[0] == 0.5
    assert np.isnan(errors(CARS, frame)[1])
    spam = pd.DataFrame({"label": [1, 1, 0], "prediction": [0.9, 0.1, np.nan]})
    assert errors(SPAM, spam)[:2].tolist() == [0.0, 1.0]
    assert np.isnan(errors(SPAM, spam)[2])


def test_a_number_is_grouped_by_size_and_what_is_missing_by_itself() -> None:
    values = np.array([*np.arange(80.0), np.nan, np.nan], np.float32)
    wrong = np.array([*np.repeat(np.arange(8.0), 10), -3.0, -5.0])
    missing, *others = groups(Number("weight"), values, wrong, regression=True)
    assert (missing.name, missing.at, missing.rows, missing.middle) == ("missing", None, 2, -4.0)
    assert [group.rows for group in others] == [10] * 8
    assert [group.middle for group in others] == list(range(8))
    assert others[0].at == 4.5
    few = groups(Number("cylinders"), np.repeat([4.0, 6.0, 8.0], 20), np.zeros(60), regression=True)
    assert [(group.at, group.rows) for group in few] == [(4.0, 20), (6.0, 20), (8.0, 20)]


def test_dates_are_grouped_by_their_days() -> None:
    days = np.arange(80.0) * 86_400
    [missing, first, *others] = groups(Date("when"), np.array([*days, np.nan]), np.zeros(81), regression=True)
    assert (missing.name, missing.rows) == ("missing", 1)
    assert (first.name, first.at, first.rows) == ("from 1970-01-01", None, 10)
    assert others[0].name == "from 1970-01-11"


def test_a_category_is_grouped_by_value_with_the_share_of_wrong_answers() -> None:
    values, wrong = np.array([2, 1, 1, 2, 9, -1]), np.array([1.0, 0.0, 0.0, 0.0, 1.0, np.nan])
    found = groups(ORIGIN, values, wrong, regression=False)
    assert [(group.name, group.rows, group.middle) for group in found] == [
        ("USA", 2, 0),
        ("Europe", 2, 0.5),
        ("9", 1, 1),
    ]
    low, high = found[1].low, found[1].high
    assert (low, high) == pytest.approx((0.0945312, 0.905469))  # Wilson's of 1 in 2
    side = Category("side", ("left", "right"))
    [left, right] = groups(side, np.array([b"right", b"left"], "O"), np.zeros(2), regression=False)
    assert (left.name, right.name) == ("left", "right")


def test_calibration_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    probability = random.uniform(size=500)
    label = (random.uniform(size=500) < probability**2).astype(np.int64)
    true, said = calibration_curve(label, probability, n_bins=10)
    marks = curve(label, probability)
    assert [mark.y for mark in marks] == pytest.approx(true)
    assert [mark.x for mark in marks] == pytest.approx(said)
    assert all(mark.low <= mark.y <= mark.high for mark in marks if mark.low is not None and mark.high is not None)
    classes = np.stack([1 - probability, probability], axis=1)
    assert len(curve(label, classes)) == 5  # of the chosen class, whose probability is at least one half
    assert curve(label[:0], probability[:0]) == []


def test_precision_by_recall_is_scikit_learns() -> None:
    random = np.random.default_rng(0)
    label = random.integers(2, size=50)
    frame = pd.DataFrame({"label": label, "prediction": np.clip(label * 0.3 + random.uniform(0, 0.7, 50), 0, 1)})
    page = str(binary_page.page(SPAM, frame))
    precision, recall, _ = precision_recall_curve(frame["label"], frame["prediction"])
    axes = plots.Axes("", "", (0.0, 1.0), (0.0, 1.0), alt="")
    path = "".join(
        f"{'L' if at else 'M'}{axes.x(x):.1f},{axes.y(y):.1f}"
        for at, (x, y) in enumerate(zip(recall, precision, strict=True))
    )
    assert path in page
    area = average_precision_score(frame["label"], frame["prediction"])
    assert f"Average precision is {area:.4f} (this model)" in page
    assert f"chance, the {label.mean():.1%} of the rows that are yes" in page


def explained(importances: list[Importance]) -> Explained:
    columns = {"weight": np.arange(40, dtype=np.float32), "origin": np.tile([1, 2], 20)}
    return Explained(rows=np.arange(40), columns=columns, importances=importances)


def test_features_by_importance_with_their_spread_and_errors() -> None:
    frame = pd.DataFrame({"label": np.zeros(50), "prediction": np.tile([1.0, -1.0], 25)})
    found = plain(
        features_page.page(CARS, frame, explained([Importance("origin", 2.5, 0.25), Importance("weight", 0.0, 0.0)]))
    )
    assert "By how much mae gets worse when the served model is asked about 40 test rows" in found
    assert "origin 2.500 0.2500 2.5, from 2.25 to 2.75" in found
    assert "Of 40 test rows, drawn from 50: the median error, which is the predicted less the true mpg" in found
    assert re.search(r"origin Rows Error USA 20 1 .* Europe 20 -1 .*weight \(pounds\)", found)
    alone = plain(features_page.page(CARS, frame, explained([])))
    assert "Importance" not in alone
    assert "Errors by feature" in alone


def test_of_hundreds_of_features_some_are_shown() -> None:
    many = make_task(Number("y"), *(Number(f"n{at:03}") for at in range(300)), metric="mae")
    columns = {feature.name: np.arange(20.0) for feature in many.features}
    frame = pd.DataFrame({"label": np.zeros(20), "prediction": np.arange(20.0)})
    page = features_page.page(many, frame, Explained(rows=np.arange(20), columns=columns))
    assert page.count("<figure>") == features_page.DRAWN + features_page.FOLDED


def test_without_anything_found_there_is_no_section() -> None:
    frame = pd.DataFrame({"label": [0.0], "prediction": [np.nan]})
    assert features_page.page(CARS, frame, Explained()) == ""
    lost = Explained(rows=np.arange(1), columns={"weight": np.zeros(1), "origin": np.ones(1)})
    assert features_page.page(CARS, frame, lost) == ""


def test_words_say_what_they_raise() -> None:
    [key] = moved_words.key(SPAM, {0: []})
    assert "by how much they raise or lower the probability of yes" in key
    assert plain(moved_words.listed([("free", 0.25), ("meeting", -0.1234567)])) == (
        " raise it: free +0.25 lower it: meeting −0.123 "
    )
    assert moved_words.listed([]) == ""
    assert moved_words.key(SPAM, {}) == []


def test_layers_are_listed_with_what_is_not_fitted() -> None:
    layer: dict[str, Any] = {"name": "dense", "kind": "Dense", "shape": "? × 64", "weights": 640, "fitted": 600}
    found = plain(training_page.page({"loss": [1.0]}, {"layers": [layer], "weights": 640}))
    assert "Layer Kind Output Weights dense Dense ? × 64 640" in found
    assert "640 weights. 40 of them are not fitted." in found
    assert "Layer" not in plain(training_page.page({"loss": [1.0]}, {}))


def bar(value: Any, where: str = "") -> dict[str, Any]:
    return {
        "metric": "mae", "bar": 2.5, "value": value, "interval": [value - 1, value + 1] if value else None,
        "where": where, "rows": 9, "champion": None, "tolerance": 0.1, "passed": True, "confidence": 0.95,
        "higher_is_better": False, "reason": "mae holds against the bar",
    }  # fmt: skip


def test_the_gate_over_the_versions() -> None:
    blessing = {"bars": [bar(1.5), bar(9.0, "origin: USA")], "rows": 9, "metrics": {"mae": 1.5}, "champion": "4:ab"}
    past = [
        {"version": 2, "bars": {"mae": bar(2.0)}},
        {"version": 3, "bars": {}},
        {"version": 4, "bars": {"mae": bar(1.75)}},
    ]
    page = verdict_page.gate(blessing, past)
    assert page.count("<figure>") == 1
    assert "mae of 2 versions and of this model: 1.75 of version 4, 1.5 now." in plain(page)
    assert "Over the versions" not in verdict_page.gate(blessing)
    assert "Over the versions" not in verdict_page.gate(blessing, [{"version": 1, "bars": {"rmse": bar(2.0)}}])
    odd = [{"version": 1, "bars": {"mae": {"value": "much", "interval": 7}}}]
    assert "Over the versions" not in verdict_page.gate(blessing, odd)


def test_points_stay_within_their_frame_and_a_mark_within_its_cell() -> None:
    drawn = points(
        [Point(1, 0.5, -9.0, 9.0), Point(2, 0.5, None, None)], x_label="x", y_label="y", alt="a", y_range=(0, 1)
    )
    uprights = [float(y) for y in re.findall(r'y[12]="([-\d.]+)"', drawn)]
    assert min(uprights) >= plots.TOP
    assert max(uprights) <= plots.HEIGHT - plots.BOTTOM
    assert drawn.count("<circle") == 2
    assert drawn.count('class="line s0"') == 1
    places = [float(x) for x in re.findall(r'(?:x[12]|cx)="([-\d.]+)"', whisker(-1, 0, 2, (-1, 2), "a"))]
    assert min(places) == 4
    assert max(places) == 92
    assert "x1" in whisker(0, 0, 0, (0, 0), "a")
