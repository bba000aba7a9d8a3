from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow as tf
from PIL import Image as Picture

import tasks
from components.examples import tfrecord
from components.predict import predict
from components.predict import write_answers as answers
from components.serving import pushed_model
from components.serving.output_names import main_output
from tasks import InputError

NAMES = "cylinders,displacement,horsepower,weight,acceleration,model_year,origin"
# The model of these tests divides the weight by 1,024; horsepower -1 makes it answer NaN.
CARS = f"{NAMES}\n8,307,130,3584,12,70,1\n4,97,much,2125,14.5,70,3\n\n4,97,,2048,14.5,70,3\n4,97\n4,97,-1,9,1,70,3\n"
ANSWERS: list[float | str] = [
    3.5,
    "line 3: horsepower is not a number: 'much'",
    2.0,
    "line 6: wrong number of fields: 2 instead of 7",
    "line 7: the model's answer is not a finite number",
]


def save(folder: Path, answer: Callable[..., dict[str, tf.Tensor]], dtypes: dict[str, tf.DType]) -> None:
    """A served model whose signature `features` is the function."""
    module = tf.Module()
    specs = {name: tf.TensorSpec([None], dtype, name) for name, dtype in dtypes.items()}
    function = tf.function(lambda **features: answer(**features), autograph=False).get_concrete_function(**specs)
    tf.saved_model.save(module, str(folder), signatures={"features": function})


def car(weight: tf.Tensor, horsepower: tf.Tensor, **_: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"prediction": weight / 1024 * tf.where(horsepower < 0, np.nan, 1.0)}


def review(text: tf.Tensor) -> dict[str, tf.Tensor]:
    return {"probability": tf.cast(tf.strings.length(text), tf.float32) / 8}


def clothes(image: tf.Tensor) -> dict[str, tf.Tensor]:
    first = tf.cast(tf.io.decode_raw(image, tf.uint8, fixed_length=784)[:, 0], tf.int64)
    label: Any = tasks.get("fashion_mnist").label
    return {"probabilities": tf.one_hot(first, 10) * 0.75, "class": tf.gather(tf.constant(label.names), first)}


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("serving")
    kinds = dict.fromkeys(NAMES.split(","), tf.float32) | {"origin": tf.int64}
    save(folder / "auto_mpg" / "1", car, kinds)
    save(folder / "imdb_padded" / "1", review, {"text": tf.string})
    save(folder / "fashion_mnist" / "1", clothes, {"image": tf.string})
    return folder


def ask(
    serving: Path, task: str, *given: Path | str, version: int | None = None, output: Path | None = None, **told: Any
) -> list[dict[str, Any]]:
    """The answers as they were printed; the numbers that `run` gives are checked against them."""
    stdout = io.BytesIO()
    names = [str(path) for path in given]
    counts = predict.run(
        task=task, given=names, serving=str(serving), version=version, output=output, stdout=stdout, **told
    )  # fmt: skip
    lines = [json.loads(line) for line in stdout.getvalue().splitlines()]
    if output is None:
        assert counts == (len(lines), sum("error" in line for line in lines))
    return lines


