"""Where real data is found, and that nothing but the published file is taken."""

from __future__ import annotations

import dataclasses
import hashlib
from pathlib import Path
from typing import Any

import pytest
from faulty_store import serving

from tasks import InputError
from tasks._files import RealFile

CONTENT = b"the published table\n"


@pytest.fixture
def file(tmp_path: Path) -> RealFile:
    published = tmp_path / "published" / "table.csv"
    published.parent.mkdir()
    published.write_bytes(CONTENT)
    return RealFile(
        name="table.csv", folder="tables", url=published.as_uri(), sha256=hashlib.sha256(CONTENT).hexdigest()
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras" / "datasets"


@pytest.mark.parametrize("folder", [".", "tables"])
def test_the_data_directory_is_the_folder_or_its_parent(file: RealFile, folder: str, tmp_path: Path) -> None:
    path = tmp_path / "data" / folder / "table.csv"
    path.parent.mkdir(parents=True)
    path.write_bytes(CONTENT)
    assert file.check(tmp_path / "data").path(tmp_path / "data").samefile(path)


def test_a_data_directory_without_it(file: RealFile, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=rf"lacks table.csv. Expected it at .* or {tmp_path}/tables/table.csv"):
        file.check(tmp_path)


def test_another_content_is_refused(file: RealFile, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_bytes(CONTENT + b"and a row")
    with pytest.raises(InputError, match=f"is not the published file. Expected sha256 {file.sha256}"):
        file.path(tmp_path)


def test_a_download_is_checked_and_kept(file: RealFile, cache: Path, tmp_path: Path) -> None:
    assert file.check(None).path(None) == cache / "table.csv"
    (tmp_path / "published" / "table.csv").unlink()
    assert file.path(None).read_bytes() == CONTENT
    assert [path.name for path in cache.iterdir()] == ["table.csv"]


def test_a_download_of_something_else_leaves_nothing(file: RealFile, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "published" / "table.csv").write_bytes(b"<html>not found</html>")
    with pytest.raises(InputError, match="sent another file than published"):
        file.path(None)
    assert list(cache.iterdir()) == []


def test_no_internet_is_said_with_the_way_out(file: RealFile, cache: Path, tmp_path: Path) -> None:
    (tmp_path / "published" / "table.csv").unlink()
    with pytest.raises(InputError, match=r"could not be downloaded .* with --data-dir"):
        file.path(None)
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("fault", [503, "cut", "drop"])
def test_a_download_waits_out_what_passes(file: RealFile, cache: Path, tmp_path: Path, fault: Any) -> None:
    with serving(tmp_path / "published") as server:
        server.faults = [fault]
        there = dataclasses.replace(file, url=f"{server.url}/table.csv")
        assert there.path(None).read_bytes() == CONTENT
        assert len(server.asked) == 2


def test_a_file_that_is_not_there_is_asked_for_once(file: RealFile, cache: Path, tmp_path: Path) -> None:
    with serving(tmp_path) as server, pytest.raises(InputError, match="could not be downloaded"):
        dataclasses.replace(file, url=f"{server.url}/none.csv").path(None)
    assert len(server.asked) == 1
