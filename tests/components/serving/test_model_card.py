"""The model card: words and tables from literal papers."""

from __future__ import annotations

from typing import Any

from components.serving import model_card
from tasks import Task

BAR = {"metric": "mae", "where": "", "bar": 10.0, "higher_is_better": False, "value": 1.5, "interval": [1.0, 2.0]}
BLESSING: dict[str, Any] = {
    "model_name": "line", "rows": 40, "champion": "4:beef", "metrics": {"mae": 1.5}, "reasons": [],
    "bars": [{**BAR, "champion": 1.25, "passed": True}],
    "slices": {"side": {"left": {"count": 29, "mae": 1.0}, "a|b": {"count": 30, "mae": None}}},
}  # fmt: skip
STATISTICS: dict[str, Any] = {
    "fingerprint": "f00d", "source": {"kind": "sample", "parts": 1, "snapshot": "5a9"},
    "rows": {"eval": 1, "test": 40, "train": 2000}, "rejected": {"count": 1200},
    "columns": {"a": {"train": {"min": 0.0, "max": 6.0}}},
}  # fmt: skip
PROVENANCE = {"run": "plane-3", "git": "0123abc", "parameters": {"seed": "7"}, "force": "because"}
REHEARSAL = {
    "passed": True, "cases": ["a", "b"], "largest_difference": 1e-7,
    "memory": {"model_mib": 9.5, "tensorflow_mib": 700.0},
    "latency": {"1": {"p50_ms": 0.25, "p99_ms": 0.5}, "1000": {"p50_ms": 1.0, "p99_ms": 2.0}},
}  # fmt: skip


def written(task: Task, **changes: Any) -> str:
    papers = {"blessing": BLESSING, "statistics": STATISTICS, "provenance": PROVENANCE, "rehearsal": REHEARSAL}
    return model_card.markdown(task, "plane", **(papers | changes))


def test_the_card_has_its_parts_in_order(plane: Task) -> None:
    heads = [line for line in written(plane).splitlines() if line.startswith("#")]
    assert heads == [
        "# plane / line", "## What it is for", "## Data", "## Scores", "## Scores by slice", "## Limits", "## Serving",
        "## Where it comes from",
    ]  # fmt: skip


def test_what_it_says_is_of_this_run(plane: Task) -> None:
    said = written(plane)
    for words in (
        "A plane.",
        "| b | number | served, not trained on |  |",
        "| train | 2,000 |\n| eval | 1 |\n| test | 40 |",
        "| mae | ≤ 10 | 1.5 | 1 to 2 | 1.25 | pass |",
        "Champion: version 4.",
        "| left | 29 | 1 |\n| a\\|b | 30 | — |",
        "| 1,000 | 1 | 2 |",
        "| run | plane-3 |",
        "| seed | 7 |",
    ):
        assert words in said


def test_limits_come_from_the_run(plane: Task) -> None:
    limits = list(model_card.limits(plane, BLESSING | {"reasons": ["mae is above the bar"]}, STATISTICS, PROVENANCE))
    assert limits == [
        "It was trained and judged on synthetic data: its scores say nothing about the real problem.",
        "It was pushed past the gate, by force: because.",
        "The gate has this against it: mae is above the bar",
        "It was judged on 40 rows only; another test split could well give other scores.",
        "Little is known about these values of side, for want of test rows: left (29).",
        "It answers rows without b, but learned from none.",
        "It knows these values of side only: left, right.",
        "Beyond what it was trained on it extrapolates. The training data span: a 0 to 6.",
        "1,200 rows of the source could not be used; the model was neither trained nor judged on them.",
    ]


def test_a_failed_serving_check_is_told(plane: Task) -> None:
    said = written(plane, rehearsal={"passed": False, "reasons": ["Asked with an empty text, it fails."]})
    assert "It did not pass the serving check: Asked with an empty text, it fails." in said
