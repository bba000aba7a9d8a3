from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve

from components.evaluate import metrics
from tasks import METRICS

THREE = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.0, 0.1, 0.9]]


def test_the_metrics_are_those_that_a_task_may_name() -> None:
    assert {kind: list(known) for kind, known in metrics.METRICS.items()} == {
        kind: list(known) for kind, known in METRICS.items()
    }


def test_regression() -> None:
    found = metrics.score("regression", [1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 5.0])
    expected = {"error_p50": 0.5, "error_p90": 1.0, "mae": 0.5, "mape": (0.5 + 1 / 6) / 4}
    assert found == pytest.approx(expected | {"mse": 0.5, "rmse": 0.5**0.5, "r2": 1 - 2 / 14})


def test_two_classes() -> None:
    label, probability = [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]
    expected = {"accuracy": 0.5, "auc": 0.75, "log_loss": -np.log([0.9, 0.4, 0.4, 0.9]).mean()}
    expected |= {"precision": 0.5, "recall": 0.5, "f1": 0.5, "pr_auc": 0.5 * 1 + 0.5 * 2 / 3}
    expected |= {"brier": (0.01 + 0.36 + 0.36 + 0.01) / 4, "calibration_error": (0.1 + 0.6 + 0.6 + 0.1) / 4}
    assert metrics.score("binary", label, probability) == pytest.approx(expected, abs=1e-6)


def test_more_classes() -> None:
    found = metrics.score("classes", [0, 1, 1, 2], THREE)
    f1 = (2 / 3 + 2 / 3 + 1) / 3
    expected = {"accuracy": 0.75, "log_loss": -np.log([0.7, 0.8, 0.3, 0.9]).mean(), "macro_f1": f1}
    expected |= {"brier": (0.14 + 0.06 + 0.78 + 0.02) / 4, "calibration_error": (0.3 + 0.2 + 0.5 + 0.1) / 4}
    assert found.pop("top3_accuracy") is None  # of three classes it says nothing
    assert found == pytest.approx(expected, abs=1e-6)


def test_the_further_metrics_are_scikit_learns() -> None:
    random = np.random.RandomState(5)
    label, number = random.normal(3, 2, 300), random.normal(3, 2, 300)
    found = metrics.score("regression", label, number)
    assert found["mape"] == pytest.approx(sk.mean_absolute_percentage_error(label, number))
    assert found["error_p50"] == pytest.approx(sk.median_absolute_error(label, number))
    truth, said = random.randint(0, 2, 300), np.round(random.rand(300), 2)  # with ties
    found = metrics.score("binary", truth, said)
    assert found["f1"] == pytest.approx(sk.f1_score(truth, said > 0.5))
    assert found["pr_auc"] == pytest.approx(sk.average_precision_score(truth, said))
    assert found["brier"] == pytest.approx(sk.brier_score_loss(truth, said))
    inside = np.minimum(said, 0.999) + 1e-4  # scikit-learn counts a bin's upper end to it
    shares, means = calibration_curve(truth, inside, n_bins=10)
    sizes = np.bincount(np.minimum((inside * 10).astype(int), 9), minlength=10) / 300
    expected = (np.abs(shares - means) * sizes).sum()
    assert metrics.score("binary", truth, inside)["calibration_error"] == pytest.approx(expected)
    code, five = random.randint(0, 5, 300), random.dirichlet(np.ones(5), 300)
    found = metrics.score("classes", code, five)
    assert found["top3_accuracy"] == pytest.approx(sk.top_k_accuracy_score(code, five, k=3))
    assert found["brier"] == pytest.approx(sk.brier_score_loss(code, five, labels=range(5), scale_by_half=False))


def test_a_column_of_lists_is_a_matrix() -> None:
    column = pd.Series([np.array(row, np.float32) for row in THREE])
    found, expected = metrics.score("classes", [0, 1, 1, 2], column), metrics.score("classes", [0, 1, 1, 2], THREE)
    assert found.pop("top3_accuracy") is expected.pop("top3_accuracy") is None
    assert found == pytest.approx(expected, abs=1e-6)


