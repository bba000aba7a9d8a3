"""Data sets that TensorFlow Datasets' own builders prepare here, read without TensorFlow."""

from __future__ import annotations

import io
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image as Picture
from repository import ROOT

from components.reading.check_rows import Rows, check
from components.reading.source_rows import part_batches
from components.reading.sources import snapshot, source_parts
from tasks import Bar, Category, Feature, Image, InputError, Model, Number, Task, Text, Train

KINDS = ("Adelie", "Gentoo")


def png(shade: int) -> io.BytesIO:
    out = io.BytesIO()
    Picture.new("L", (4, 4), shade).save(out, "PNG")
    return io.BytesIO(out.getvalue())


def birds(first: int, count: int) -> Iterator[tuple[int, dict[str, Any]]]:
    for number in range(first, first + count):
        yield number, {
            "features": np.arange(3, dtype=np.float32) + number, "species": number % 2, "note": f"bird {number}",
            "count": number, "deep": {"x": number / 2}, "photo": png(number), "rings": ["a"] * (number % 3),
        }  # fmt: skip


def prepare(folder: Path, file_format: str, first: int = 0, version: str = "1.0.0", config: str = "") -> None:
    class ZzBirds(tfds.core.GeneratorBasedBuilder, skip_registration=True):
        name = "zz_birds"
        __module__ = "zz_birds"  # a package's would be looked for
        VERSION = tfds.core.Version(version)
        BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=config, version=version)] if config else []

        def _info(self) -> Any:
            features = {
                "features": tfds.features.Tensor(shape=(3,), dtype=np.float32),
                "species": tfds.features.ClassLabel(names=KINDS), "note": tfds.features.Text(), "count": np.int32,
                "deep": {"x": np.float64}, "photo": tfds.features.Image(shape=(4, 4, 1)),
                "rings": tfds.features.Sequence(tfds.features.Text()),
            }  # fmt: skip
            return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features))

        def _split_generators(self, dl_manager: Any) -> Any:
            if config:
                return {"train": self._generate_examples(0, 10)}
            return {
                "train": self._generate_examples(first, 20),
                "test": self._generate_examples(100, 8),
                "rest": self._generate_examples(200, 3),
            }

        def _generate_examples(self, first: int, count: int) -> Any:
            return birds(first, count)

    ZzBirds(data_dir=str(folder), file_format=file_format).download_and_prepare()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("prepared")
    for file_format in ("tfrecord", "array_record"):
        prepare(root / file_format, file_format)
    for config in ("simple", "raw"):
        prepare(root / "configured", "array_record", config=config)
    return root


def task(*features: Feature, label: Number | Category | None = None) -> Task:
    return Task(
        about="", features=features or (Number("count"),), label=label or Category("species", KINDS),
        sample=lambda: (), preprocess=lambda features: features, models={"mlp": Model(lambda: None, Train(epochs=1))},
        gate=(Bar("mae" if isinstance(label, Number) else "accuracy", 0.5),),
    )  # fmt: skip


ALL = (
    Number("count"), Number("first", column="features[0]"), Number("last", column="features[2]"),
    Number("x", column="deep/x"), Text("note"), Image("photo", 4, 4),
)  # fmt: skip


def read(data: str, folder: Path, of: Task) -> dict[str | None, list[Rows]]:
    found: dict[str | None, list[Rows]] = {}
    for part in source_parts(of, data, str(folder)):
        batches = [check(of.features, of.label, batch) for batch in part_batches(part, of.columns)]
        found.setdefault(part.split, []).extend(batches)
    return found


def column(rows: list[Rows], name: str) -> list[Any]:
    return [value for batch in rows for value in batch.columns[name].to_pylist()]