def say(monkeypatch: pytest.MonkeyPatch, content: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def check(lines: Sequence[dict[str, Any]], source: Path | str) -> None:
    expected = [
        {"prediction": answer} if isinstance(answer, float) else {"error": f"{source} {answer}"} for answer in ANSWERS
    ]
    assert lines == expected


def test_errors_stand_in_their_place(serving: Path, tmp_path: Path) -> None:
    cars = written(tmp_path / "cars.csv", CARS)
    check(ask(serving, "auto_mpg", cars), cars)


def test_standard_input(serving: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, CARS.encode())
    check(ask(serving, "auto_mpg", "-"), "standard input")


def cars(count: int) -> pd.DataFrame:
    frame = pd.DataFrame(1.0, range(count), NAMES.split(","))
    return frame.assign(weight=np.arange(count) * 256.0, origin=1)


def test_every_format_in_and_out(serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = cars(5)
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_json(tmp_path / "a.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "a.parquet")
    features = [
        {name: tf.train.Feature(float_list=tf.train.FloatList(value=[value])) for name, value in row.items()}
        for row in frame.to_dict("records")
    ]
    examples = [tf.train.Example(features=tf.train.Features(feature=row)).SerializeToString() for row in features]
    (tmp_path / "a.tfrecord").write_bytes(tfrecord.framed(examples))
    expected = [{"prediction": number / 4} for number in range(5)]
    for ending in ("csv", "jsonl", "parquet", "tfrecord"):
        source = tmp_path / f"a.{ending}"
        assert ask(serving, "auto_mpg", source) == expected
        say(monkeypatch, source.read_bytes())
        assert ask(serving, "auto_mpg", "-") == expected
        assert ask(serving, "auto_mpg", source, output=tmp_path / "out.jsonl") == []
        assert [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()] == expected
        ask(serving, "auto_mpg", source, output=tmp_path / "out.parquet")
        assert pq.read_table(tmp_path / "out.parquet").to_pylist() == [row | {"error": None} for row in expected]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name[0] in ".o") == ["out.jsonl", "out.parquet"]


def test_many_rows_keep_their_order_through_every_border(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(pushed_model, "NARROW", 1000)
    monkeypatch.setattr("components.predict.write_answers.GROUP", 10_000)
    monkeypatch.setattr(predict, "SECONDS", 0.0)
    frame = cars(100_000).astype({"weight": object})
    frame.loc[::1000, "weight"] = "heavy"
    frame.to_csv(tmp_path / "cars.csv", index=False)
    ask(serving, "auto_mpg", tmp_path / "cars.csv", output=tmp_path / "out.parquet")
    answers = pd.read_parquet(tmp_path / "out.parquet")
    fine = np.arange(100_000) % 1000 != 0
    np.testing.assert_array_equal(answers["prediction"].to_numpy()[fine], np.float32(np.arange(100_000)[fine] / 4))
    assert answers["error"][~fine].str.contains("weight is not a number: 'heavy'").all()
    assert answers["error"][fine].isna().all()
    assert pq.ParquetFile(tmp_path / "out.parquet").num_row_groups > 1
    assert capsys.readouterr().err.splitlines()[-1].startswith("100,000 rows, 100 of them with errors, ")


def test_several_files_are_named(serving: Path, tmp_path: Path) -> None:
    for name in "ba":
        cars(1).to_csv(tmp_path / f"{name}.csv", index=False)
    expected = [{"file": str(tmp_path / name), "prediction": 0.0} for name in ("b.csv", "a.csv")]
    assert ask(serving, "auto_mpg", tmp_path / "b.csv", tmp_path / "a.csv") == expected
    assert ask(serving, "auto_mpg", tmp_path / "*.csv") == expected[::-1]


def test_no_rows_are_no_answers_but_columns(serving: Path, tmp_path: Path) -> None:
    head = written(tmp_path / "head.csv", f"{NAMES}\n")
    assert ask(serving, "auto_mpg", head) == []
    ask(serving, "auto_mpg", head, output=tmp_path / "none.parquet")
    assert pq.read_table(tmp_path / "none.parquet").column_names == ["prediction", "error"]
    with pytest.raises(InputError, match=r"empty\.csv is empty"):
        ask(serving, "auto_mpg", written(tmp_path / "empty.csv", b""))


def reviewed(share: float) -> dict[str, Any]:
    best = "positive" if share > 0.5 else "negative"
    return {"class": best, "probabilities": {"negative": 1 - share, "positive": share}}


def test_plain_text_is_a_row_a_line(serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = written(tmp_path / "reviews.txt", b"\xef\xbb\xbfgreat\r\n\nbad")
    missing = {"error": f"{source} line 2: text is missing"}
    assert ask(serving, "imdb_padded", source) == [reviewed(5 / 8), missing, reviewed(3 / 8)]
    ask(serving, "imdb_padded", source, output=tmp_path / "out.parquet")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert list(table) == ["class", "probabilities.negative", "probabilities.positive", "error"]
    assert table["class"].tolist()[::2] == ["positive", "negative"]
    for stdin in (b"great\nbad\n", b"text\ngreat\nbad\n", b'{"text": "great"}\n{"text": "bad"}\n'):
        say(monkeypatch, stdin)
        assert ask(serving, "imdb_padded", "-") == [reviewed(5 / 8), reviewed(3 / 8)]
    say(monkeypatch, b"{good}\n")
    assert ask(serving, "imdb_padded", "-") == [reviewed(6 / 8)]


def picture(path: Path, first: int, size: tuple[int, int] = (28, 28)) -> Path:
    image = Picture.new("L", size, 0)
    image.putpixel((0, 0), first)
    image.save(path)
    return path


def worn(first: int, **file: str) -> dict[str, Any]:
    names = tasks.get("fashion_mnist").label.names  # type: ignore[union-attr]
    shares = {name: 0.75 if number == first else 0.0 for number, name in enumerate(names)}
    return file | {"class": names[first], "probabilities": shares}


def test_pictures_of_a_directory_a_glob_and_standard_input(
    serving: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bag, dress = picture(tmp_path / "bag.png", 8), picture(tmp_path / "dress.png", 3)
    small = picture(tmp_path / "small.png", 1, (28, 27))
    broken = written(tmp_path / "broken.png", b"\x89PNG\r\n\x1a\n")
    written(tmp_path / "notes.md", b"no picture")
    wrong = "image is no image of 28 x 28 grey pixels"
    assert ask(serving, "fashion_mnist", tmp_path) == [
        worn(8, file=str(bag)),
        {"file": str(broken), "error": f"{broken}: {wrong}: a damaged PNG or JPEG file"},
        worn(3, file=str(dress)),
        {"file": str(small), "error": f"{small}: {wrong}: a PNG of 27 x 28 pixels"},
    ]
    assert ask(serving, "fashion_mnist", dress, tmp_path / "b[a]*") == [
        worn(3, file=str(dress)),
        worn(8, file=str(bag)),
    ]
    assert ask(serving, "fashion_mnist", picture(tmp_path / "black.jpg", 0))[0]["class"] == "T-shirt/top"
    say(monkeypatch, bag.read_bytes())
    assert ask(serving, "fashion_mnist", "-") == [worn(8)]


def test_a_picture_that_vanishes_is_a_bad_row(serving: Path, tmp_path: Path) -> None:
    gone = tmp_path / "gone.png"
    gone.symlink_to(picture(tmp_path / "bag.png", 8))
    batches = predict.input_files.batches(tasks.get("fashion_mnist"), [str(gone), str(tmp_path / "bag.png")])
    (tmp_path / "bag.png").rename(tmp_path / "other.png")
    [batch] = batches
    assert [row.sentence for row in batch.rejected] == ["the file cannot be read: No such file or directory"] * 2


@pytest.mark.parametrize(
    ("task", "name", "sentence"),
    [
        ("auto_mpg", "none.csv", "There is no file"),
        ("auto_mpg", "no*.csv", "No file matches"),
        ("auto_mpg", "folder", "is a directory. Expected files: a glob such as"),
        ("auto_mpg", "a.txt", "has an ending that says no known format. Expected one of .csv"),
        ("auto_mpg", "a.png", "has an ending that says no known format. Expected one of .csv"),
        ("auto_mpg", "less.csv", "has no columns 'weight', 'model_year'"),
        ("fashion_mnist", "folder", "There is no picture in the directory"),
    ],
)
def test_wrong_input_is_told(serving: Path, tmp_path: Path, task: str, name: str, sentence: str) -> None:
    (tmp_path / "folder").mkdir()
    written(tmp_path / "a.txt", "text")
    written(tmp_path / "a.png", "text")
    written(tmp_path / "less.csv", "cylinders,displacement,horsepower,acceleration,origin\n1,1,1,1,1\n")
    with pytest.raises(InputError) as caught:
        ask(serving, task, tmp_path / name)
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("out.xlsx", r"The output is a file of JSON lines, CSV or Parquet: \*\.csv, \*\.jsonl"),
        ("none/out.jsonl", "There is no directory"),
        ("folder.jsonl", "is no plain file"),
        ("cars.json", "is among the files to read"),
    ],
)
def test_wrong_output_is_told(serving: Path, tmp_path: Path, name: str, sentence: str) -> None:
    (tmp_path / "folder.jsonl").mkdir()
    cars(1).to_json(tmp_path / "cars.json", orient="records", lines=True)
    with pytest.raises(InputError, match=sentence):
        ask(serving, "auto_mpg", tmp_path / "cars.json", output=tmp_path / name)


def test_an_output_is_replaced_by_a_whole_one_only(serving: Path, tmp_path: Path) -> None:
    output = written(tmp_path / "out.jsonl", "before")
    cars(3).to_csv(tmp_path / "a.csv", index=False)
    written(tmp_path / "b.csv", b"PK\x03\x04")
    with pytest.raises(InputError, match="zip archive"):
        ask(serving, "auto_mpg", tmp_path / "a.csv", tmp_path / "b.csv", output=output)
    assert output.read_text() == "before"
    assert len(list(tmp_path.iterdir())) == 3


def test_versions_that_cannot_answer(serving: Path, tmp_path: Path) -> None:
    rows = tmp_path / "a.csv"
    cars(1).to_csv(rows, index=False)
    with pytest.raises(InputError, match=r"There is no version of auto_mpg in .* sluice run auto_mpg"):
        ask(tmp_path, "auto_mpg", rows)
    with pytest.raises(InputError, match=r"There is no version 7 of auto_mpg .* Expected one of: 1"):
        ask(serving, "auto_mpg", rows, version=7)
    save(tmp_path / "auto_mpg" / "1", review, {"text": tf.string})
    with pytest.raises(InputError, match=r"other features .* It takes text \(string\); the task has acceleration"):
        ask(tmp_path, "auto_mpg", rows)
    written(tmp_path / "auto_mpg" / "1" / "saved_model.pb", b"broken")
    with pytest.raises(RuntimeError, match="cannot be loaded; it seems to be damaged"):
        ask(tmp_path, "auto_mpg", rows)
    save(tmp_path / "fashion_mnist" / "1", lambda image: {
        "probabilities": tf.one_hot(tf.zeros_like(tf.strings.length(image)), 10),
        "class": tf.fill(tf.shape(image), "Hat"),
    }, {"image": tf.string})  # fmt: skip
    with pytest.raises(InputError, match="other values of the label 'label'"):
        ask(tmp_path, "fashion_mnist", picture(tmp_path / "a.png", 0))


@pytest.mark.parametrize("task", ["auto_mpg", "imdb_padded", "fashion_mnist"])
def test_a_version_of_another_kind_of_label_is_told(task: str) -> None:
    definition, mine = tasks.get(task), main_output(tasks.get(task))
    outputs = {"prediction": np.ones(1), "probability": np.ones(1), "probabilities": np.ones((1, 3))}
    label = definition.label.name
    with pytest.raises(InputError, match=f"trained with other values of the label '{label}' than the task has now"):
        answers.named(definition, {name: values for name, values in outputs.items() if name != mine})


def test_further_outputs_are_read_by_class_or_by_place(serving: Path, tmp_path: Path) -> None:
    def several(image: tf.Tensor) -> dict[str, tf.Tensor]:
        half = tf.one_hot(tf.fill(tf.shape(image), 2), 10) / 2
        return clothes(image) | {"guess": half, "place": half[:, 1:3], "sure": half[:, 2]}

    save(tmp_path / "fashion_mnist" / "1", several, {"image": tf.string})
    (said,) = ask(tmp_path, "fashion_mnist", picture(tmp_path / "a.png", 8))
    assert said["class"] == "Bag"
    assert {name: value for name, value in said["guess"].items() if value} == {"Pullover": 0.5}
    assert (said["place"], said["sure"]) == ({"0": 0.0, "1": 0.5}, 0.5)


CLIENT = """
import sys
from pipelines.lazy_imports import loaded
from pipelines.__main__ import main
status = main(sys.argv[1:])
print(status, loaded("tensorflow"), loaded("keras"), loaded("pandas"), file=sys.stderr)
"""


def test_the_command_does_without_keras_and_pandas(serving: Path, tmp_path: Path) -> None:
    words = ["predict", "auto_mpg", "--serving", str(serving), "-"]
    done = subprocess.run([sys.executable, "-c", CLIENT, *words], input=CARS.encode(), capture_output=True, check=True)
    check([json.loads(line) for line in done.stdout.splitlines()], "standard input")
    said = done.stderr.decode().splitlines()
    assert said == [
        "sluice: 3 of 5 rows could not be answered; each says why in its own line.",
        "1 True False False",
    ]


def test_what_was_asked_stands_before_each_answer(serving: Path, tmp_path: Path) -> None:
    head, *lines = CARS.splitlines()
    cars = written(
        tmp_path / "cars.csv",
        "\n".join([f"plate,{head}", *(line and f"00{at},{line}" for at, line in enumerate(lines))]),
    )
    told = ask(serving, "auto_mpg", cars, key="plate", with_inputs=True)
    assert [list(line)[:3] for line in told] == [["plate", "cylinders", "displacement"]] * 5
    assert [line["plate"] for line in told] == ["000", "001", "003", None, "005"]  # the fourth is no row
    assert [line["horsepower"] for line in told] == ["130", "much", "", None, "-1"]  # as they stand in the file
    assert [line.get("prediction") for line in told] == [3.5, None, 2.0, None, None]
    assert [{"plate": line["plate"]} for line in ask(serving, "auto_mpg", cars, key="plate")] == [
        {"plate": line["plate"]} for line in told
    ]


def test_numbers_of_a_parquet_file_stay_numbers(serving: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(io.StringIO("\n".join(CARS.splitlines()[:2]))).assign(plate=[17], weight=[2048.5])
    frame.to_parquet(tmp_path / "cars.parquet")
    (line,) = ask(serving, "auto_mpg", tmp_path / "cars.parquet", key="plate", with_inputs=True)
    assert (line["plate"], line["weight"], line["origin"]) == (17, 2048.5, 1)
    ask(serving, "auto_mpg", tmp_path / "cars.parquet", key="plate", output=tmp_path / "out.parquet")
    assert pd.read_parquet(tmp_path / "out.parquet")["plate"].tolist() == [17]


def test_answers_as_csv(serving: Path, tmp_path: Path) -> None:
    cars = written(tmp_path / "cars.csv", CARS)
    ask(serving, "auto_mpg", cars, output=tmp_path / "out.csv", with_inputs=True)
    found = pd.read_csv(tmp_path / "out.csv")
    assert [*found.columns] == [*NAMES.split(","), "prediction", "error"]
    assert found["prediction"].fillna(0).tolist() == [3.5, 0, 2.0, 0, 0]
    assert found["error"].notna().tolist() == [False, True, False, True, True]
    reviews = written(tmp_path / "reviews.jsonl", '{"text": "a, \\"b\\""}\n{"text": "four"}\n')
    ask(serving, "imdb_padded", reviews, output=tmp_path / "said.csv", with_inputs=True)
    said = pd.read_csv(tmp_path / "said.csv")
    assert said["text"].tolist() == ['a, "b"', "four"]
    assert "probabilities.positive" in said.columns


def test_a_column_of_two_kinds_is_told(serving: Path, tmp_path: Path) -> None:
    lines = [
        {**dict.fromkeys(NAMES.split(","), 4), "origin": 1, "plate": 1},
        {**dict.fromkeys(NAMES.split(","), 4), "origin": 1, "plate": "b"},
    ]
    for name, line in zip("ab", lines, strict=True):
        written(tmp_path / f"{name}.jsonl", json.dumps(line))
    with pytest.raises(InputError, match=r"of one kind in some rows and of another in others.*JSON lines"):
        ask(serving, "auto_mpg", tmp_path / "[ab].jsonl", key="plate", output=tmp_path / "out.csv")
    assert [line["plate"] for line in ask(serving, "auto_mpg", tmp_path / "[ab].jsonl", key="plate")] == [1, "b"]


@pytest.mark.parametrize(
    ("name", "content", "key", "sentence"),
    [
        ("cars.csv", CARS, "plate", "has no column 'plate', and it is needed"),
        ("cars.csv", CARS, "error", "The column 'error' has the name of a part of the answer"),
        ("reviews.txt", "good", "plate", "has no columns, so none of its rows has a 'plate'"),
    ],
)  # fmt: skip
def test_an_id_that_cannot_be(serving: Path, tmp_path: Path, name: str, content: str, key: str, sentence: str) -> None:
    task = "auto_mpg" if name == "cars.csv" else "imdb_padded"
    with pytest.raises(InputError) as caught:
        ask(serving, task, written(tmp_path / name, content), key=key)
    assert sentence in str(caught.value)
