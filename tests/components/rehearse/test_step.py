"""The serving check: a clean process, real and awkward rows, and what is said of models that cannot be served."""

from __future__ import annotations

import dataclasses
import errno
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import prediction_log_pb2

from components import warm_process
from components.examples.parse import parsed
from components.push import step as push
from components.rehearse import awkward_requests, clean_process
from components.rehearse import step as rehearse
from components.serving import trained_answers
from components.serving.export import Served, export
from components.serving.preprocessing import Preprocessing
from components.train.first_test_rows import answered
from components.transform import step as transform
from pipelines.local.warm_server import WarmServer
from tasks import Category, Image, Number, Text


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("rehearse")


@pytest.fixture
def exported(plane, plane_rows, write_examples, place: Path) -> Path:
    """A line, as the steps before leave it."""
    if not (place / trained_answers.FILE).exists():
        keras.utils.set_random_seed(0)
        examples = write_examples(plane, place / "examples", {"train": plane_rows, "test": plane_rows[:9]})
        transform.analyse(plane, plane.preprocess, examples, str(place / "graph"), [])
        model = plane.models["line"].build()
        model.save(place / "model.keras")
        export(plane, "line", model, Preprocessing(str(place / "graph")), place / "serving")
        answers = answered(plane, "line", model, Preprocessing(str(place / "graph")), examples)
        trained_answers.write(place / trained_answers.FILE, *answers)
    return place


@pytest.fixture(scope="module")
def tensorflow_loaded(place: Path) -> Iterator[str]:
    """A process that has imported TensorFlow alone, from which others are forked, as a run has it."""
    server = WarmServer(place / "log")
    server.start_clean()
    yield server.clean
    server.stop()


@pytest.fixture
def forked(tensorflow_loaded: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(warm_process.CLEAN_PROCESS, tensorflow_loaded)


def tried(task: Any, place: Path, folder: Path, model: Path | None = None) -> dict[str, Any]:
    return rehearse.tried(task, "plane", model or place, str(place / "examples"), folder)


@pytest.mark.slow
def test_a_good_model_passes_and_leaves_its_measures_and_warm_up_requests(plane, exported, tmp_path):
    document = tried(plane, exported, tmp_path)
    assert (document["passed"], document["loaded"], document["reasons"]) == (True, True, [])
    assert document["cases"] == ["one row at a time", "1,000 rows at once", "without b", "with an unseen side"]
    assert document["loaders"] == {"python": "", "session": ""}
    assert document["largest_difference"] < 1e-5
    assert document["rows"] == 9
    assert set(document["latency"]) == {1, 1000}
    assert all(0 < found["p50_ms"] <= found["p99_ms"] for found in document["latency"].values())
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tf_serving_warmup_requests"]
    model = tf.saved_model.load(str(exported / "serving"))
    sizes = []
    for record in tf.data.TFRecordDataset(str(tmp_path / "tf_serving_warmup_requests")).as_numpy_iterator():
        request = prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        inputs = {name: tf.constant(tf.make_ndarray(tensor)) for name, tensor in request.inputs.items()}
        answer = model.signatures[request.model_spec.signature_name](**inputs)["prediction"]
        sizes.append((request.model_spec.name, request.model_spec.signature_name, len(answer)))
    both = ("serving_default", "features")
    assert sizes == [("plane", signature, size) for signature in both for size in (1, 32)]


@pytest.mark.slow
def test_a_model_that_cannot_be_loaded(plane, exported, tmp_path, forked):
    (tmp_path / "serving").mkdir()
    (tmp_path / "serving" / "saved_model.pb").write_text("no model")
    shutil.copy(exported / trained_answers.FILE, tmp_path)
    document = tried(plane, exported, tmp_path, model=tmp_path)
    assert (document["passed"], document["loaded"]) == (False, False)
    python, session = document["reasons"]
    assert python.startswith("The exported model does not answer through Python's loader: OSError: Cannot parse file")
    assert session.startswith("The exported model does not answer through the session loader, which TensorFlow Serving")
    assert not (tmp_path / "tf_serving_warmup_requests").exists()


def as_before(plane: Any, place: Path, path: Path) -> None:
    """The export that no server could answer from: a Keras model hung on a module as it is."""
    served = Served(plane, "line", keras.saving.load_model(place / "model.keras"), Preprocessing(str(place / "graph")))
    module = tf.Module()
    module.model, module.preprocessing = served.model, served.preprocessing
    raw = {"a": tf.float32, "b": tf.float32, "side": tf.string}
    by_example = tf.function(served.examples, [tf.TensorSpec([None], tf.string, "examples")], autograph=False)
    by_name = tf.function(served.features, autograph=False).get_concrete_function(
        **{name: tf.TensorSpec([None], dtype, name) for name, dtype in raw.items()}
    )
    tf.saved_model.save(module, str(path), signatures={"serving_default": by_example, "features": by_name})


@pytest.mark.slow
def test_a_model_that_answers_python_alone_is_not_pushed(plane, exported, tmp_path, forked):
    as_before(plane, exported, tmp_path / "serving")
    shutil.copy(exported / trained_answers.FILE, tmp_path)
    folder = tmp_path / "rehearsal"
    folder.mkdir()
    document = tried(plane, exported, folder, model=tmp_path)
    assert (document["passed"], document["loaded"]) == (False, False)
    [reason] = document["reasons"]
    assert reason.startswith(
        "The exported model does not answer through the session loader, which TensorFlow Serving, Java, C and Go use: "
        "serving_default: FailedPreconditionError: "
    )
    assert reason.endswith(" It does through Python's loader.")
    assert document["largest_difference"] < 1e-5
    assert push.not_rehearsed(document, document["model_sha256"]) == [reason]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "was killed by SIGKILL (memory may have run out)"),
        ("import sys; sys.exit('terminate called after throwing std::bad_alloc')", "ended with status 1: terminate"),
        ("import time; time.sleep(60)", "had not answered after 3 seconds"),
    ],
)
def test_an_accident_of_the_process_fails_the_step(plane, exported, tmp_path, monkeypatch, code, words):
    (tmp_path / "process.py").write_text(code)
    monkeypatch.setattr(clean_process, "__file__", str(tmp_path / "process.py"))
    monkeypatch.setattr(rehearse, "SECONDS", 3)
    with pytest.raises(RuntimeError, match=re.escape(words)):
        tried(plane, exported, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [False, True])
