"""Evaluation: what is served is what was trained, on the same raw rows as the champion, and the label stays out."""

from __future__ import annotations

import dataclasses
import math

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf

import tasks
from components.evaluate import answers, blessing, honesty_checks, metrics, predictions, seen_in_training
from components.evaluate import step as evaluate
from components.evaluate.explain import as_asked, explain, past_gates
from components.examples import example_bytes, parse
from components.serving import trained_answers, versions
from components.serving.export import export
from components.serving.preprocessing import Preprocessing
from components.storage import atomic_files
from components.train.first_test_rows import answered
from components.transform import step as transform
from tasks import METRICS, Bar, Category, Date, Metric, Model, Number, Train


@pytest.fixture
def trained(plane, plane_rows, write_examples, tmp_path):
    """An untrained line, saved and exported as the train step does it."""
    keras.utils.set_random_seed(0)
    examples = write_examples(plane, tmp_path / "examples", {"train": plane_rows, "test": plane_rows[:9]})
    transform.analyse(plane, plane.preprocess, examples, str(tmp_path / "graph"), [])
    model = plane.models["line"].build()
    finish(plane, model, tmp_path)
    return tmp_path


def finish(task, model, folder):
    """What the train step leaves of a model."""
    preprocessing = Preprocessing(str(folder / "graph"))
    answers = answered(task, "line", model, preprocessing, str(folder / "examples"))
    trained_answers.write(folder / trained_answers.FILE, *answers)
    export(task, "line", model, preprocessing, folder / "serving")


def split_of_test(examples):
    return parse.Split(str(examples), "test")


def equality(task, trained):
    served = predictions.ServedModel(trained / "serving")
    return evaluate.prove_equal(task, served, split_of_test(trained / "examples"), str(trained))


def test_the_served_path_equals_the_trained_path(plane, trained):
    assert equality(plane, trained)["rows"] == 9
    assert equality(plane, trained)["largest_difference"] < 1e-5


def test_a_served_model_that_answers_otherwise_stops_the_run(plane, trained):
    other = plane.models["line"].build()
    other.set_weights([weights + 0.01 for weights in other.get_weights()])
    export(plane, "line", other, Preprocessing(str(trained / "graph")), trained / "serving")
    with pytest.raises(RuntimeError, match="does not answer as the trained one"):
        equality(plane, trained)


def test_a_model_that_keras_does_not_run_from_a_file_is_compared_all_the_same(plane, trained):
    """A Lambda, and a frozen SavedModel: to load them Keras would have to be told that they may run."""
    frozen = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    frozen.export(trained / "frozen", verbose=False)
    inputs = keras.Input((2,), name="features")
    inner = keras.layers.TFSMLayer(str(trained / "frozen"), call_endpoint="serve")(inputs)
    strange = keras.Model(inputs, keras.layers.Dense(1)(keras.layers.Lambda(lambda x: x * 3)(inner)))
    strange.save(trained / "model.keras")
    with pytest.raises(ValueError, match="safe_mode=False"):
        keras.saving.load_model(trained / "model.keras")
    finish(plane, strange, trained)
    assert equality(plane, trained)["rows"] == 9


def test_answers_for_other_rows_prove_nothing(plane, trained, plane_rows, write_examples):
    write_examples(plane, trained / "others", {"test": plane_rows[:7]})
    served = predictions.ServedModel(trained / "serving")
    with pytest.raises(RuntimeError, match="other test rows"):
        evaluate.prove_equal(plane, served, split_of_test(trained / "others"), str(trained))


def test_requests_hold_the_features_and_nothing_else(plane, trained):
    for requests, *_ in parse.served_rows(plane, split_of_test(trained / "examples"), 4):
        for request in requests:
            example = tf.train.Example.FromString(request)
            assert set(example.features.feature) == {"a", "b", "side"}


def test_predictions_stand_beside_label_slices_and_champion(plane, trained):
    served = predictions.ServedModel(trained / "serving")
    path = str(trained / "predictions.parquet")
    assert predictions.write(plane, served, served, split_of_test(trained / "examples"), path) == 9
    frame = pd.read_parquet(path)
    assert list(frame) == ["row", "label", "slice_side", "prediction", "champion"]
    assert frame["row"].tolist() == list(range(9))
    assert frame["label"][3] == 3.0 + 2 * 3.0
    assert frame["slice_side"].tolist()[:2] == ["right", "left"]
    np.testing.assert_array_equal(frame["prediction"], frame["champion"])


