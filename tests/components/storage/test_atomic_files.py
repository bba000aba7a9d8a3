from __future__ import annotations

import errno
import hashlib
from pathlib import Path

import numpy as np
import pytest

from components.storage import atomic_files


def tree(root: Path, content: dict[str, str]) -> Path:
    for name, text in content.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def test_a_tree_hash_is_of_sorted_names_and_contents(tmp_path: Path) -> None:
    tree(tmp_path, {"b/c": "2", "a": "1"})
    one, two = (hashlib.sha256(text).hexdigest().encode() for text in (b"1", b"2"))
    assert atomic_files.tree_hash(tmp_path) == hashlib.sha256(b"a\0" + one + b"\n" + b"b/c\0" + two + b"\n").hexdigest()


@pytest.mark.parametrize("changed", [{"a": "2", "b/c": "1"}, {"a": "1", "b/c": "1"}, {"a": "1", "c": "2"}, {"a": "1"}])
def test_another_tree_has_another_hash(tmp_path: Path, changed: dict[str, str]) -> None:
    first = atomic_files.tree_hash(tree(tmp_path / "first", {"a": "1", "b/c": "2"}))
    assert atomic_files.tree_hash(tree(tmp_path / "second", changed)) != first


def test_a_tree_hash_leaves_the_excluded_top_entries_out(tmp_path: Path) -> None:
    bare = atomic_files.tree_hash(tree(tmp_path, {"a": "1"}))
    tree(tmp_path, {"assets.extra/provenance.json": "{}"})
    assert atomic_files.tree_hash(tmp_path) == bare
    tree(tmp_path, {"deep/assets.extra/x": "{}"})
    assert atomic_files.tree_hash(tmp_path) != bare


def test_a_tree_hash_needs_a_directory(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="Expected a directory to hash"):
        atomic_files.tree_hash(tmp_path / "nothing")


def test_json_is_sorted_and_plain(tmp_path: Path) -> None:
    value = {"b": np.float32(0.5), "a": (np.int64(2), np.nan), "c": {1: np.array([1.0, np.inf])}, "d": "é\ud800"}
    atomic_files.write_json(tmp_path / "deep" / "x.json", value)
    assert atomic_files.read_json(tmp_path / "deep" / "x.json") == {
        "a": [2, None],
        "b": 0.5,
        "c": {"1": [1.0, None]},
        "d": "é?",
    }
    assert (tmp_path / "deep" / "x.json").read_text().startswith('{\n "a"')


def test_a_write_that_fails_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    atomic_files.write_json(tmp_path / "x.json", 1)
    with pytest.raises(TypeError):
        atomic_files.write_json(tmp_path / "x.json", object())
    (tmp_path / "directory").mkdir()
    with pytest.raises(OSError) as error:  # noqa: PT011 (the number is checked below)
        atomic_files.write_json(tmp_path / "directory", 1)
    assert error.value.errno == errno.EISDIR
    assert sorted(path.name for path in tmp_path.iterdir()) == ["directory", "x.json"]
    assert atomic_files.read_json(tmp_path / "x.json") == 1


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"a": ')
    with pytest.raises(ValueError, match=r"x\.json.*damaged"):
        atomic_files.read_json(tmp_path / "x.json")
