"""Analysing only what is new: old shards' rows are not read again, and the graph is that of a full analysis."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft

from components.serving.preprocessing import Preprocessing
from components.transform import beam_analysis, kept_analyses

ROWS = 25


@pytest.fixture
def grown(write_examples: Callable[..., str], plane: Any, tmp_path: Path) -> Callable[[Sequence[int]], str]:
    """The examples of these days, each a shard of 25 rows."""

    def write(days: Sequence[int]) -> str:
        target = tmp_path / ("examples-" + "-".join(map(str, days)))
        if target.exists():
            return str(target)
        (target / "train").mkdir(parents=True)
        for number, day in enumerate(days):
            random = np.random.default_rng(day)
            rows = [
                {"a": float(random.normal(day)), "b": float(random.normal()), "side": "left", "y": 1.0}
                for _ in range(ROWS)
            ]
            folder = Path(write_examples(plane, tmp_path / f"{target.name}-{day}", {"train": rows}))
            shard = next((folder / "train").iterdir())
            shutil.move(shard, target / "train" / f"examples-{number:05d}-of-{len(days):05d}.tfrecord.gz")
        return str(target)

    return write


def _scaled(graph: Path) -> np.ndarray:
    row = {"a": tf.constant([0.5, 7.0]), "b": tf.constant([1.0, -2.0]), "side": tf.constant(["left", "left"])}
    return Preprocessing(str(graph)).dense(row)["features"].numpy()


@pytest.mark.slow
def test_old_shards_are_not_read_again_and_the_graph_is_the_same(plane: Any, grown: Any, tmp_path: Path) -> None:
    place = str(tmp_path / "analysis")

    def read(days: Sequence[int], place: str = place) -> int:
        output = tmp_path / "graph"
        shutil.rmtree(output, ignore_errors=True)
        return beam_analysis.analyse(plane, plane.preprocess, grown(days), str(output), [], place)

    def unread(days: Sequence[int]) -> int:
        plan = kept_analyses.plan(sorted(map(str, (Path(grown(days)) / "train").iterdir())), place)
        return len(plan.new) + len(plan.open)

    assert read([1, 2, 3]) == 3 * ROWS  # 3 is the last shard, to which more may be added
    assert read([1, 2, 3, 4]) == 2 * ROWS
    assert unread([1, 2, 3, 4]) == 1
    assert read([1, 2, 3, 4, 5, 6]) == 3 * ROWS
    by_spans = _scaled(tmp_path / "graph")
    assert read([1, 2, 3, 4, 5, 6], place="") == 6 * ROWS
    np.testing.assert_allclose(by_spans, _scaled(tmp_path / "graph"), rtol=1e-6)
    # A shard of another content: what it was analysed with is read again, and nothing else.
    assert read([1, 2, 33, 4, 5, 6]) == 2 * ROWS
    assert unread([9, 2, 33, 4, 5, 6]) == 3


def _words(features: dict[str, Any]) -> dict[str, Any]:
    from transforms import text

    return {"features": text.pad(text.ids(text.words(features["side"]), 8), 3)}


@pytest.mark.slow
def test_vocabularies_come_out_the_same(plane: Any, grown: Any, tmp_path: Path) -> None:
    place, found = str(tmp_path / "analysis"), []
    for number, (days, where) in enumerate([([1, 2], place), ([1, 2, 3], place), ([1, 2, 3], "")]):
        output = tmp_path / f"graph-{number}"
        read = beam_analysis.analyse(plane, _words, grown(days), str(output), [], where)
        assert read == [50, 50, 75][number]
        found.append(tft.TFTransformOutput(str(output)).vocabulary_by_name("words"))
    assert found[1] == found[2] == [b"left"]


@pytest.mark.slow
def test_statistics_that_build_on_others_see_all_rows(plane: Any, grown: Any, tmp_path: Path) -> None:
    def twice(features: dict[str, Any]) -> dict[str, Any]:
        centred = features["a"] - tft.mean(features["a"])
        return {"features": centred / tft.mean(centred * centred)}

    def read(place: str) -> int:
        output = tmp_path / "graph"
        shutil.rmtree(output, ignore_errors=True)
        return beam_analysis.analyse(plane, twice, grown([1, 2, 3]), str(output), [], place)

    place = tmp_path / "analysis"
    assert read(str(place)) == read("")
    assert not place.exists()


def test_a_single_shard_is_simply_read(plane: Any, grown: Any, tmp_path: Path) -> None:
    place = tmp_path / "analysis"
    assert beam_analysis.analyse(plane, plane.preprocess, grown([1]), str(tmp_path / "graph"), [], str(place)) == ROWS
    assert not place.exists()


def test_blocks_are_whole_or_not_used(tmp_path: Path) -> None:
    place = str(tmp_path)
    shard = [tmp_path / f"shard-{number}" for number in range(4)]
    for number, path in enumerate(shard):
        path.write_bytes(bytes([number]))
    names = [kept_analyses._content(str(path)) for path in shard]
    block = kept_analyses.keep(place, names[:2], {b"mean": [b"\x00\xff", b"2"]})
    assert kept_analyses.read(block) == {b"mean": [b"\x00\xff", b"2"]}
    plan = kept_analyses.plan([str(path) for path in shard], place)
    assert [Path(kept).name for kept in plan.kept] == [f"file://{block}".rpartition("/")[2]]
    assert list(plan.new.values()) == [str(shard[2])]
    assert plan.open == (str(shard[3]),)
    assert kept_analyses.plan([str(path) for path in shard[1:]], place).kept == ()

    Path(block).write_bytes(Path(block).read_bytes()[:-1])
    with pytest.raises(ValueError, match="is damaged"):
        kept_analyses.read(block)
    assert kept_analyses.plan([str(path) for path in shard], place).kept == ()


def test_the_place_hangs_on_code_and_settings(tmp_path: Path) -> None:
    place = beam_analysis.place_of(str(tmp_path), "auto_mpg", {})
    assert place.startswith(f"{tmp_path}/auto_mpg-")
    assert beam_analysis.place_of(str(tmp_path), "auto_mpg", {"preprocess.words": "5"}) != place
    assert beam_analysis.place_of("", "auto_mpg", {}) == ""


def test_of_equal_shards_each_counts(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("0", "1", "2", "3")]
    for path, content in zip(paths, (b"monday", b"tuesday", b"monday", b"open"), strict=True):
        path.write_bytes(content)
    found = kept_analyses.plan([str(path) for path in paths], str(tmp_path / "analysis"))
    assert sorted(found.new.values()) == [str(paths[0]), str(paths[1])]
    assert found.open == (str(paths[2]), str(paths[3]))