def test_rows_read_a_few_at_a_time_are_answered_as_all_at_once(plane, trained, monkeypatch):
    served, files = predictions.ServedModel(trained / "serving"), []
    for piece in (example_bytes.PIECE, 150):
        monkeypatch.setattr(example_bytes, "PIECE", piece)
        monkeypatch.setattr(predictions, "BATCH", 4)  # the same for both: the model's own sums may depend on it
        files.append(trained / f"{piece}.parquet")
        predictions.write(plane, served, served, split_of_test(trained / "examples"), str(files[-1]))
    pd.testing.assert_frame_equal(*map(answers.read, files), check_exact=True)


@pytest.mark.parametrize(("values", "present"), [(("left", "right"), "left"), ((1, 2), 1)])
def test_rows_without_a_slices_value_are_a_slice_of_their_own(plane, trained, write_examples, values, present):
    task = dataclasses.replace(plane, features=(*plane.features[:2], Category("side", values, when_missing="keep")))
    rows = [{"a": 1.0, "b": 1.0, "y": 3.0, "side": value} for value in (None, present, None)]
    examples = write_examples(task, trained / "gaps", {"test": rows})
    transform.analyse(task, task.preprocess, examples, str(trained / "kept"), [])
    export(task, "line", task.models["line"].build(), Preprocessing(str(trained / "kept")), trained / "keeping")
    path = str(trained / "p.parquet")
    predictions.write(task, predictions.ServedModel(trained / "keeping"), None, parse.Split(examples, "test"), path)
    found = {value: len(group) for value, group in metrics.groups(pd.read_parquet(path), "side")}
    assert found == {str(present): 1, "missing": 2}


def test_an_empty_test_split_is_a_sentence(plane, trained, write_examples, tmp_path):
    served = predictions.ServedModel(trained / "serving")
    empty = write_examples(plane, tmp_path / "empty", {"test": []})
    with pytest.raises(ValueError, match="test split has no rows"):
        predictions.write(plane, served, None, parse.Split(empty, "test"), str(tmp_path / "none.parquet"))


def trained_on(rows):
    return {"rows": {"train": rows}}


def test_the_checks_of_honesty_see_rows_of_train_and_which_test_rows_stand_there(plane, trained, monkeypatch):
    examples, test_ids = str(trained / "examples"), np.array([70, 5, 39, -3, 5])
    for piece in (example_bytes.PIECE, 100):  # bytes: a record or two
        monkeypatch.setattr(example_bytes, "PIECE", piece)
        saw = seen_in_training.look(plane, examples, test_ids, trained_on(40))
        assert {split: ids.tolist() for split, ids in saw["seen"].items()} == {"train": [5, 39], "eval": []}
        assert honesty_checks.in_train(test_ids, saw["seen"]["train"], "train").startswith("3 of 5 test rows")
        assert saw["features"]["a"][:9].tolist() == [0, 1, 2, 3, 4, 5, 6, 0, 1]
        assert saw["features"]["side"][:2].tolist() == [b"right", b"left"]
        assert saw["known_label"][3] == 3.0 + 2 * 3.0
    with pytest.raises(RuntimeError, match="tell of 41 rows of train, where 40 stand"):
        seen_in_training.look(plane, examples, test_ids, trained_on(41))


def test_the_columns_of_chosen_rows(plane, trained, monkeypatch):
    examples, chosen = str(trained / "examples"), np.array([0, 6, 7, 13, 39])
    for piece in (example_bytes.PIECE, 400, 1):
        monkeypatch.setattr(example_bytes, "PIECE", piece)
        features, label = parse.some_columns(plane, parse.Split(examples, "train"), plane.features[:1], chosen)
        assert features["a"].tolist() == [0, 6, 0, 6, 4]
        assert label.tolist() == [0, 8, 4, 12, 12]
    features, label = parse.some_columns(plane, parse.Split(examples, "eval"), plane.features[:1], np.arange(0))
    assert (len(features["a"]), len(label)) == (0, 0)


