"""From pictures in folders to a task."""

from __future__ import annotations

import io
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Picture
from repository import ROOT

import tasks
from components.check_task import definition
from components.new_task.picture_guesses import picture_guesses
from pipelines.__main__ import main
from tasks import Category, Image, _flower_drawings


def put(path: Path, size: tuple[int, int], mode: str = "RGB", shade: int = 90, kind: str = "PNG") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Picture.new(mode, size, (shade,) * 3 if mode == "RGB" else shade).save(path, kind)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory in which one stands, with drawings of flowers in folders."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SLUICE_TASKS", "")
    drawn = _flower_drawings.draw(7, 30)
    for number, (content, kind) in enumerate(zip(drawn["photo"], drawn["label"], strict=True)):
        path = tmp_path / "leaves" / kind / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    for name in [name for name in sys.modules if name.startswith("tasks.zz_")]:
        monkeypatch.delitem(sys.modules, name)
        monkeypatch.delattr(tasks, name.removeprefix("tasks."), raising=False)
    return tmp_path


@pytest.mark.parametrize("data", ["leaves", "leaves/*/*.jpg", "leaves.tar.gz"])
def test_folders_become_a_task(project: Path, data: str, capsys: pytest.CaptureFixture[str]) -> None:
    with tarfile.open("leaves.tar.gz", "w:gz") as archive:
        archive.add("leaves")
    (project / "leaves" / "roses" / "broken.jpg").write_bytes(b"\xff\xd8\xff and no more")
    assert main(["new", "zz_leaves", "--data", data]) == 0
    task = tasks.get("zz_leaves")
    assert task.features == (Image("picture", 64, 64, channels=3),)
    assert task.label == Category("kind", tuple(sorted(_flower_drawings.KINDS)))
    said = capsys.readouterr().out
    assert "30 pictures, brought to 64 by 64, label kind (5 folders)" in said
    assert f"sluice run zz_leaves --data {data if '*' not in data else repr(data)}" in said
    assert ("files that cannot be read: 1" in said) is (data != "leaves.tar.gz")


@pytest.mark.parametrize("kinds", [2, 5])
def test_what_is_written_keeps_the_promises_and_reads_as_formatted(project: Path, kinds: int) -> None:
    for name in sorted(_flower_drawings.KINDS)[kinds:]:
        shutil.rmtree(project / "leaves" / name)
    assert main(["new", "zz_leaves", "--data", "leaves", "--label", "flower"]) == 0
    for promise in definition.PROMISES.values():
        promise("zz_leaves")
    assert tasks.get("zz_leaves").label.name == "flower"
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    assert ruff
    for words in (["check"], ["format", "--check"]):
        config = ["--config", str(ROOT / "pyproject.toml"), "tasks/zz_leaves.py"]
        done = subprocess.run([ruff, *words, *config], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout


def test_the_sample_copies_no_picture(project: Path) -> None:
    assert main(["new", "zz_leaves", "--data", "leaves"]) == 0
    (part,) = tasks.get("zz_leaves").sample()
    (frame,) = part.read()
    assert {path.read_bytes() for path in project.glob("leaves/*/*")}.isdisjoint(frame["picture"])
    assert set(frame["kind"]) == set(_flower_drawings.KINDS)
    widths = [Picture.open(io.BytesIO(content)).width for content in frame["picture"]]
    assert min(widths) >= 60
    assert max(widths) <= 120


@pytest.mark.parametrize(
    ("size", "mode", "expected"),
    [((640, 480), "RGB", (96, 3)), ((28, 28), "L", (28, 1)), ((70, 50), "RGB", (48, 3)), ((4, 90), "RGB", (8, 3))],
)
def test_a_size_and_colours_are_guessed(
    tmp_path: Path, size: tuple[int, int], mode: str, expected: tuple[int, int]
) -> None:
    for name in ("a", "b"):
        put(tmp_path / name / "1.png", size, mode)
    found = picture_guesses(str(tmp_path), "kind")
    assert (found.size, found.channels) == expected


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (
            ["--data", "one"],
            "one has no two kinds of pictures. Expected at least two folders of pictures, each named as",
        ),
        (["--data", "broken"], "Received: no picture that can be read."),
        (["--data", "bare"], "There are no pictures in folders of bare. Expected, for example, bare/roses/1.jpg."),
        (["--data", "no.zip"], "no.zip cannot be read as an archive"),
        (["--data", "table.csv"], "A table's task needs --label COLUMN. Found: x, y."),
        (["--data", "leaves", "--label", "Kind of"], "A column's name is lower case letters, digits and underscores."),
    ],
)
def test_what_cannot_be_is_told(
    project: Path, words: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    put(project / "one" / "only" / "1.png", (9, 9))
    (project / "broken" / "a").mkdir(parents=True)
    (project / "broken" / "a" / "1.png").write_bytes(b"no picture")
    (project / "bare").mkdir()
    (project / "no.zip").write_bytes(b"PK\x03\x04")
    (project / "table.csv").write_text("x,y\n1,2\n3,4\n")
    assert main(["new", "zz_leaves", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert not (project / "tasks").exists()


def test_drawings_have_a_shape_of_their_own_where_colours_are_alike() -> None:
    from tasks import _picture_drawings

    names, grey = ("a", "b"), ((90, 90, 90), (90, 90, 90))
    files, kinds = _picture_drawings.draw(names, (grey, grey), (40, 40), (40, 40), channels=1, count=40)
    seen = np.array([np.asarray(Picture.open(io.BytesIO(each)).convert("L"), float) for each in files])
    area = (np.abs(seen - np.median(seen, axis=(1, 2), keepdims=True)) > 40).mean(axis=(1, 2))
    first = np.array([kind == "a" for kind in kinds])
    assert area[first].mean() > 1.2 * area[~first].mean()


@pytest.mark.slow
def test_its_preprocessing_and_model_keep_their_promises(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["new", "zz_leaves", "--data", "leaves", "--tasks", "mine"]) == 0
    assert main(["check", "zz_leaves", "--tasks", "mine"]) == 0
    assert "✓ cnn: it answers with what its label asks" in capsys.readouterr().out
