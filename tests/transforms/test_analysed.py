"""What needs statistics of the train split, through tf.Transform on a few literal rows."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_transform as tft
from sklearn.preprocessing import StandardScaler

from components.serving.preprocessing import Preprocessing
from components.transform import step as transform
from tasks import Bar, Model, Number, Part, Task, Text, Train
from transforms import scaling, text

NAN = math.nan
ROWS = [
    {"a": 1.0, "b": 10.0, "c": 5.0, "review": "the film the film the end", "y": 0.0},
    {"a": 2.0, "b": None, "c": 5.0, "review": "The film; a GOOD one", "y": 0.0},
    {"a": 3.0, "b": 30.0, "c": 5.0, "review": "good", "y": 0.0},
    {"a": 6.0, "b": 50.0, "c": None, "review": "", "y": 0.0},
]


def preprocess(features: dict[str, Any]) -> dict[str, Any]:
    numbers = [features["a"], features["b"], features["c"]]
    ids = text.ids(text.words(features["review"]), size=7)
    text.vocabulary(text.tokens(features["review"]), 100, "tokens")
    return {
        "z": scaling.z_score(numbers),
        "range": scaling.min_max(numbers),
        "share": scaling.min_max([features["a"]], 0.0, 1.0),
        "padded": text.pad(ids, 4),
        "hot": text.multi_hot(ids, 7),
    }


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory, write_examples: Callable[..., str]) -> str:
    return analysed(preprocess, ROWS, tmp_path_factory.mktemp("analysed"), write_examples)


def analysed(
    preprocess: transform.Preprocess,
    rows: Sequence[Mapping[str, Any]],
    folder: Path,
    write_examples: Callable[..., str],
) -> str:
    """The graph that comes of these rows."""
    task = Task(
        about="Literal rows",
        features=tuple(Text(name) if name == "review" else Number(name) for name in rows[0] if name != "y"),
        label=Number("y"),
        sample=lambda: (Part(name="none", read=lambda: ()),),
        preprocess=preprocess,
        models={"none": Model(lambda: None, Train(epochs=1))},
        gate=(Bar("mae", 1.0),),
    )
    examples = write_examples(task, folder / "examples", {"train": rows})
    transform.analyse(task, preprocess, examples, str(folder / "graph"), [])
    return str(folder / "graph")


@pytest.fixture(scope="module")
def outputs(graph: str) -> dict[str, Any]:
    """The same rows through the graph, and a row of extremes."""
    rows = [*ROWS, {"a": None, "b": math.inf, "c": 7.0, "review": "unheard of " * 9}]
    features = {
        name: tf.constant([NAN if row[name] is None else row[name] for row in rows]) for name in ("a", "b", "c")
    }
    return Preprocessing(graph).graph({**features, "review": tf.constant([row["review"] for row in rows])})


def test_z_scores_are_those_of_the_present_values(outputs: dict[str, Any]) -> None:
    a, b = StandardScaler().fit([[1], [2], [3], [6]]), StandardScaler().fit([[10], [30], [50]])
    np.testing.assert_allclose(outputs["z"][:4, 0], a.transform([[1], [2], [3], [6]])[:, 0], rtol=1e-5)
    np.testing.assert_allclose(outputs["z"][:4:2, 1], b.transform([[10], [30]])[:, 0], rtol=1e-5)


def test_a_missing_value_is_the_mean(outputs: dict[str, Any]) -> None:
    assert outputs["z"][1, 1] == 0
    assert outputs["z"][4, :2].numpy().tolist() == [0, 0]  # neither given, nor finite


def test_a_constant_column_is_nought(outputs: dict[str, Any]) -> None:
    assert outputs["z"][:, 2].numpy().tolist() == [0, 0, 0, 0, 0]


def test_min_max(outputs: dict[str, Any]) -> None:
    np.testing.assert_allclose(outputs["range"][:4, 0], [-1, -0.6, -0.2, 1], atol=1e-6)
    np.testing.assert_allclose(outputs["range"][:4, 1], [-1, 0, 0, 1], atol=1e-6)
    np.testing.assert_allclose(outputs["share"][:4, 0], [0, 0.2, 0.4, 1], atol=1e-6)


def test_the_vocabulary_is_sorted_by_frequency(graph: str) -> None:
    vocabulary = tft.TFTransformOutput(graph).vocabulary_by_name("words")
    assert vocabulary == [b"the", b"film", b"good"]  # size 7: four ids are reserved


def test_a_vocabulary_that_no_output_uses_is_kept(graph: str) -> None:
    assert set(tft.TFTransformOutput(graph).vocabulary_by_name("tokens")) == {
        *(b"the", b"film", b"end", b"The", b"film;", b"a", b"GOOD", b"one", b"good")
    }


def test_a_vocabulary_is_that_of_tf_transform(tmp_path: Path, write_examples: Callable[..., str]) -> None:
    rows = [{"review": review, "y": 0.0} for review in ("b a  b \n c", "a\nb c\r \r\n d\te é", " ", "d\te a é ü")]
    sizes = (4, 100)

    def both(features: dict[str, Any]) -> dict[str, Any]:
        tokens = text.tokens(features["review"])
        for size in sizes:
            text.vocabulary(tokens, size, f"ours-{size}")
            tft.vocabulary(tokens.flat_values, top_k=size, vocab_filename=f"theirs-{size}")
        return dict(features)

    found = tft.TFTransformOutput(analysed(both, rows, tmp_path, write_examples))
    for size in sizes:
        assert found.vocabulary_by_name(f"ours-{size}") == found.vocabulary_by_name(f"theirs-{size}")


def test_without_any_word_none_is_known(tmp_path: Path, write_examples: Callable[..., str]) -> None:
    rows = [{"review": "  ", "y": 0.0}]
    graph = analysed(lambda features: {"ids": ids_of(features["review"])}, rows, tmp_path, write_examples)
    ids = Preprocessing(graph).graph({"review": tf.constant(["", "a word"])})["ids"]
    assert ids.numpy().tolist() == [[1, 0], [1, 2]]


def ids_of(review: tf.Tensor) -> tf.Tensor:
    return text.pad(text.ids(text.words(review), size=7), 2)


def test_ids_begin_with_the_start_mark_and_count_from_four(outputs: dict[str, Any]) -> None:
    assert outputs["padded"].numpy().tolist() == [[1, 4, 5, 4], [1, 4, 5, 2], [1, 6, 0, 0], [1, 0, 0, 0], [1, 2, 2, 2]]


def test_multi_hot_of_ids(outputs: dict[str, Any]) -> None:
    dense = tf.sparse.to_dense(outputs["hot"]).numpy().tolist()
    assert dense[:3] == [[0, 1, 1, 0, 1, 1, 0], [0, 1, 1, 0, 1, 1, 1], [0, 1, 0, 0, 0, 0, 1]]
    assert dense[3:] == [[0, 1, 0, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0, 0]]
