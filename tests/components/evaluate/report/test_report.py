from __future__ import annotations

import io
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from repository import ROOT

from components.evaluate import gate, metrics
from components.evaluate.explained import Explained
from components.evaluate.gate import Finding, Measured
from components.evaluate.importance import Importance
from components.evaluate.report import html, report
from components.evaluate.report.sample_rows_page import PNG, png
from tasks import METRICS, Bar, Category, Feature, Image, Kind, Model, Number, Task, Text, Train

HOSTILE = "</style><script>alert('x')</script><img src=http://evil.example/x onerror=alert(1)>\x00\u202e\ud800"
VOID = {"br", "img", "meta"}


class Page(HTMLParser):
    """The page's elements with their attributes, and its text; elements that do not close properly are refused."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text, self._open = "", [""]
        self.feed(source)
        assert self._open == [""]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += f"{data} " if self._open[-1] != "style" else ""

    def named(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def make_task(label: Number | Category, *features: Feature, slices: tuple[str, ...] = (), metric: str = "") -> Task:
    kind: Kind = "regression" if isinstance(label, Number) else "binary" if len(label.values) == 2 else "classes"
    return Task(
        about="What is learned",
        features=features,
        label=label,
        sample=lambda: (),
        preprocess=lambda features: features,
        models={"mlp": Model(lambda: None, Train(epochs=1))},
        gate=(Bar(metric or next(iter(METRICS[kind])), 0.5),),
        slices=slices,
    )


CARS = make_task(
    Number("mpg", about="miles per gallon"),
    Number("weight"),
    Category("origin", (1, 2), names=("USA", "Europe")),
    slices=("origin",),
)
REVIEWS = make_task(Category("label", (0, 1), names=("negative", "positive")), Text("text"))
CLOTHES = make_task(Category("label", (0, 1, 2), names=("Shirt", "Bag", "Boot")), Image("image", (28, 28)))

NUMBERS = {"count": 9, "missing": 0, "min": 1.0, "max": 9.0, "mean": 5.0, "std": 2.0, "quantiles": list(range(101))}
VALUES = {"count": 9, "missing": 1, "top": [[1, 6], [2, 2]]}


def cars(rows: int = 40) -> pd.DataFrame:
    truth = np.linspace(10, 40, rows)
    origin = np.where(np.arange(rows) % 2, "USA", "Europe")
    predictions = truth + np.sin(np.arange(rows))
    return pd.DataFrame({"row": range(rows), "label": truth, "prediction": predictions, "slice_origin": origin})


def reviews(rows: int = 40) -> pd.DataFrame:
    probability = np.linspace(0, 1, rows)
    label = (np.arange(rows) % 5 < 3).astype(int)
    return pd.DataFrame({"row": range(rows), "label": label, "prediction": probability, "champion": probability**2})


def clothes(rows: int = 40) -> pd.DataFrame:
    probabilities = np.random.RandomState(0).dirichlet([1, 1, 1], rows).astype(np.float32)
    return pd.DataFrame({"row": range(rows), "label": np.arange(rows) % 3, "prediction": list(probabilities)})


def write(path: Path, task: Task, predictions: pd.DataFrame, **changes: Any) -> tuple[Page, str]:
    values = metrics.table(task.kind, predictions)
    rival = (
        metrics.score(task.kind, predictions["label"], predictions["champion"]) if "champion" in predictions else None
    )
    judged = [
        gate.judge(
            bar,
            METRICS[task.kind][bar.metric],
            Measured(rows=len(predictions), value=values[bar.metric], interval=(0.25, 0.875),
                     champion=rival[bar.metric] if rival else None),
            rival=rival is not None,
            confidence=bar.confidence,
        )
        for bar in task.gate
    ]  # fmt: skip
    blessing = gate.blessing(
        judged,
        changes.pop("findings", [Finding("all is well")]),
        intervals=dict.fromkeys(values, (0.125, 0.625)),
        task="trial",
        model_name="mlp",
        model_sha256="ab" * 32,
        champion="3:cd" if rival else "",
        metrics=values,
        champion_metrics=rival,
        slices=metrics.slices(
            lambda rows: metrics.score(task.kind, rows["label"], rows["prediction"]), predictions, task.slices
        ),
        rows=len(predictions),
        equality={"rows": 9, "largest_difference": 2e-7},
    )
    statistics = {
        "source": {"kind": "real", "parts": 1, "snapshot": "5a"},
        "fingerprint": "f00d",
        "rows": {"train": 64, "eval": 16, "test": 20},
        "rejected": {"count": 0, "reasons": {}, "examples": []},
        "columns": {
            column.name: {"train": VALUES if isinstance(column, Category) else NUMBERS} for column in task.columns
        },
    }
    given: dict[str, Any] = {
        "data": "real",
        "blessing": blessing,
        "statistics": statistics,
        "anomalies": [],
        "history": {"loss": [1.0, 0.5, None], "val_loss": [1.1, 0.6, 0.5], "learning_rate": [0.1, 0.1, 0.1]},
        "training": {
            "epochs": 3,
            "best_epoch": 3,
            "seconds": 1.5,
            "devices": ["CPU:0"],
            "settings": {"batch_size": 32},
        },
    }
    given |= {"samples": {}, "read": {}, "explained": Explained(), "past": (), "force": ""} | changes
    if isinstance(given["samples"], list):
        given["samples"] = dict(enumerate(given["samples"]))
    report.write(path, task=task, model_name="mlp", predictions=predictions, **given)
    source = path.read_text(encoding="utf-8")
    return Page(source), source


def texts(count: int) -> list[dict[str, Any]]:
    return [{"text": f"review {i} {'word ' * 200}".encode()} for i in range(count)]


@pytest.mark.parametrize(
    ("task", "predictions", "sections", "figures"),
    [(CARS, cars(), 6, 4), (REVIEWS, reviews(), 6, 6), (CLOTHES, clothes(), 6, 3)],
)
def test_a_page_is_whole_and_needs_nothing_else(
    tmp_path: Path, task: Task, predictions: pd.DataFrame, sections: int, figures: int
) -> None:
    samples = [{"weight": 1.0, "origin": 1, "text": b"good", "image": bytes(784)}] * 9
    page, source = write(tmp_path / "deep" / "report.html", task, predictions, samples=samples)
    assert [attributes["id"] for attributes in page.named("section")] == [
        "gate", "evaluation", "examples", "training", "data", "model-card", "provenance",
    ]  # fmt: skip
    assert len(page.named("figure")) == len(page.named("figcaption")) == figures
    assert all(attributes["aria-label"] for attributes in page.named("svg"))
    assert not page.named("script")
    assert not page.named("link")
    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert all(value and value.startswith(("#", "data:image/png;base64,")) for value in addresses)
    assert "What is learned" in page.text
    assert "nan" not in page.text.lower().split()
    assert source.startswith("<!DOCTYPE html>")


def test_hostile_data_stay_text(tmp_path: Path) -> None:
    task = make_task(Category("label", ("a", HOSTILE)), Text("text"), slices=("label",))
    predictions = reviews().assign(slice_label=HOSTILE.encode(errors="replace").decode())
    statistics = {
        "source": {"kind": HOSTILE},
        "rows": {"train": 1, HOSTILE: 2},
        "rejected": {
            "count": 1,
            "reasons": {HOSTILE: 1},
            "examples": [dict.fromkeys(("position", "reason", "row"), HOSTILE)],
        },
        "columns": {"label": {"train": {"count": 1, "top": [[HOSTILE, 1]]}}},
    }  # fmt: skip
    page, source = write(
        tmp_path / "report.html",
        task,
        predictions,
        statistics=statistics,
        data=HOSTILE,
        anomalies=[dict.fromkeys(("severity", "column", "what", "expected", "received"), HOSTILE)],
        history={HOSTILE: [1.0], f"val_{HOSTILE}": [1.0]},
        training={
            "devices": [HOSTILE],
            "settings": {HOSTILE: HOSTILE},
            "layers": [{"name": HOSTILE, "kind": HOSTILE, "shape": HOSTILE, "weights": 1, "fitted": 0}],
        },
        explained=Explained(words={0: [(HOSTILE, 0.5)]}, importances=[Importance(HOSTILE, 1.0, 0.5)]),
        samples=[{"text": HOSTILE.encode(errors="replace")}] * 9,
        read=dict.fromkeys(range(9), HOSTILE),
    )
    assert not page.named("script")
    assert not page.named("img")
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert page.text.count("alert('x')") > 20
    assert source.count("</style>") == 1


def test_the_verdict_is_said_with_its_reasons(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "a.html", make_task(Number("mpg"), Number("weight"), metric="r2"), cars())
    assert "Clears the gate; not pushed yet" in page.text
    page, _ = write(tmp_path / "b.html", CARS, cars())
    assert "✗ Rejected by the gate" in page.text
    assert "is above the bar 0.5" in page.text
    assert "0.25 to 0.875" in page.text
    assert "0.125 to 0.625" in page.text


def test_what_was_checked_before_the_verdict_is_said(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "a.html", CARS, cars())
    assert "Checked before the verdict, and found so: all is well." in page.text
    findings = [Finding("all is well"), Finding("nothing leaks", "The label leaks.")]
    page, _ = write(tmp_path / "b.html", CARS, cars(), findings=findings)
    assert "Can this evaluation be believed?" in page.text
    assert page.text.count("The label leaks.") >= 2  # in the banner and in the table


@pytest.mark.parametrize(("kind", "said"), [("sample", True), ("real", False), ("user", False)])
def test_synthetic_data_are_announced(tmp_path: Path, kind: str, said: bool) -> None:
    page, _ = write(tmp_path / "x.html", CARS, cars(), statistics={"source": {"kind": kind}}, data=kind)
    assert ("Synthetic data." in page.text) is said


def test_rows_set_aside_and_anomalies_are_shown(tmp_path: Path) -> None:
    rejected = {"count": 2, "reasons": {"no weight": 2}, "examples": [{"position": "cars.csv:7", "reason": "no weight",
                "row": {"mpg": 1}}]}  # fmt: skip
    anomaly = {"severity": "warning", "column": "weight", "what": "drift", "expected": "0.25", "received": "0.31"}
    statistics = {"rows": {"train": 8}, "rejected": rejected}
    page, _ = write(tmp_path / "x.html", CARS, cars(), statistics=statistics, anomalies=[anomaly])
    for words in ("2 of 10 rows (20.0%)", "no weight", "cars.csv:7", "drift", "0.31"):
        assert words in page.text


def test_slices_and_categories_bear_their_names(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "x.html", CARS, cars(), samples=[{"weight": np.float32(2.5), "origin": np.int64(2)}])
    assert "USA 67%, Europe 22%" in page.text
    assert re.search(r"By origin.*Europe.*20.*USA.*20", page.text)
    assert re.search(r"Predicted weight origin.*2\.500 Europe", page.text)


def test_an_image_is_shown_from_pixels_an_array_or_a_file(tmp_path: Path) -> None:
    pixels = np.arange(784, dtype=np.uint8).reshape(28, 28)
    samples = [{"image": pixels}, {"image": pixels.tobytes()}, {"image": png(pixels)}, {"image": b"short"}]
    page, _ = write(tmp_path / "x.html", CLOTHES, clothes(), samples=samples)
    pictures = [attributes["src"] or "" for attributes in page.named("img")]
    assert len(pictures) == 3
    assert len(set(pictures)) == 1
    assert "no image" in page.text


def test_a_png_can_be_read_back() -> None:
    from PIL import Image as Reader

    pixels = np.random.RandomState(0).randint(0, 256, (5, 7)).astype(np.uint8)
    assert png(pixels).startswith(PNG)
    assert np.array_equal(np.asarray(Reader.open(io.BytesIO(png(pixels)))), pixels)


def test_right_and_wrong_are_told_apart(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "x.html", CLOTHES, clothes(), samples=[{"image": bytes(784)}] * 30)
    kinds = [attributes.get("class") for attributes in page.named("div")]
    assert kinds.count("card right") + kinds.count("card wrong") == 25
    assert kinds.count("card wrong") == page.text.count(", truly ") == 12
    assert kinds.count("bars") == 25


def test_the_worst_and_the_best_texts_are_shown_with_what_the_model_saw(tmp_path: Path) -> None:
    chosen = report.worth_showing(REVIEWS, reviews())
    everything = texts(40)
    page, _ = write(
        tmp_path / "x.html",
        REVIEWS,
        reviews(),
        samples={at: everything[at] for at in chosen},
        read={at: f"saw-{at}" for at in chosen},
    )
    worst, best = page.text.split("Best", 1)
    assert "review 1 " in worst  # positive, with a probability of 1 in 39
    assert "saw-1 " in worst
    assert "review 3 " not in worst  # negative, with a probability of 3 in 39
    assert "probability of positive: 2.6%" in worst
    assert best.count("The words the model saw") == 6


def test_what_is_worth_showing() -> None:
    predictions = pd.DataFrame({"label": np.zeros(100), "prediction": np.zeros(100)})
    predictions.loc[[70, 80], "prediction"] = [5.0, np.nan]
    chosen = report.worth_showing(CARS, predictions, first=3, worst=2, best=1)
    assert chosen == [0, 1, 2, 70, 80]
    assert report.worth_showing(CARS, predictions[:0]) == []
    assert len(report.worth_showing(CLOTHES, clothes(200))) > 24


@pytest.mark.parametrize(
    "predictions",
    [
        reviews().assign(label=1),
        reviews().assign(prediction=np.nan),
        reviews().assign(champion=np.nan),
        reviews(1),
    ],
)
def test_degenerate_predictions_still_make_a_page(tmp_path: Path, predictions: pd.DataFrame) -> None:
    page, _ = write(tmp_path / "x.html", REVIEWS, predictions, samples=texts(1))
    assert "Confusion matrix" in page.text


def test_a_page_without_statistics_or_history(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "x.html", CARS, cars(1), statistics={}, history={}, training={})
    assert "Errors" in page.text


def test_markdown_is_readable_as_text() -> None:
    accuracy, auc = Measured(rows=1200, value=0.9, interval=(0.88, 0.92)), Measured(rows=1200, value=None)
    slice_ = Measured(rows=7, value=0.5, interval=(0.25, 0.75), where="origin: x")
    judged = [
        gate.judge(Bar(metric, bar), True, found, rival=False, confidence=0.95)
        for metric, bar, found in (("accuracy", 0.8, accuracy), ("accuracy", 0.8, slice_), ("auc", 0.9, auc))
    ]
    blessing = gate.blessing(judged, [Finding("no", "It leaks.")], task="cars", model_name="a|b")
    title, _, *table, _, doubt, _, leak = report.markdown(blessing).splitlines()
    assert title == "**cars / a|b: rejected**"
    assert [line.rpartition(" | ")[0] for line in (table[0], *table[2:])] == [
        "| metric   | rows          | bar   | value | interval     | champion | verdict   ",
        "| accuracy | all (1,200)   | ≥ 0.8 | 0.9   | 0.88 to 0.92 | —        | pass      ",
        "| accuracy | origin: x (7) | ≥ 0.8 | 0.5   | 0.25 to 0.75 | —        | not judged",
        "| auc      | all (1,200)   | ≥ 0.9 | —     | —            | —        | fail      ",
    ]
    assert table[1] == "|----------|---------------|-------|-------|--------------|----------|------------|--------|"
    assert table[0].endswith(" | reason |")
    assert table[-1].endswith(" | auc could not be computed from this model's predictions |")
    assert (doubt, leak) == ("The evaluation cannot be believed:", "- It leaks.")


@pytest.mark.parametrize(
    ("value", "said"),
    [(None, "—"), (float("nan"), "—"), (3, "3"), (1234567, "1,234,567"), (0.123456, "0.1235"), (2.0, "2"),
     (12345.6, "12,346"), (1e-9, "1e-09"), (-0.5, "-0.5"), ("x", "x"), (True, "True")],
)  # fmt: skip
def test_numbers_are_written_for_people(value: object, said: str) -> None:
    assert html.number(value) == said


def test_only_tags_are_markup() -> None:
    assert (
        html.tag("p", "<b>", html.tag("b", "&"), title='"', hidden=False)
        == '<p title="&quot;">&lt;b&gt;<b>&amp;</b></p>'
    )


def test_the_page_of_many_rows_stays_small(tmp_path: Path) -> None:
    rows = 50_000
    random = np.random.RandomState(0)
    label = random.randint(0, 2, rows)
    predictions = pd.DataFrame({"label": label, "prediction": np.clip(random.normal(label, 0.5), 0, 1)})
    write(tmp_path / "x.html", REVIEWS, predictions, samples=texts(48))
    assert (tmp_path / "x.html").stat().st_size < 300_000


def test_the_report_needs_no_tensorflow() -> None:
    heavy = "{'tensorflow', 'keras', 'matplotlib'}"
    code = f"import sys; from components.evaluate.report import report; print({heavy} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert result.stdout == "set()\n"


@pytest.mark.parametrize(
    ("task", "predictions"),
    [(CARS, cars()), (REVIEWS, reviews()), (CLOTHES, clothes())],
)
def test_predictions_of_no_number_at_all_still_make_a_page(
    tmp_path: Path, task: Task, predictions: pd.DataFrame
) -> None:
    nothing = [np.full(3, np.nan)] * len(predictions) if task is CLOTHES else np.nan
    samples = [{"weight": 1.0, "origin": 1, "text": b"good", "image": bytes(784)}] * 9
    page, _ = write(tmp_path / "x.html", task, predictions.assign(prediction=nothing), samples=samples)
    assert "✗ Rejected" in page.text


def test_a_force_is_told(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "report.html", CARS, cars(), force="the old one is on fire")
    assert "The reason given: the old one is on fire" in page.text
    assert "Forced." not in write(tmp_path / "report.html", CARS, cars())[0].text


def test_a_text_is_shown_with_the_numbers_that_stood_beside_it(tmp_path: Path) -> None:
    task = make_task(
        Category("label", (0, 1), names=("negative", "positive")),
        Text("text"),
        Number("stars"),
        Category("shop", (1, 2), names=("Ulm", "Bonn")),
    )
    rows = [{**row, "stars": 4.5, "shop": 2} for row in texts(40)]
    page, _ = write(tmp_path / "x.html", task, reviews(), samples=rows)
    assert page.text.count("stars 4.5; shop Bonn") == 12


def test_the_worst_rows_are_those_of_all_test_rows(tmp_path: Path) -> None:
    rows = [{"weight": float(number), "origin": 1} for number in range(80)]
    predictions = pd.DataFrame({"label": np.arange(80.0), "prediction": np.zeros(80), "slice_origin": [1] * 80})
    chosen = report.worth_showing(CARS, predictions)
    page, _ = write(tmp_path / "x.html", CARS, predictions, samples={at: rows[at] for at in chosen})
    assert "The 10 of 80 test rows that it got most wrong." in page.text


def test_no_backtick_stands_in_the_page(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "x.html", REVIEWS, reviews())
    assert "`" not in page.text
    assert "It predicts  label  (" in page.text


def test_the_reasons_of_the_gate_are_no_column_that_a_narrow_screen_hides(tmp_path: Path) -> None:
    page, _ = write(tmp_path / "x.html", REVIEWS, reviews())
    assert "Reason" not in page.text
    assert "accuracy holds against the bar" in page.text


def test_of_rows_set_aside_that_are_not_all_kept_it_is_said_how_many_are(tmp_path: Path) -> None:
    rejected = {"count": 5000, "kept": 1000, "reasons": {"wrong number of fields": 5000}, "examples": []}
    page, _ = write(tmp_path / "x.html", REVIEWS, reviews(), statistics={"rows": {"train": 8}, "rejected": rejected})
    assert "Kept as they stood: the first 1,000 by file and reason." in page.text
