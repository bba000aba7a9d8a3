"""Both models measured on the same rows, and judged, overall and slice by slice."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from components.evaluate import blessing, kubeflow_metrics, metrics
from components.storage import atomic_files
from tasks import Bar, Category, Kind, Model, Number, Task, Train

LABELS = {"regression": Number("y"), "binary": Category("y", ("no", "yes")), "classes": Category("y", ("a", "b", "c"))}
SIDES = ("left", "right", "middle")


def make(kind: Kind, *gate: Bar) -> Task:
    return Task(
        about="A trial",
        features=(Number("x"), Category("side", SIDES)),
        label=LABELS[kind],
        sample=lambda: (),
        preprocess=lambda features: features,
        models={"m": Model(lambda: None, Train(epochs=1))},
        gate=gate,
        slices=("side",),
    )


def errors(ours: float, theirs: float, *, rows: int = 200, side: str = "left", apart: float = 0.5) -> pd.DataFrame:
    """Rows of label 0 that both models miss by about so much."""
    noise = np.random.RandomState(0).normal(0, apart, (2, rows))
    noise -= noise.mean(axis=1, keepdims=True)
    predictions = dict(zip(("prediction", "champion"), np.add([[ours], [theirs]], noise), strict=True))
    return pd.DataFrame({"row": range(rows), "label": 0.0, "slice_side": side, **predictions})


def bars(task: Task, frame: pd.DataFrame) -> dict[str, tuple[bool | None, str]]:
    return {bar["where"]: (bar["passed"], bar["reason"]) for bar in blessing.document(task, frame)["bars"]}


def test_a_first_model_is_held_to_the_bars_alone() -> None:
    task = make("regression", Bar("mae", 5.0))
    document = blessing.document(task, errors(4.0, 0.0).drop(columns="champion"))
    assert document["blessed"] is True
    assert document["champion_metrics"] is None
    assert document["bars"][0]["champion"] is document["bars"][0]["difference"] is None


def test_a_loss_within_the_tolerance_passes_if_the_data_are_new_and_not_if_they_are_the_same() -> None:
    task, frame = make("regression", Bar("mae", 9.0, tolerance=0.5), Bar("rmse", 9.0, tolerance=0.5)), errors(4.3, 4.0)
    assert blessing.document(task, frame)["blessed"] is True
    again = blessing.document(task, frame, same_data=True)
    assert (again["blessed"], again["same_data"]) == (False, True)
    assert [bar["passed"] for bar in again["bars"]] == [False, True]  # the first bar says which is better
    assert blessing.document(task, errors(3.9, 4.0), same_data=True)["blessed"] is True
    assert blessing.document(make("regression", Bar("mae", 9.0)), errors(4.01, 4.0))["blessed"] is False


def test_a_champion_that_is_better_on_one_slice_keeps_its_place() -> None:
    frame = pd.concat(
        [errors(3.0, 4.0, side="left"), errors(4.5, 4.0, side="right"), errors(9, 1, rows=9, side="middle")]
    )
    found = bars(make("regression", Bar("mae", 9.0, slices=("side",))), frame)
    assert {where: passed for where, (passed, _) in found.items()} == {
        "": True, "side: left": True, "side: right": False, "side: middle": None,
    }  # fmt: skip
    assert found["side: right"][1].startswith("mae (side: right) 4.")
    assert found["side: middle"][1] == "mae (side: middle) is not judged: 9 rows, fewer than 50"
    assert bars(make("regression", Bar("mae", 9.0)), frame).keys() == {""}


def test_accuracy_is_compared_by_the_rows_that_only_one_model_gets_right() -> None:
    label = np.tile([0, 1], 100)
    ours, theirs = label.astype(float).copy(), label.astype(float).copy()
    theirs[:2], ours[2:9] = 1 - theirs[:2], 1 - ours[2:9]
    frame = pd.DataFrame(
        {"row": range(200), "label": label, "slice_side": "left", "prediction": ours, "champion": theirs}
    )
    _, bar = blessing.document(make("binary", Bar("accuracy", 0.5, slices=("side",))), frame)["bars"]
    assert bar["p_value"] == pytest.approx(0.1094, abs=1e-4)  # 2 against 7: 0.1797 by the exact test
    assert bar["passed"] is True
    assert bar["interval"] == pytest.approx((0.9295, 0.9829), abs=2e-4)
    less_sure = Bar("accuracy", 0.5, slices=("side",), confidence=0.8)
    _, bar = blessing.document(make("binary", less_sure), frame)["bars"]
    assert bar["passed"] is False


@pytest.mark.parametrize("kind", ["regression", "binary", "classes"])
def test_every_metric_has_its_interval(kind: Kind) -> None:
    random = np.random.RandomState(0)
    label = {
        "regression": random.normal(size=90),
        "binary": random.randint(0, 2, 90),
        "classes": random.randint(0, 3, 90),
    }
    prediction = list(random.dirichlet([1, 1, 1], 90)) if kind == "classes" else random.rand(90)
    frame = pd.DataFrame({"row": range(90), "label": label[kind], "prediction": prediction, "slice_side": "left"})
    document = blessing.document(make(kind, Bar("mae" if kind == "regression" else "accuracy", 0.0)), frame)
    assert document["intervals"].keys() == metrics.METRICS[kind].keys()
    assert (document["intervals"].pop("top3_accuracy", None)) is None  # of three classes it says nothing
    for name, (low, high) in document["intervals"].items():
        assert low < document["metrics"][name] < high


@pytest.mark.parametrize("broken", ["prediction", "champion"])
def test_predictions_that_are_not_finite_are_no_reason_to_bless(broken: str) -> None:
    frame = errors(1.0, 1.0)
    frame.loc[3, broken] = np.nan
    document = blessing.document(make("regression", Bar("mae", 5.0)), frame)
    assert document["blessed"] is False
    assert "could not be computed" in document["reasons"][0]
    assert (document["intervals"]["mae"] is None) is (broken == "prediction")


def test_the_same_predictions_make_the_same_bytes(tmp_path) -> None:
    task = make("regression", Bar("mae", 9.0, slices=("side",)))
    for name in "ab":
        atomic_files.write_json(tmp_path / name, blessing.document(task, errors(4.1, 4.0)))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()
    assert json.loads((tmp_path / "a").read_text())["bars"][0]["interval"][0] < 4.1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"higher_is_better": True}, "Of mae, less is better"),
        ({"slices": ("weight",)}, "slices are among the task's"),
        ({"confidence": 1.0}, "confidence is from 0.5"),
        ({"confidence": 95}, "confidence is from 0.5"),
        ({"minimum_rows": 0}, "minimum_rows is at least 1"),
    ],
)
def test_a_bar_that_makes_no_sense_is_refused(changes: dict, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make("regression", Bar("mae", 1.0, **changes))
    make("regression", Bar("mae", 1.0, higher_is_better=False))


def test_what_kubeflow_draws_is_what_its_own_functions_write() -> None:
    from kfp.dsl import ClassificationMetrics
    from sklearn.metrics import roc_curve

    label, prediction = np.array([0, 1, 1, 0, 1]), np.array([0.2, 0.9, 0.4, 0.3, 1.0], np.float32)
    frame = pd.DataFrame({"label": label, "prediction": prediction})
    found = kubeflow_metrics.describe(make("binary", Bar("auc", 0.5)), frame)
    expected = ClassificationMetrics()
    expected.log_confusion_matrix(["no", "yes"], [[2, 0], [1, 2]])
    false, true, threshold = roc_curve(label, prediction)
    expected.log_roc_curve(false.tolist(), true.tolist(), [min(float(at), 1.0) for at in threshold])
    assert found == expected.metadata
    json.dumps(found, allow_nan=False)


def test_kubeflow_draws_a_matrix_of_classes_and_nothing_of_numbers() -> None:
    frame = pd.DataFrame({"label": [0, 1, 2], "prediction": list(np.eye(3)[[0, 2, 2]])})
    found = kubeflow_metrics.describe(make("classes", Bar("accuracy", 0.5)), frame)
    assert found == {"confusionMatrix": {
        "annotationSpecs": [{"displayName": name} for name in "abc"],
        "rows": [{"row": [1, 0, 0]}, {"row": [0, 0, 1]}, {"row": [0, 0, 1]}],
    }}  # fmt: skip
    assert kubeflow_metrics.describe(make("regression", Bar("mae", 1.0)), errors(1, 1)) == {}
    broken = pd.DataFrame({"label": [0, 1], "prediction": [np.nan, 1.0]})
    assert kubeflow_metrics.describe(make("binary", Bar("auc", 0.5)), broken) == {}


def test_a_roc_curve_stays_small() -> None:
    random = np.random.RandomState(0)
    frame = pd.DataFrame({"label": random.randint(0, 2, 5000), "prediction": random.rand(5000)})
    points = kubeflow_metrics.describe(make("binary", Bar("auc", 0.5)), frame)["confidenceMetrics"]
    assert len(points) == kubeflow_metrics.CORNERS
    assert points[0] == {"confidenceThreshold": 1.0, "recall": 0.0, "falsePositiveRate": 0.0}
    assert (points[-1]["recall"], points[-1]["falsePositiveRate"]) == (1.0, 1.0)
