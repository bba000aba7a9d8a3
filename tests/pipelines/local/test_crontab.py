"""What cron and systemd are told: absolute, quoted, and understood by systemd itself."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from components.resolve import cron
from pipelines import command_line
from pipelines.local import crontab
from tasks import InputError

ANALYZE = shutil.which("systemd-analyze")


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    home = tmp_path / "my models"
    home.mkdir()
    monkeypatch.chdir(home)
    for name in (*crontab.CARRIED, "SLUICE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TZ", "UTC")
    return home


def told(*words: str, cron: str = "0 3 * * *") -> str:
    return crontab.text(command_line.parser().parse_args(["schedule", "auto_mpg", "--local", "--cron", cron, *words]))


def crontab_of(text: str) -> str:
    return next(line for line in text.splitlines() if " run auto_mpg" in line and not line.startswith(("Exec", "Desc")))


def test_the_crontab_line_runs_the_very_command(here: Path) -> None:
    data = "data/{date}/100%/car's *.csv"
    line = crontab_of(told("--data", data, "--set", "train.epochs=3", "--warm-start", "--seed", "7"))
    fields, command = " ".join(line.split()[:5]), line.split(maxsplit=5)[5]
    assert fields == "0 3 * * *"
    assert "%" not in command.replace(r"\%", "")
    words = shlex.split(command.replace(r"\%", "%"))
    assert words[:3] == ["cd", str(here), "&&"]
    assert words[3:8] == ["flock", "-n", str(here / ".sluice-auto_mpg.lock"), sys.executable, "-m"]
    assert words[8:18] == [
        "pipelines", "run", "auto_mpg", "--data", str(here / data), "--set", "train.epochs=3", "--seed", "7",
        "--warm-start",
    ]  # fmt: skip
    assert words[18:22] == ["--runs", str(here / "runs"), "--serving", str(here / "serving")]
    command_line.parser().parse_args(words[9:22])
    assert words[22:] == [">>", str(here / "sluice-auto_mpg.log"), "2>&1"]


def test_nothing_is_installed_and_the_environment_is_carried(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TFDS_DATA_DIR", "/data/50% off")
    monkeypatch.setenv("KERAS_HOME", "/data/$home")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    text = told()
    assert list(here.iterdir()) == []
    assert r"TFDS_DATA_DIR='/data/50\% off'" in text
    assert 'Environment="TFDS_DATA_DIR=/data/50%% off"' in text
    assert 'Environment="KERAS_HOME=/data/$home"' in text
    assert "hush" not in text


def test_every_option_has_its_meaning_here_or_is_refused() -> None:
    plain, other = told(), told("--no-cache", "--catchup", "--fail-when-rejected")
    assert "--no-cache" in other.partition("ExecStart=")[2].partition("\n")[0]
    assert ("SuccessExitStatus=3" in plain, "SuccessExitStatus=3" in other) == (True, False)
    assert ("Persistent=true" in plain, "Persistent=true" in other) == (False, True)
    assert "cron does not make up for the times" in other
    for words in (["--disabled"], ["--gpus", "2"], ["--host", "https://x"], ["--volume", "a:/b"]):
        with pytest.raises(InputError, match=f"{words[0]} is for Kubeflow"):
            told(*words)


@pytest.mark.parametrize(
    ("fields", "events"),
    [
        ("0 3 * * *", ["*-*-* 03:00:00"]),
        ("*/15 * * * *", ["*-*-* *:00,15,30,45:00"]),
        ("30 6 * * mon-fri", ["Mon,Tue,Wed,Thu,Fri *-*-* 06:30:00"]),
        ("0 0 1,15 */6 *", ["*-01,07-01,15 00:00:00"]),
        ("0 0 13 * 5", ["*-*-13 00:00:00", "Fri *-*-* 00:00:00"]),
        ("0 0 * * 7", ["Sun *-*-* 00:00:00"]),
        ("@daily", ["*-*-* 00:00:00"]),
    ],
)
def test_calendar_events(fields: str, events: list[str]) -> None:
    assert crontab.events(cron.parse(fields)) == events
    if ANALYZE:
        for event in events:
            subprocess.run([ANALYZE, "calendar", f"{event} Europe/Berlin"], check=True, capture_output=True)


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed here")
def test_systemd_takes_the_units(here: Path, tmp_path: Path) -> None:
    text = told("--data", 'a "b" $c %d\\e.csv', "--timezone", "Europe/Berlin", cron="0 3 1 * mon")
    parts = text.split("[Unit]")
    for name, part in zip(("sluice-auto_mpg.service", "sluice-auto_mpg.timer"), parts[1:], strict=True):
        body = "\n".join(line for line in part.splitlines() if not line.startswith("#"))
        (tmp_path / name).write_text("[Unit]" + body + "\n")
    units = [str(tmp_path / "sluice-auto_mpg.service"), str(tmp_path / "sluice-auto_mpg.timer")]
    done = subprocess.run([str(ANALYZE), "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    assert "sluice-auto_mpg" not in done.stderr, done.stderr
    assert r'--data "' in text
    assert r'a \"b\" $$c %%d\\e.csv"' in text


def test_a_zone_that_cron_cannot_keep_is_told() -> None:
    text = told("--timezone", "Europe/Berlin")
    assert "cron goes by this machine's clock, which is not that of Europe/Berlin" in text
    assert "OnCalendar=*-*-* 03:00:00 Europe/Berlin" in text
    assert "Environment=TZ=Europe/Berlin\n" in text  # so {date} is a day there


@pytest.mark.parametrize(
    ("words", "fields", "sentence"),
    [
        ((), "30 0 3 * * *", "cron knows minutes, no seconds"),
        ((), "0 3 31 2 *", "never comes due"),
        ((), "0 25 * * *", "The hour of a schedule goes from 0 to 23"),
        (("--timezone", "Mars/Base"), "0 3 * * *", "Expected a time zone by its IANA name"),
        (("--name", "a b"), "0 3 * * *", "A unit's name is letters"),
        (("--set", "train.epoch=3"), "0 3 * * *", "Did you mean 'train.epochs'"),
        (("--data", "a\nb.csv"), "0 3 * * *", "one line"),
    ],
)
def test_what_cannot_be_is_a_sentence(words: tuple[str, ...], fields: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        told(*words, cron=fields)


def test_a_webhook_is_told_by_the_command_itself(here: Path) -> None:
    url = "https://hooks.example/T0/B%201"
    text = told("--notify", url)
    assert f"--notify {url}".replace("%", r"\%") in crontab_of(text)
    assert f"--notify {url}".replace("%", "%%") in text.partition("ExecStart=")[2].partition("\n")[0]
    with pytest.raises(InputError, match="--notify takes the address of a webhook"):
        told("--notify", "hooks.example")