def test_the_model_is_asked_on_the_processor(plane, exported, tmp_path, monkeypatch, request, kept):
    """As the trained model was; no test machine has a GPU, so what is seen is that the process would find none."""
    (tmp_path / "process.py").write_text(
        "import os, sys; print(os.environ['CUDA_VISIBLE_DEVICES'], file=sys.stderr); sys.exit(1)"
    )
    monkeypatch.setattr(clean_process, "__file__", str(tmp_path / "process.py"))
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    if kept:
        request.getfixturevalue("forked")
    with pytest.raises(RuntimeError, match="ended with status 1: -1"):
        tried(plane, exported, tmp_path)


@pytest.mark.slow
def test_a_full_disk_fails_the_step(plane, exported, tmp_path, monkeypatch, forked):
    monkeypatch.setattr(rehearse, "WARMUP", "/dev/full")
    with pytest.raises(RuntimeError, match=r"No space left on device.*So nothing is known of the model"):
        tried(plane, exported, tmp_path)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (MemoryError("std::bad_alloc"), True),
        (OSError(errno.ENOSPC, "No space left on device"), True),
        (tf.errors.ResourceExhaustedError(None, None, "answers.pickle; No space left on device"), True),
        (RuntimeError("can't start new thread"), True),
        (OSError("Cannot parse file b'saved_model.pb': Error parsing message"), False),
        (tf.errors.FailedPreconditionError(None, None, "Could not find variable dense_1/kernel"), False),
        (KeyError("features"), False),
    ],
)
def test_what_the_machine_lacks_is_told_from_what_the_model_does(error, expected):
    assert clean_process.is_accident(tf, error) is expected


class Awkward(tf.Module):
    """Has none of the care that ours takes."""

    @tf.function(input_signature=[tf.TensorSpec([None], tf.string, "examples")])
    def examples(self, examples: tf.Tensor) -> dict[str, tf.Tensor]:
        spec = {"a": tf.float32, "b": tf.float32, "side": tf.string}
        missing = {"a": float("nan"), "b": float("nan"), "side": ""}
        fixed = {name: tf.io.FixedLenFeature([], dtype, missing[name]) for name, dtype in spec.items()}
        return self.predict(**tf.io.parse_example(examples, fixed))

    @tf.function(
        input_signature=[
            tf.TensorSpec([None], tf.float32, "a"),
            tf.TensorSpec([None], tf.float32, "b"),
            tf.TensorSpec([None], tf.string, "side"),
        ]
    )
    def features(self, a: tf.Tensor, b: tf.Tensor, side: tf.Tensor) -> dict[str, tf.Tensor]:
        return {"prediction": self.predict(a, b, side)["prediction"] + 1}

    def predict(self, a: tf.Tensor, b: tf.Tensor, side: tf.Tensor) -> dict[str, tf.Tensor]:
        known = tf.debugging.assert_equal(tf.strings.regex_full_match(side, "left|right"), True, "no such side")
        with tf.control_dependencies([known]):
            return {"prediction": a + 2 * b}


