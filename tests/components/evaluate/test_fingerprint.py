"""The hash of predictions is of the model's own, to the last bit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from components.evaluate.fingerprint import fingerprint


@pytest.fixture
def frame() -> pd.DataFrame:
    numbers = np.arange(4, dtype=np.float32)
    return pd.DataFrame({"row": np.arange(4), "label": numbers, "prediction": numbers / 3})


def test_what_a_champion_answers_is_not_part_of_it(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "alone")
    frame.assign(champion=1.0).to_parquet(tmp_path / "beside")
    alone = fingerprint(str(tmp_path / "alone"))
    assert fingerprint(str(tmp_path / "beside")) == alone
    assert alone["rows"] == 4


def test_the_last_bit_counts(frame: pd.DataFrame, tmp_path: Path) -> None:
    frame.to_parquet(tmp_path / "first")
    frame.loc[3, "prediction"] = np.nextafter(frame["prediction"][3], np.float32(1e9))
    frame.to_parquet(tmp_path / "second")
    assert fingerprint(str(tmp_path / "first"))["sha256"] != fingerprint(str(tmp_path / "second"))["sha256"]