def test_a_leak_in_data_ordered_by_label_is_found(plane, write_examples, tmp_path, monkeypatch):
    """All rows of one label stand before those of the other."""
    monkeypatch.setattr(seen_in_training, "LOOKED_AT", 300)
    task = dataclasses.replace(plane, label=Category("y", (0, 1)), gate=(Bar("auc", 0.5),))
    rows = [{"a": float(at >= 500), "b": 1.0, "side": "left", "y": int(at >= 500)} for at in range(1000)]
    examples = write_examples(task, tmp_path / "ordered", {"train": rows, "test": []})
    saw = seen_in_training.look(task, examples, np.zeros(0, np.int64), trained_on(1000))
    assert len(saw["known_label"]) == 300
    assert "given away by a" in honesty_checks.giveaways(task, saw["features"], saw["known_label"])


def test_an_evaluation_that_cannot_be_believed_stops_the_run():
    findings = [
        {"check": "a", "passed": True, "problem": ""},
        {"check": "b", "passed": False, "problem": "b is wrong."},
    ]
    evaluate.stop_if_dishonest({"honesty": findings[:1]})
    with pytest.raises(RuntimeError, match=r"cannot be believed. b is wrong."):
        evaluate.stop_if_dishonest({"honesty": findings})


@pytest.fixture
def leaky(auto_mpg, write_examples, tmp_path, monkeypatch):
    """The cars with their label among the features, in other units, and an untrained model of them."""
    task = dataclasses.replace(auto_mpg, features=(*auto_mpg.features, Number("economy", about="km per litre")))
    monkeypatch.setattr(tasks, "get", lambda name: task)
    ((cars,),) = (part.read() for part in task.sample())
    rows = cars.assign(economy=(cars["mpg"] * 0.425144).round(1)).dropna().to_dict("records")
    rows = [{**row, "origin": int(row["origin"])} for row in rows]
    splits = {"train": rows[:250], "eval": rows[250:300], "test": rows[300:]}
    examples = write_examples(task, tmp_path / "examples", splits)
    transform.analyse(task, task.preprocess, examples, str(tmp_path / "graph"), [])
    model = task.models["mlp"].build()
    (tmp_path / "model").mkdir()
    preprocessing = Preprocessing(str(tmp_path / "graph"))
    answers = answered(task, "mlp", model, preprocessing, examples)
    trained_answers.write(tmp_path / "model" / trained_answers.FILE, *answers)
    export(task, "mlp", model, preprocessing, tmp_path / "model" / "serving")
    for name, content in {
        "anomalies": [],
        "statistics": trained_on(250),
        "model/history": {},
        "model/training": {},
    }.items():
        atomic_files.write_json(tmp_path / f"{name}.json", content)
    return tmp_path


def test_the_leak_of_the_tutorial_stops_the_run_and_leaves_the_report(leaky):
    classification = {}
    written = {name: str(leaky / name) for name in ("predictions", "blessing", "verdict", "report", "model")}
    given = {name: str(leaky / f"{name}.json") for name in ("anomalies", "statistics")}
    with pytest.raises(RuntimeError, match="The label mpg is given away by economy") as stopped:
        evaluate.run(
            task="auto_mpg", model_name="mlp", data="sample", destination=str(leaky / "serving"), champion="",
            examples=str(leaky / "examples"), transform_graph=str(leaky / "graph"), metrics={},
            classification=classification, **written, **given,
        )  # fmt: skip
    # The rows of these examples are numbered from 0 in each split, which is a second reason.
    assert "test rows also stand in the train split" in str(stopped.value)
    assert atomic_files.read_json(leaky / "blessing")["blessed"] is False
    assert "given away by economy" in (leaky / "verdict").read_text()
    assert "Can this evaluation be believed?" in (leaky / "report").read_text()
    assert classification == {}


def test_a_champion_that_cannot_be_read_stops_the_run(trained, tmp_path):
    version = versions.add(tmp_path / "served", "plane", trained / "serving", {"provenance.json": {}})
    (version.path / "saved_model.pb").write_bytes(b"broken")
    pushed = versions.versions(tmp_path / "served", "plane")
    with pytest.raises(ValueError, match="cannot be loaded"):
        evaluate.load_champion(evaluate.find_champion(pushed, "1:00"))
    with pytest.raises(ValueError, match="no longer at the destination"):
        evaluate.find_champion(pushed, "2:00")
    assert evaluate.find_champion(pushed, "") is None


