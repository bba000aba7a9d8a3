"""Pictures in folders and archives: classes, splits, broken files, and what cannot be meant."""

from __future__ import annotations

import io
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture

from components.reading.check_rows import Rows, check
from components.reading.source_rows import part_batches
from components.reading.sources import source_parts
from tasks import Bar, Category, Feature, Image, InputError, Model, Number, Task, Text, Train


def task(*features: Feature) -> Task:
    return Task(
        about="", features=features or (Image("photo", 8, 8, channels=3),), label=Category("kind", ("rose", "tulip")),
        sample=lambda: (), preprocess=lambda features: features, models={"cnn": Model(lambda: None, Train(epochs=1))},
        gate=(Bar("accuracy", 0.5),),
    )  # fmt: skip


def picture(kind: str = "JPEG", shade: int = 0, size: tuple[int, int] = (20, 12)) -> bytes:
    out = io.BytesIO()
    Picture.fromarray(np.full((*size, 3), shade, np.uint8)).save(out, kind)
    return out.getvalue()


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


@pytest.fixture
def flowers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for number, kind in enumerate(("JPEG", "PNG", "GIF", "BMP", "WEBP")):
        put(tmp_path / "flowers" / "rose" / f"{number}.jpg", picture(kind, number))  # what it holds counts, not this
    put(tmp_path / "flowers" / "tulip" / "a.png", picture("PNG", 99))
    put(tmp_path / "flowers" / "tulip" / ".DS_Store", b"x")
    return tmp_path / "flowers"


def read(data: str, of: Task | None = None) -> list[Rows]:
    of = of or task()
    return [check(of.features, of.label, b) for part in source_parts(of, data) for b in part_batches(part, of.columns)]


@pytest.mark.parametrize("data", ["flowers", "flowers/", "flowers/*/*", "./flowers"])
def test_the_folders_name_is_the_label(flowers: Path, data: str) -> None:
    (rows,) = read(data)
    assert rows.rejected == []
    assert rows.columns["kind"].to_pylist() == ["rose"] * 5 + ["tulip"]
    assert rows.columns["photo"][0].as_py() == (flowers / "rose" / "0.jpg").read_bytes()


@pytest.mark.parametrize("ending", ["zip", "tar", "tar.gz"])
def test_an_archive_holds_them_too(flowers: Path, ending: str) -> None:
    archive = flowers.parent / f"flowers.{ending}"
    if ending == "zip":
        with zipfile.ZipFile(archive, "w") as file:
            for path in sorted(flowers.rglob("*.*")):
                file.write(path, path.relative_to(flowers.parent))
    else:
        with tarfile.open(archive, "w:gz" if ending == "tar.gz" else "w") as file:
            file.add(flowers, "flowers")
    (rows,) = read(str(archive))
    assert sorted(rows.columns["kind"].to_pylist()) == ["rose"] * 5 + ["tulip"]
    assert rows.rejected == []


def test_folders_of_splits_are_official(flowers: Path) -> None:
    for split in ("train", "val", "test"):
        put(flowers.parent / "official" / split / "rose" / f"{split}.png", picture("PNG"))
    parts = source_parts(task(), "official")
    assert {part.split: len(part.paths) for part in parts} == {"test": 1, "train": 1, "eval": 1}


def test_a_version_changes_with_the_content_alone(flowers: Path) -> None:
    (before,) = source_parts(task(), "flowers")
    (flowers / "tulip" / "a.png").touch()
    assert source_parts(task(), "flowers") == [before]
    put(flowers / "tulip" / "a.png", picture("PNG", 98))
    assert source_parts(task(), "flowers") != [before]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("tulip/cut.jpg", picture()[:-40], "photo is no picture that can be read"),
        ("tulip/cut.png", picture("PNG")[:-30], "photo is no picture that can be read"),
        ("tulip/notes.txt", b"hello", "5 bytes that are neither 192 of pixels nor a file of a known format"),
        ("tulip/empty.png", b"", "photo is missing"),
        ("daisy/1.png", picture("PNG"), "kind is none of 'rose', 'tulip': 'daisy'"),
    ],
)
def test_a_bad_file_is_set_aside_with_its_path(flowers: Path, name: str, content: bytes, sentence: str) -> None:
    put(flowers / name, content)
    (rows,) = read("flowers")
    (aside,) = rows.rejected
    assert (aside.position, len(rows)) == (f"flowers/{name}", 6)
    assert sentence in aside.sentence


def test_a_bitmap_that_is_served_otherwise_is_set_aside(flowers: Path) -> None:
    out = io.BytesIO()
    Picture.fromarray(np.zeros((4, 4), np.uint8)).convert("P").save(out, "BMP")
    put(flowers / "rose" / "old.bmp", out.getvalue())
    (rows,) = read("flowers")
    assert "a BMP file of 8 bits a pixel" in rows.rejected[0].sentence


@pytest.mark.parametrize(
    ("data", "features", "sentence"),
    [
        ("nowhere/*.jpg", (), "No file matches 'nowhere/\\*.jpg'"),
        ("bare", (), "There are no pictures in folders of bare. Expected, for example, bare/roses/1.jpg"),
        ("flowers", (Image("photo", 8, 8), Number("size")), "give a picture and its class. Expected a table with the"),
        ("flowers", (Text("words"),), "flowers is a directory"),
        ("no.zip", (), "no.zip cannot be read as an archive"),
    ],
)
def test_what_cannot_be_meant_is_told(flowers: Path, data: str, features: tuple[Feature, ...], sentence: str) -> None:
    (flowers.parent / "bare").mkdir()
    put(flowers.parent / "bare" / "1.jpg", picture())
    put(flowers.parent / "no.zip", b"PK\x03\x04 and no more")
    with pytest.raises(InputError, match=sentence):
        read(data, task(*features))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Image("photo", 96), r"needs a height and a width in pixels, and 1 or 3 channels\. Expected, for exam"),
        (lambda: Image("photo", 96, 96, channels=4), r"Received: 96, 96 and channels=4\."),
        (lambda: Image("photo", 0, 96), r"Expected, for example, Image\('photo', 96, 96, channels=3\)"),
        (
            lambda: Image("photo", (96, 96), channels=3),
            r"of exactly 96 by 96 pixels is grey\. Expected colour pictures",
        ),
    ],
)
def test_an_image_that_is_none_is_told(make: object, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        make()  # type: ignore[operator]
