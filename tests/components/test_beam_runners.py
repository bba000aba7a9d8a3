"""Beam's runners by name: Flink in one word, and those that lose data refused."""

from __future__ import annotations

import pytest

from components import beam_runners
from pipelines.command_line import parser
from tasks import InputError


@pytest.mark.parametrize(
    ("args", "name"),
    [
        ([], ""),
        (["--streaming"], ""),
        (["--runner=FlinkRunner"], "flinkrunner"),
        (["--parallelism=2", "--runner", "apache_beam.runners.dask.dask_runner.DaskRunner"], "daskrunner"),
        (["--runner"], ""),
    ],
)
def test_the_runner_that_is_named(args: list[str], name: str) -> None:
    assert beam_runners.named(args) == name


@pytest.mark.parametrize("runner", ["DaskRunner", "apache_beam.runners.dask.dask_runner.DaskRunner", "RayRunner"])
def test_runners_that_lose_data_are_refused(runner: str) -> None:
    with pytest.raises(InputError, match=r"cannot run these steps: .* Expected no runner"):
        beam_runners.check([f"--runner={runner}"])
    beam_runners.check(["--runner=PortableRunner", "--job_endpoint=x:1"])


def test_a_flink_is_one_word_on_the_command_line() -> None:
    given = parser().parse_args(["run", "auto_mpg", "--beam=--parallelism=4", "--flink", "flink:8099,flink:50000"])
    assert given.beam == [
        "--parallelism=4", "--runner=PortableRunner", "--job_endpoint=flink:8099", "--environment_type=EXTERNAL",
        "--environment_config=flink:50000",
    ]  # fmt: skip
    assert parser().parse_args(["run", "auto_mpg"]).beam == []
    alone = parser().parse_args(["run", "auto_mpg", "--flink", "127.0.0.1:8099"])
    assert alone.beam[-1] == "--environment_type=LOOPBACK"


@pytest.mark.parametrize("text", ["flink", "flink:port", "a:1,b:2,c:3", "http://flink:8099", ""])
def test_what_is_no_address(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser().parse_args(["run", "auto_mpg", "--flink", text])
    assert "such as flink:8099,flink:50000; received" in capsys.readouterr().err