def test_certain_and_wrong_is_not_infinite() -> None:
    loss = metrics.score("binary", [0, 1], [1.0, 1.0])["log_loss"]
    assert loss == pytest.approx(-np.log(1.2e-7) / 2, rel=0.01)


@pytest.mark.parametrize("predictions", [[0.5, np.nan], [np.inf, 0.5]])
def test_nothing_is_known_of_predictions_that_are_not_finite(predictions: list[float]) -> None:
    assert set(metrics.score("regression", [0.0, 1.0], predictions).values()) == {None}


def test_no_rows() -> None:
    assert set(metrics.score("classes", [], []).values()) == {None}


def test_what_one_row_or_one_class_cannot_have_is_none() -> None:
    assert set(metrics.score("regression", [1.0], [2.0]).items()) == {
        *((name, 1.0) for name in ("error_p50", "error_p90", "mae", "mape", "mse", "rmse")), ("r2", None),
    }  # fmt: skip
    assert metrics.score("regression", [1.0, 1.0], [1.0, 1.0])["r2"] is None
    negative = metrics.score("binary", [0, 0], [0.1, 0.2])
    assert (negative["auc"], negative["precision"], negative["recall"]) == (None, None, None)
    assert negative["accuracy"] == 1.0
    assert metrics.score("classes", [2, 2], [THREE[3], THREE[3]])["macro_f1"] == 1.0


def test_further_outputs_have_names_of_their_own() -> None:
    frame = pd.DataFrame({"label": [1.0, 2.0], "prediction": [1.0, 2.0], "prediction_aux": [2.0, 3.0]})
    found = metrics.table("regression", frame)
    assert (found["mae"], found["mae_aux"]) == (0.0, 1.0)


def test_further_outputs_of_another_shape_are_not_scored() -> None:
    further = {"prediction_same": THREE, "prediction_pair": [row[:2] for row in THREE], "prediction_one": [0.1] * 4}
    found = metrics.table("classes", pd.DataFrame({"label": [0, 1, 1, 2], "prediction": THREE, **further}))
    assert found["accuracy_same"] == found["accuracy"] == 0.75
    assert not [name for name in found if name.endswith(("_pair", "_one"))]


def test_slices() -> None:
    frame = pd.DataFrame(
        {
            "label": [0, 1, 0, 1],
            "prediction": [0.1, 0.9, 0.8, 0.7],
            "slice_origin": ["1", "1", np.nan, "2"],
            "slice_colour": ["red", "red", None, "<b>"],
        }
    )
    found = metrics.slices(
        lambda rows: metrics.score("binary", rows["label"], rows["prediction"]), frame, ["origin", "colour"]
    )
    assert {column: {value: row["count"] for value, row in table.items()} for column, table in found.items()} == {
        "origin": {"1": 2, "2": 1, "missing": 1},
        "colour": {"<b>": 1, "red": 2, "missing": 1},
    }
    assert found["origin"]["1"]["auc"] == 1.0
    assert found["origin"]["2"]["auc"] is None
    json.dumps(found, allow_nan=False)


def many(rows: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    return random.integers(0, classes, rows), random.dirichlet([0.5] * classes, rows).astype(np.float32)


def test_rows_in_parts_have_the_metrics_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    label, prediction = many(1001, 5)
    whole = metrics.score("classes", label, prediction)
    two = metrics.score("binary", label % 2, prediction[:, 0])
    monkeypatch.setattr(metrics, "AT_ONCE", 100)  # 20 rows of five classes
    parts, loss = metrics.score("classes", label, prediction), whole["log_loss"]
    assert parts.pop("log_loss") == pytest.approx(loss, rel=1e-6)
    assert parts == {name: value for name, value in whole.items() if name != "log_loss"}
    assert metrics.score("binary", label % 2, prediction[:, 0]) == pytest.approx(two, rel=1e-6)


def test_what_is_computed_on_the_way_is_not_larger_than_the_predictions(monkeypatch: pytest.MonkeyPatch) -> None:
    label, prediction = many(100_000, 20)
    monkeypatch.setattr(metrics, "AT_ONCE", 40_000)
    tracemalloc.start()
    metrics.score("classes", label, prediction)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < prediction.nbytes  # with all rows at once it is eight times as much
