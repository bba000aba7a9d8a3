"""Ingest and transform on Flink, the mini cluster that is in Beam's job server; `make flink` asks a whole one."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from repository import ROOT

HOME = ROOT / ".flink"


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("java") is None, reason="Flink: not run, no Java here")
@pytest.mark.skipif(
    not (HOME / "job-server" / "ready").exists(), reason="Flink: not run, `make flink-jars` has not been (needs Maven)"
)
def test_flink_comes_to_what_one_process_makes(tmp_path: Path) -> None:
    from cluster import mini_cluster
    from compare import differences, made, write_cars

    from components import beam_runners

    cars = write_cars(tmp_path / "cars", 400)
    direct = made("auto_mpg", cars, "", tmp_path / "direct", [])
    with mini_cluster(HOME, tmp_path / "cluster") as flink:
        spread = made("auto_mpg", cars, "", tmp_path / "flink", [*beam_runners.flink(flink.address), "--parallelism=2"])
    assert not list(differences("auto_mpg", direct, spread))