def test_another_model_of_the_same_rows_is_one_to_improve_upon(trained, tmp_path):
    origin = {"provenance.json": {"fingerprint": "f00d"}}
    version = versions.add(tmp_path / "served", "plane", trained / "serving", origin)
    answers = pd.DataFrame({"prediction": [1.0, 2.0], "champion": [1.0, 2.5]})
    assert evaluate.is_experiment(version, {"fingerprint": "f00d"}, answers)
    assert not evaluate.is_experiment(version, {"fingerprint": "cafe"}, answers)
    assert not evaluate.is_experiment(version, {"fingerprint": "f00d"}, answers.assign(champion=[1.0, 2.0]))
    unknown = versions.add(tmp_path / "served", "plane", trained / "serving", {"provenance.json": {}})
    assert not evaluate.is_experiment(unknown, {}, answers)


def test_a_champion_of_other_features_stops_the_run(plane, trained, tmp_path):
    class Other(tf.Module):
        @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
        def serve(self, examples):
            return {"something": tf.strings.length(examples)}

    other = Other()
    tf.saved_model.save(other, str(tmp_path / "other"), signatures={"serving_default": other.serve})
    rivals = [predictions.ServedModel(trained / "serving"), predictions.ServedModel(tmp_path / "other")]
    with pytest.raises(ValueError, match="cannot answer this task's rows"):
        predictions.write(plane, *rivals, split_of_test(trained / "examples"), str(tmp_path / "p.parquet"))


SIZES = ("small", "medium", "large")


