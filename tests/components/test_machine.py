"""What a process may use, in a container and without one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from components import machine


def test_memory_is_the_containers_where_that_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(machine, "MEMORY", (str(limit), "/no/such/file"))
    whole = machine.memory_limit()
    assert whole == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    for written, expected in (("max\n", whole), ("8000000\n", 8_000_000)):
        limit.write_text(written)
        assert machine.memory_limit() == expected


@pytest.mark.parametrize(
    ("written", "most"), [("max 100000", None), ("150000 100000", 1), ("20000 100000", 1), ("-1 100000", None)]
)
def test_cores_are_those_of_the_containers_quota(
    written: str, most: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "CPU", (("/no/such/file",), (str(tmp_path / "quota"), str(tmp_path / "period"))))
    for name, number in zip(("quota", "period"), written.split(), strict=True):
        (tmp_path / name).write_text(number)
    assert machine.cores() == (most or len(os.sched_getaffinity(0)))


def test_so_many_processes_as_there_are_cores_and_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 8)
    monkeypatch.setattr(machine, "memory_limit", lambda: 3_000)
    assert [machine.processes(each) for each in (100, 1_000, 9_000)] == [8, 3, 1]