@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_rows_are_what_tfds_itself_reads(prepared: Path, file_format: str) -> None:
    found = read("tfds:zz_birds", prepared / file_format, task(*ALL))
    builder = tfds.builder_from_directory(prepared / file_format / "zz_birds" / "1.0.0")
    for split in ("train", "test"):
        theirs = list(
            builder.as_data_source(split=split)
            if file_format == "array_record"
            else tfds.as_numpy(builder.as_dataset(split=split))
        )
        rows = found[split]
        assert column(rows, "count") == [each["count"] for each in theirs]
        assert column(rows, "first") == [each["features"][0] for each in theirs]
        assert column(rows, "last") == [each["features"][2] for each in theirs]
        assert column(rows, "x") == [each["deep"]["x"] for each in theirs]
        assert column(rows, "note") == [each["note"].decode() for each in theirs]
        assert column(rows, "species") == [KINDS[each["species"]] for each in theirs]
        for content, each in zip(column(rows, "photo"), theirs, strict=True):
            np.testing.assert_array_equal(np.asarray(Picture.open(io.BytesIO(content))), each["photo"][..., 0])


def test_nothing_imports_tensorflow(prepared: Path) -> None:
    code = (
        "import sys, tests_task as t;"
        "from components.reading.sources import source_parts; from components.reading.source_rows import part_batches;"
        f"p = source_parts(t.TASK, 'tfds:zz_birds', {str(prepared / 'tfrecord')!r});"
        "print(sum(len(b) for each in p for b in part_batches(each, t.TASK.columns)), 'tensorflow' in sys.modules)"
    )
    module = prepared / "tests_task.py"
    module.write_text(
        "from tasks import *\nTASK = Task(about='', features=(Number('count'),), label=Category('species', ('Adelie', "
        "'Gentoo')), sample=lambda: (), preprocess=lambda f: f, models={'m': Model(lambda: None, Train(epochs=1))}, "
        "gate=(Bar('accuracy', 0.5),))\n"
    )
    environment = {"PYTHONPATH": f"{prepared}:{ROOT}", "PATH": "/usr/bin:/bin"}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, check=False)
    assert done.stdout.splitlines()[-1:] == ["28 False"], done.stderr


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("tfds:zz_birds", {"train": 20, "test": 8}),
        ("tfds:zz_birds:1.0.0", {"train": 20, "test": 8}),
        ("tfds:zz_birds,train=train[:60%],eval=train[60%:80%],test=train[80%:]", {"train": 12, "eval": 4, "test": 4}),
        ("tfds:zz_birds,train=train[5:]+rest,validation=train[:5],test=test", {"train": 18, "eval": 5, "test": 8}),
        ("tfds:zz_birds,train[:10]", {None: 10}),
        ("tfds:zz_birds,train+test", {None: 28}),
    ],
)
@pytest.mark.parametrize("file_format", ["tfrecord", "array_record"])
def test_splits_are_written_as_tfds_writes_them(
    prepared: Path, data: str, expected: dict[str | None, int], file_format: str
) -> None:
    found = read(data, prepared / file_format, task())
    assert {split: sum(map(len, rows)) for split, rows in found.items()} == expected


def test_the_only_split_is_for_the_task_to_divide(prepared: Path) -> None:
    assert list(read("tfds:zz_birds/simple", prepared / "configured", task())) == [None]


def test_classes_may_be_numbers(prepared: Path) -> None:
    by_number = read("tfds:zz_birds", prepared / "tfrecord", task(label=Category("species", (0, 1))))
    assert set(column(by_number["test"], "species")) == {0, 1}
    turned = Category("species", (0, 1), names=("Gentoo", "Adelie"))
    by_name = read("tfds:zz_birds", prepared / "tfrecord", task(label=turned))
    assert column(by_name["test"], "species") == [1 - each for each in column(by_number["test"], "species")]


def test_a_tasks_real_data_may_be_named(prepared: Path) -> None:
    named = replace(task(), real=lambda _: "tfds:zz_birds")
    folder = str(prepared / "tfrecord")
    assert source_parts(named, "real", folder) == source_parts(task(), "tfds:zz_birds", folder)


def test_a_snapshot_is_of_the_content_alone(prepared: Path, tmp_path: Path) -> None:
    def state(folder: Path, data: str = "tfds:zz_birds") -> str:
        return snapshot(source_parts(task(), data, str(folder)))

    prepare(tmp_path / "again", "array_record")
    prepare(tmp_path / "other", "array_record", first=1)
    before = state(prepared / "array_record")
    assert state(tmp_path / "again") == before
    assert state(tmp_path / "other") != before
    assert state(prepared / "array_record", "tfds:zz_birds,train=train,test=test[1:]") != before
    prepare(tmp_path / "again", "array_record", version="1.10.0")
    assert state(tmp_path / "again") != before
    assert state(tmp_path / "again", "tfds:zz_birds:1.0.0") == before