@pytest.mark.slow
def test_every_fault_of_a_model_is_a_reason(plane, exported, tmp_path, forked):
    model = Awkward()
    signatures = {"serving_default": model.examples, "features": model.features}
    tf.saved_model.save(model, str(tmp_path / "serving"), signatures=signatures)
    for _, label, row in parsed(plane, str(exported / "examples"), "test", 9):
        trained_answers.write(tmp_path / trained_answers.FILE, row.numpy(), label.numpy())
    document = tried(plane, exported, tmp_path, model=tmp_path)
    assert (document["passed"], document["loaded"], document["largest_difference"]) == (False, True, 1.0)
    said = "\n".join(document["reasons"])
    assert "The signature features, asked one row at a time, gives another prediction than the trained model." in said
    assert "Received: a difference of 1." in said
    assert "Asked 1,000 rows at once, the two signatures answer differently" in said
    assert "Asked without b, the exported model's prediction is no finite number: nan." in said
    assert "Asked with an unseen side, the exported model fails: serving_default: InvalidArgumentError" in said


def test_a_model_of_other_examples_is_refused(plane, exported, tmp_path):
    rows, answers = trained_answers.read(exported / trained_answers.FILE)
    trained_answers.write(tmp_path / trained_answers.FILE, rows[::-1], answers)
    with pytest.raises(RuntimeError, match="trained beside other test rows"):
        tried(plane, exported, tmp_path, model=tmp_path)


def test_a_further_output_is_the_same_whoever_is_asked(plane):
    alike, other = {"prediction": [np.ones(2)], "low": [np.zeros(2)]}, {"prediction": [np.ones(2)], "low": [np.ones(2)]}
    case = {"error": "", "serving_default": alike, "features": alike}
    answers = {"ours": [], "loaders": {}, "cases": {"1,000 rows at once": case}}
    assert rehearse.problems(plane, answers, np.ones(2)) == []
    answers["cases"]["by the session loader"] = {"error": "", "serving_default": alike, "features": other}
    first, *_ = rehearse.problems(plane, answers, np.ones(2))
    assert first == (
        "The signature features, asked by the session loader, gives another low than serving_default, asked 1,000 rows "
        "at once. Expected equal values to 1e-05. Received: a difference of 1."
    )


@pytest.mark.parametrize(
    ("feature", "values"),
    [
        (Category("c", (3, 7)), [("an unseen", 8)]),
        (Category("c", ("x", "y")), [("an unseen", b"never seen before")]),
        (Number("n"), []),
        (Number("n", minimum=1, maximum=9), [("the least", 1.0), ("the greatest", 9.0)]),
        (Image("i", (1, 2)), [("a black", b"\0\0"), ("a white", b"\xff\xff")]),
    ],
)
def test_what_is_odd_about_a_feature(feature, values):
    assert list(awkward_requests.odd(feature)) == values


def test_texts_are_empty_very_long_and_foreign():
    texts = dict(awkward_requests.odd(Text("t")))
    assert {name: len(text) for name, text in texts.items() if name != "a foreign"} == {
        "an empty": 0,
        "a very long": 100_000,
    }
    assert "長" in texts["a foreign"].decode()


def test_what_is_optional_is_left_out_alone_and_together(plane):
    optional = dataclasses.replace(plane, features=(Number("a", when_missing="keep"), *plane.features[1:]))
    row = {"a": 1.0, "b": 2.0, "side": b"left"}
    found = dict(awkward_requests.awkward(optional, row))
    assert found["without a"] == {"b": 2.0, "side": b"left"}
    assert found["without anything optional"] == {"side": b"left"}
    assert found["with an unseen side"] == {**row, "side": b"never seen before"}


def test_rows_are_repeated_to_a_batch():
    rows = [{"a": number} for number in range(3)]
    assert [row["a"] for row in clean_process.repeated(rows, 5, start=2)] == [2, 0, 1, 2, 0]


def test_the_client_is_a_program_without_our_code_and_the_step_without_tensorflow():
    path = Path(clean_process.__file__)
    code = f"import runpy, sys; runpy.run_path({str(path)!r}); print(*sys.modules)"
    said = subprocess.run([sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"components", "tasks", "tensorflow", "numpy"} & set(said.split())
    code = "import sys; from components.rehearse import step; print('tensorflow' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], cwd=path.parents[2], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
