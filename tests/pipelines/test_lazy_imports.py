"""Imports that come late: Python looks for no garbage meanwhile."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines import lazy_imports


@pytest.fixture
def collecting() -> Iterator[None]:
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.usefixtures("collecting")
@pytest.mark.parametrize("before", [True, False])
def test_python_looks_for_no_garbage_while_a_library_is_imported(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, before: bool
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"looked_for_garbage_{before}"
    (tmp_path / f"{name}.py").write_text("import gc\nMEANWHILE = gc.isenabled()\n")
    (gc.enable if before else gc.disable)()
    assert lazy_imports.load(name).MEANWHILE is False
    assert gc.isenabled() is before
    assert (gc.get_freeze_count() > 0) is before