NAMED = Category("species", ("Adelie", "Chinstrap"))
WRONG = [
    ("tfds:imdb_reviews", (), None, r"not prepared in .*tfds build imdb_reviews --data_dir .*needs the internet"),
    ("tfds:imdb_review", (), None, r"none of this name\. Did you mean 'imdb_reviews'\?"),
    ("tfds:zz_brids", (), None, r"none of this name\. Did you mean 'zz_birds'\?"),
    ("tfds:zz_birds:2.0.0", (), None, r"is not prepared in .*Found there: 1\.0\.0\. To prepare it"),
    ("tfds:zz_birds/nope", (), None, r"is not prepared in .* Found there: nothing"),
    ("tfds:zz_birds?train=train", (), None, r"names no data set\. Expected, for example, tfds:penguins/simple"),
    ("tfds:", (), None, r"tfds: names no data set"),
    ("tfds:zz_birds,train=trian,test=test", (), None, r"no split 'trian': Unknown split.*Found there: train, t"),
    ("tfds:zz_birds,train[:x]", (), None, r"there is no split 'train\[:x\]': Unrecognized split format"),
    ("tfds:zz_birds,train=train[90:],test=test", (), None, r"slice \[90:.*incompatible with 20 examples"),
    ("tfds:zz_birds,train=train", (), None, r"train=SPLIT and test=SPLIT at least\. Found there: train, test"),
    ("tfds:zz_birds,teach=train,test=test", (), None, r"'teach=train' is none of train=SPLIT"),
    ("tfds:zz_birds,train,test=test", (), None, r"expected one split for the task to divide, or train=, eval="),
    ("tfds:zz_birds,train=train[:0],test=test", (), None, r"the split 'train\[:0\]' has no rows"),
    ("tfds:zz_birds", (Number("mass"),), None, r"no column 'mass', which the task wants\. Found: .*count: "),
    ("tfds:zz_birds", (Number("note"),), None, r"'note' does not fit Number 'note'\. Expected numbers, one value"),
    ("tfds:zz_birds", (Number("features"),), None, r"'features' does not fit Number .*Tensor\(shape=\(3,\)"),
    ("tfds:zz_birds", (Number("x", column="features[3]"),), None, r"no column 'features\[3\]'"),
    ("tfds:zz_birds", (Text("rings"),), None, r"'rings' does not fit Text 'rings'\. Expected text"),
    ("tfds:zz_birds", (), NAMED, r"has the class 'Gentoo', which Category 'species' does not know\. Expected only: 'A"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "features", "label", "sentence"), WRONG)
def test_what_cannot_be_meant_is_told(
    prepared: Path, data: str, features: tuple[Feature, ...], label: Category | None, sentence: str
) -> None:
    with pytest.raises(InputError, match=sentence):
        source_parts(task(*features, label=label), data, str(prepared / "tfrecord"))


def test_several_configurations_are_told(prepared: Path) -> None:
    with pytest.raises(InputError, match="Expected tfds:zz_birds/raw or tfds:zz_birds/simple"):
        source_parts(task(), "tfds:zz_birds", str(prepared / "configured"))


def test_damage_is_told(tmp_path: Path) -> None:
    prepare(tmp_path, "tfrecord")
    folder = tmp_path / "zz_birds" / "1.0.0"
    parts = source_parts(task(), "tfds:zz_birds", str(tmp_path))
    file = next(folder.glob("*train*"))
    file.write_bytes(file.read_bytes()[:-5])
    with pytest.raises(InputError, match=r"is damaged: the file ends within record 20\. Prepare the data set again"):
        list(part_batches(parts[0], task().columns))
    (folder / "dataset_info.json").write_text("{")
    with pytest.raises(InputError, match="is not what TensorFlow Datasets writes, or damaged"):
        source_parts(task(), "tfds:zz_birds", str(tmp_path))
