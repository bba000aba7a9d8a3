from __future__ import annotations

from pathlib import Path

import pytest

from components.serving import versions
from pipelines.command_line import parser
from pipelines.commands import serving_config
from tasks import InputError


@pytest.fixture
def serving(tmp_path: Path) -> Path:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "saved_model.pb").write_bytes(b"model")
    for task in ("auto_mpg", "auto_mpg", "imdb_padded"):
        versions.add(tmp_path / "serving", task, tmp_path / "model", {})
    return tmp_path / "serving"


def config(serving: Path, *words: str) -> int:
    return serving_config.main(parser().parse_args(["serving-config", "--serving", str(serving), *words]))


def test_all_tasks_that_have_a_version(serving, capsys):
    assert config(serving, "--base-path", "/models/serving/") == 0
    out, said = capsys.readouterr()
    assert out.count("name:") == 2
    assert 'base_path: "/models/serving/imdb_padded"' in out
    assert said == ""


def test_labels_where_they_are_asked_for(serving, capsys):
    assert config(serving, "--stable", "auto_mpg=2") == 0
    out, said = capsys.readouterr()
    assert out.count("version_labels") == 2
    assert 'key: "stable" value: 2' in out
    assert "print this again after a push" in said


def test_a_manifest_a_task(serving, capsys):
    assert config(serving, "--kserve", "--base-path", "gs://models/serving") == 0
    out = capsys.readouterr().out
    assert out.count("\n---\n") == 1
    assert 'uri: "gs://models/serving/auto_mpg/2"' in out
    assert config(serving, "auto_mpg", "--kserve", "--version", "1", "--base-path", "s3://m") == 0
    assert 'uri: "s3://m/auto_mpg/1"' in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["--stable", "auto_mpg"], "--stable names a version of one of the tasks, such as auto_mpg=3. Received: 'auto"),
        (["imdb_padded", "--stable", "auto_mpg=1"], "Received: 'auto_mpg=1'"),
        (["--stable", "auto_mpg=9"], "There is no version 9 of auto_mpg"),
        (["--version", "1"], "--version goes with --kserve only"),
        (["--unpinned"], "--unpinned goes with --kserve only"),
        (["--kserve", "--labels"], "--labels goes without --kserve only"),
        (["--kserve", "--unpinned", "--version", "1"], "Expected one of the two"),
        (["--kserve"], "KServe fetches models from a URL"),
        (["california_housing"], "There is no version of california_housing"),
        (["nobody"], "nobody"),
    ],
)
def test_what_cannot_be_meant_is_told(serving, words, complaint):
    with pytest.raises(InputError, match=complaint):
        config(serving, *words)


def test_a_version_that_no_server_can_answer_from_is_not_sent_to_one(serving):
    versions.add(serving, "auto_mpg", serving.parent / "model", {"provenance.json": {"run": "auto_mpg-1"}})
    with pytest.raises(InputError, match=r"No server can answer from version 3 of auto_mpg.*sluice run auto_mpg"):
        config(serving)


def test_an_empty_destination(tmp_path):
    with pytest.raises(InputError, match="There is no version of any task"):
        config(tmp_path)