def size_of(a):
    return SIZES[min(int(a) // 2, 2)]


def two_answers():
    """A size by its class and by another's guess, and two numbers that speak of something else."""
    inputs = keras.Input((2,), name="features")
    softmax = {name: keras.layers.Dense(3, "softmax", name=name)(inputs) for name in ("size", "guess")}
    return keras.Model(inputs, softmax | {"place": keras.layers.Dense(2, name="place")(inputs)})


@pytest.fixture
def sizes(plane):
    train = Train(epochs=1, loss="mse")
    return dataclasses.replace(
        plane, label=Category("size", SIZES), gate=(Bar("accuracy", 0.1),), slices=(),
        models={"two": Model(two_answers, train, outputs=("size", "guess", "place"))},
    )  # fmt: skip


@pytest.fixture
def sized(sizes, plane_rows, write_examples, tmp_path):
    """An untrained model of three classes, exported, and raw rows."""
    keras.utils.set_random_seed(0)
    rows = [{**row, "size": size_of(row["a"])} for row in plane_rows]
    examples = write_examples(sizes, tmp_path / "examples", {"train": rows, "test": rows[:9]})
    transform.analyse(sizes, sizes.preprocess, examples, str(tmp_path / "graph"), [])
    export(sizes, "two", two_answers(), Preprocessing(str(tmp_path / "graph")), tmp_path / "serving")
    return tmp_path


def test_further_outputs_of_a_classifier_are_served_whole_and_scored_where_they_fit(sizes, sized):
    path = sized / "predictions.parquet"
    predictions.write(
        sizes, predictions.ServedModel(sized / "serving"), None, split_of_test(sized / "examples"), str(path)
    )
    frame = pd.read_parquet(path)
    assert [len(frame[f"prediction{name}"][0]) for name in ("", "_guess", "_place")] == [3, 3, 2]
    assert sum(frame["prediction_guess"][0]) == pytest.approx(1, abs=1e-5)
    measured = blessing.document(sizes, frame)["metrics"]
    assert list(measured) == [f"{name}{of}" for of in ("", "_guess") for name in METRICS["classes"]]


def of_label(task, *values):
    return dataclasses.replace(task, label=Category("size", values))


@pytest.mark.parametrize("values", [SIZES[::-1], ("tiny", "huge", "vast"), (*SIZES, "huge")])
def test_a_champion_of_other_classes_stops_the_run(sizes, sized, values):
    served = predictions.ServedModel(sized / "serving")
    with pytest.raises(ValueError, match=r"cannot answer this task's rows.*other values of the label 'size'"):
        predictions.write(
            of_label(sizes, *values), served, served, split_of_test(sized / "examples"), str(sized / "p.parquet")
        )


def test_the_provenance_tells_what_a_champion_means_by_its_probability(sizes, sized, plane_rows, write_examples):
    model = keras.Sequential([keras.Input((2,), name="features"), keras.layers.Dense(1, "sigmoid")])
    two = dataclasses.replace(of_label(sizes, "small", "large"), models={"line": Model(lambda: model, Train(epochs=1))})
    examples = write_examples(two, sized / "two", {"test": [{**row, "size": "small"} for row in plane_rows]})
    export(two, "line", model, Preprocessing(str(sized / "graph")), sized / "new")
    origin = {"provenance.json": {"label_values": ["small", "large"]}}
    version = versions.add(sized / "served", "plane", sized / "new", origin)
    champion = evaluate.load_champion(version)
    asked = (predictions.ServedModel(sized / "new"), champion, parse.Split(examples, "test"), str(sized / "p.parquet"))
    assert predictions.write(two, *asked) == 40
    with pytest.raises(ValueError, match="other values of the label 'size'"):
        predictions.write(of_label(two, "large", "small"), *asked)


def test_labels_are_positions_among_the_declared_values():
    task = dataclasses.replace(tasks.get("auto_mpg"), label=Category("kind", ("no", "yes")), gate=(Bar("auc", 0.5),))
    assert parse.encoded_label(task, tf.constant(["yes", "no"])).numpy().tolist() == [1, 0]


def test_missing_values_parse_to_what_the_preprocessing_expects(plane):
    parsed = tf.io.parse_example([b""], parse.parsing_spec(plane.features))
    assert math.isnan(parsed["a"][0])
    assert parsed["side"][0] == b""


def explained(task, trained):
    served, test = predictions.ServedModel(trained / "serving"), split_of_test(trained / "examples")
    predictions.write(task, served, None, test, str(trained / "p.parquet"))
    return explain(task, served, test, pd.read_parquet(trained / "p.parquet"), {})


def test_features_are_explained_by_asking_the_served_model_and_always_alike(plane, trained):
    found = explained(plane, trained)
    spreads = {one.feature: one.spread > 0 for one in found.importances}
    assert spreads == {"a": True, "b": True, "side": False}
    assert ("side", 0.0, 0.0) in found.importances  # which the preprocessing leaves out
    assert found.rows.tolist() == list(range(9))
    assert set(found.columns) == {"a", "b", "side"}
    assert explained(plane, trained).importances == found.importances

    def of_the_left(labels, predicted, rows):
        left = (rows["side"] == "left").to_numpy()
        return np.abs(labels - predicted)[left].mean()

    own = dataclasses.replace(
        plane, metrics={"left": Metric(of_the_left, higher_is_better=False)}, gate=(Bar("left", 100.0),)
    )
    assert {one.feature for one in explained(own, trained).importances} == {"a", "b", "side"}


def test_the_served_model_is_asked_for_dates_as_text(plane):
    task = dataclasses.replace(plane, features=(*plane.features, Date("when", when_missing="keep")))
    asked = as_asked(task, {"a": np.array([1.0, 2.0]), "when": np.array([86_400.5, np.nan])})
    assert asked["when"].tolist() == [b"1970-01-02T00:00:00.5Z", b""]
    assert asked["a"].tolist() == [1.0, 2.0]


def test_the_gates_of_versions_up_to_the_champion():
    def version(number, **about):
        return versions.Version(number, "", about)

    whole, sliced = {"metric": "mae", "where": "", "value": 1.5}, {"metric": "mae", "where": "side: left", "value": 9.0}
    served = [version(1), version(2, gate=[whole, sliced]), version(3, gate=["odd"]), version(4, gate=[whole])]
    assert past_gates(served, "3:ab") == [{"version": 2, "bars": {"mae": whole}}]
    assert past_gates(served, "") == []
    assert len(past_gates([version(n, gate=[whole]) for n in range(1, 100)], "99:ab")) == 30
