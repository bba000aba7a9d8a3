"""Retraining on growing data: what is judged on was never trained on, drift is told, and nothing new costs nothing."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from repository import ROOT

from components.ingest import merge_parts
from components.ingest import step as ingest
from components.ingest.worker import split_rows
from components.reading import assign_split, row_ids
from components.reading.sources import source_parts
from components.resolve import step as resolve
from components.serving.versions import Version
from components.validate import step as validate
from pipelines.commands import run_summary
from pipelines.local import run
from tasks import Number, Splits


def _day(folder: Path, day: int) -> None:
    random = np.random.default_rng(day)
    rows = [f"{random.normal():.6f},{random.normal():.6f},left,{random.normal():.3f}" for _ in range(40)]
    # A tenth of the rows came the day before, too, some with another label.
    if day > 1:
        rows += (folder / f"day-{day - 1:02d}.csv").read_text().splitlines()[1:5]
    (folder / f"day-{day:02d}.csv").write_text("\n".join(["a,b,side,y", *rows]) + "\n")


def _ids(examples: Path, split: str) -> set[int]:
    from components.examples.parse import row_ids

    return set(row_ids(str(examples), split).tolist())


def test_while_data_grow_no_row_that_is_judged_on_was_ever_trained_on(plane: Any, tmp_path: Path) -> None:
    trained: set[int] = set()
    judged: set[int] = set()
    for day in range(1, 6):
        _day(tmp_path, day)
        examples = tmp_path / f"examples-{day}"
        found = ingest.ingest(plane, source_parts(plane, str(tmp_path / "day-*.csv")), examples, [])
        assert found["rows"]["test"] >= 3 * day
        assert _ids(examples, "train") >= trained  # rows stay where they were
        assert _ids(examples, "test") >= judged
        trained, judged = _ids(examples, "train"), _ids(examples, "test")
        assert not judged & (trained | _ids(examples, "eval"))


def test_a_row_s_split_hangs_on_nothing_but_the_row() -> None:
    ids = np.random.default_rng(0).integers(0, 2**63, 10_000).astype(np.uint64)
    whole = split_rows(Splits(), None, ids)
    for start in range(0, len(ids), 777):
        np.testing.assert_array_equal(split_rows(Splits(), None, ids[start : start + 777]), whole[start : start + 777])


def _rule(**changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = {"features": (Number("a"), Number("b")), "splits": Splits(), "named": ()}
    return assign_split.rule(**(given | changes))


def test_the_rule_of_the_splits_is_told_and_changes_with_whatever_moves_a_row(monkeypatch: pytest.MonkeyPatch) -> None:
    rule = _rule()
    assert rule["shares"] == [0.64, 0.16, 0.2]
    # Stable for ever: a change of this constant means that every champion was split by another rule.
    assert rule["hash"] == _rule(features=(Number("c"),))["hash"] == "6f4e35730016eb9f"
    assert rule != _rule(features=(Number("a"),))
    assert rule != _rule(splits=Splits(train=0.5, eval=0.3, test=0.2))
    assert rule != _rule(named=("test",))
    monkeypatch.setattr(row_ids, "START", row_ids.START + np.uint64(1))
    assert _rule()["hash"] != rule["hash"]


def test_a_champion_of_other_splits_is_told(plane: Any) -> None:
    told = list(
        validate._split_rule({"splits": _rule()}, {"splits": _rule(splits=Splits(train=0.5, eval=0.3, test=0.2))})
    )
    assert [anomaly.severity for anomaly in told] == ["warning"]
    assert told[0].received == "another shares"
    assert "may have been trained on rows that both models are judged by" in told[0].what
    assert list(validate._split_rule({"splits": _rule()}, {"splits": _rule()})) == []
    assert list(validate._split_rule({"splits": _rule()}, None)) == []
    unknown = next(validate._split_rule({"splits": _rule()}, {"rows": {}}))
    assert unknown.received == "a serving model that does not tell its rule"


def test_what_serves_already_and_what_a_warm_start_takes() -> None:
    versions = [
        Version(1, Path("/serving/boats/1"), {"inputs": "one", "champion": "", "model_sha256": "aa"}),
        Version(2, Path("/serving/boats/2"), {"inputs": "two", "champion": "1:aa", "model_sha256": "bb"}),
    ]
    assert resolve.already_serving(versions, "two") == 2
    assert resolve.already_serving(versions, "one") == 0  # only the newest serves
    assert resolve.already_serving([], "two") == 0
    assert resolve.starting_point(versions, resolve.champion(versions, "three")) == "/serving/boats/2#bb"
    # Once more with the inputs of version 2: from where that one started, so its training is kept.
    assert resolve.starting_point(versions, resolve.champion(versions, "two")) == "/serving/boats/1#aa"
    assert resolve.starting_point([], "") == ""


def test_a_warm_start_is_part_of_the_inputs_but_not_from_where() -> None:
    cold = resolve.inputs_hash("boats", "mlp", "state", 0, {}, "code")
    warm = resolve.inputs_hash("boats", "mlp", "state", 0, {}, "code", True)
    assert cold == resolve.inputs_hash("boats", "mlp", "state", 0, {}, "code", False) != warm


def test_small_shards_that_come_later_change_only_the_last_group() -> None:
    sizes = {"a": 3 << 20, "b": 4 << 20, "c": 2 << 20, "d": 9 << 20, "e": 1 << 20, "f": 1 << 20}
    before = merge_parts.groups(list("abcde"), sizes.__getitem__)
    after = merge_parts.groups(list("abcdef"), sizes.__getitem__)
    assert before == [["a", "b"], ["c"], ["d"], ["e"]]
    assert after == [["a", "b"], ["c"], ["d"], ["e", "f"]]


def test_a_rejected_model_that_is_served_already_was_not_forced() -> None:
    facts = {
        "blessed": False, "reasons": ["mae 3 is above the bar 2"], "nothing_new": False, "version": 1,
        "pushed": "/serving/boats/1", "parameters": {"force": ""},
    }  # fmt: skip
    said = "the gate rejected the model, which is served already; nothing was pushed:"
    assert run_summary.verdict(facts) == [
        said,
        "  - mae 3 is above the bar 2",
        "version 1 is served from /serving/boats/1",
    ]
    assert not run.cleared(facts)
    assert run.cleared({**facts, "nothing_new": True})
    forced = {**facts, "parameters": {"force": "because"}}
    assert run_summary.verdict(forced)[0] == "pushed by force, past the gate:"
    assert run.cleared(forced)


def test_the_summary_tells_nothing_new_and_drift() -> None:
    facts = {
        "run": "boats-2", "task": "boats", "model": "mlp", "data": "boats.csv", "status": "done", "blessed": True,
        "pushed": "/serving/boats/1", "version": 1, "nothing_new": True,
        "warnings": ["length: The values have drifted."],
    }  # fmt: skip
    said = run_summary.summary(facts)
    assert "nothing new: version 1 already serves this, from /serving/boats/1" in said
    assert "  warning: length: The values have drifted." in said
    assert "version 1 is served" in run_summary.summary({**facts, "nothing_new": False})


@pytest.mark.slow
def test_five_days_of_retraining(tmp_path: Path) -> None:
    spec = importlib.util.spec_from_file_location("month", ROOT / "benchmarks" / "month.py")
    assert spec is not None
    assert spec.loader is not None
    month = importlib.util.module_from_spec(spec)
    sys.modules["month"] = month
    spec.loader.exec_module(month)
    days = month.play(tmp_path, month.SHORT, 5)
    month.check(days)
    assert [day.outcome for day in days] == ["pushed", "nothing new", "nothing new", "pushed", "stopped"]
