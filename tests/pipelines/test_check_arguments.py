"""Passwords that were typed into an address are refused before anything is printed or kept."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipelines.__main__ import main
from pipelines.check_arguments import holds_key

COMMANDS = [
    ("run", "auto_mpg", "--data", "http://me:hunter2@host/x.csv"),
    ("run", "auto_mpg", "--data", "zip://x.csv::http://me:hunter2@host/x.zip"),
    ("run", "auto_mpg", "--serving", "s3://KEY:hunter2@bucket"),
    ("run", "auto_mpg", "--dry-run", "--beam=--temp_location=s3://KEY:hunter2@bucket"),
    ("run", "auto_mpg", "--data", "real", "--data-dir", "ftp://me:hunter2@host"),
    ("predict", "auto_mpg", "rows.csv", "https://me:hunter2@host/x.csv"),
    ("predict", "auto_mpg", "rows.csv", "--serving", "s3://KEY:hunter2@bucket"),
    ("versions", "auto_mpg", "--serving", "s3://KEY:hunter2@bucket"),
    ("rollback", "auto_mpg", "1", "--serving", "s3://KEY:hunter2@bucket"),
    ("release", "auto_mpg", "--serving", "s3://KEY:hunter2@bucket"),
    ("show", "s3://KEY:hunter2@bucket/auto_mpg/1"),
    ("reproduce", "s3://KEY:hunter2@bucket/auto_mpg/1"),
    ("sweep", "auto_mpg", "--grid", "seed=1", "--data", "http://me:hunter2@host/x.csv"),
    ("doctor", "--serving", "s3://KEY:hunter2@bucket"),
    ("schedule", "auto_mpg", "--local", "--cron", "0 3 * * *", "--data", "http://me:hunter2@host/x.csv"),
]


@pytest.mark.parametrize("words", COMMANDS, ids=lambda words: " ".join(words[:2]))
def test_a_password_in_an_address_is_refused_and_nowhere_kept(
    words: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SLUICE_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    assert main([*words]) == 2
    out, said = capfd.readouterr()
    assert "must not hold a user or a key" in said
    assert "hunter2" not in out + said
    assert not (tmp_path / "home").exists()


@pytest.mark.parametrize(
    "words",
    [
        "s3://bucket/x@y.csv", "http://host:8080/x.csv", "abfs://container@account/x.csv", "zip://x.csv::http://host/x.zip",
        "github://owner:repository@main/x.csv", "me@host is no address", "/data/10:30@noon.csv",
    ],
)  # fmt: skip
def test_what_looks_like_a_key_and_is_none(words: str) -> None:
    assert holds_key(words) == ""
