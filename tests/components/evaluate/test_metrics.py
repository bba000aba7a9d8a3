from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from components.evaluate import metrics
from tasks import METRICS

THREE = [[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.0, 0.1, 0.9]]


def test_the_metrics_are_those_that_a_task_may_name() -> None:
    assert {kind: list(known) for kind, known in metrics.METRICS.items()} == {
        kind: list(known) for kind, known in METRICS.items()
    }


def test_regression() -> None:
    found = metrics.score("regression", [1.0, 2.0, 3.0, 6.0], [1.0, 3.0, 3.0, 5.0])
    assert found == pytest.approx({"mae": 0.5, "mse": 0.5, "rmse": 0.5**0.5, "r2": 1 - 2 / 14})


def test_two_classes() -> None:
    label, probability = [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]
    expected = {"accuracy": 0.5, "auc": 0.75, "log_loss": -np.log([0.9, 0.4, 0.4, 0.9]).mean()}
    expected |= {"precision": 0.5, "recall": 0.5}
    assert metrics.score("binary", label, probability) == pytest.approx(expected, abs=1e-6)


def test_more_classes() -> None:
    found = metrics.score("classes", [0, 1, 1, 2], THREE)
    f1 = (2 / 3 + 2 / 3 + 1) / 3
    assert found == pytest.approx(
        {"accuracy": 0.75, "log_loss": -np.log([0.7, 0.8, 0.3, 0.9]).mean(), "macro_f1": f1}, abs=1e-6
    )


def test_a_column_of_lists_is_a_matrix() -> None:
    column = pd.Series([np.array(row, np.float32) for row in THREE])
    assert metrics.score("classes", [0, 1, 1, 2], column) == pytest.approx(
        metrics.score("classes", [0, 1, 1, 2], THREE), abs=1e-6
    )


def test_certain_and_wrong_is_not_infinite() -> None:
    loss = metrics.score("binary", [0, 1], [1.0, 1.0])["log_loss"]
    assert loss == pytest.approx(-np.log(1.2e-7) / 2, rel=0.01)


@pytest.mark.parametrize("predictions", [[0.5, np.nan], [np.inf, 0.5]])
def test_nothing_is_known_of_predictions_that_are_not_finite(predictions: list[float]) -> None:
    assert set(metrics.score("regression", [0.0, 1.0], predictions).values()) == {None}


def test_no_rows() -> None:
    assert set(metrics.score("classes", [], []).values()) == {None}


def test_what_one_row_or_one_class_cannot_have_is_none() -> None:
    assert metrics.score("regression", [1.0], [2.0]) == {"mae": 1.0, "mse": 1.0, "rmse": 1.0, "r2": None}
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
    found = metrics.slices("binary", frame, ["origin", "colour"])
    assert {column: {value: row["count"] for value, row in table.items()} for column, table in found.items()} == {
        "origin": {"1": 2, "2": 1, "missing": 1},
        "colour": {"<b>": 1, "red": 2, "missing": 1},
    }
    assert found["origin"]["1"]["auc"] == 1.0
    assert found["origin"]["2"]["auc"] is None
    json.dumps(found, allow_nan=False)
