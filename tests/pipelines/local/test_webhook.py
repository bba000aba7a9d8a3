"""Who is told when a run that nobody watches goes wrong, what is never told, and that nothing hangs on it."""

from __future__ import annotations

import json
import socket
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from webhooks import listening

from components.storage.secrets_in_text import without_secrets
from pipelines import check_arguments
from pipelines.command_line import parser
from pipelines.commands import run as command
from pipelines.local import run_record, webhook
from pipelines.local.run import Result
from tasks import InputError

FACTS: dict[str, Any] = {
    "run": "auto_mpg-7", "task": "auto_mpg", "model": "mlp", "data": "https://me:pass@host/cars.csv?sig=abc&x=1",
    "steps": [], "blessed": False, "reasons": ["mae 3 is above the bar 2.5"], "status": "rejected",
    "parameters": {"publish": True, "data": "s3://key:pass/word@bucket/cars.csv"},
}  # fmt: skip


def test_a_rejected_run_is_told_with_its_reasons_and_without_secrets() -> None:
    with listening() as hook:
        command._notify(hook.url, Result(FACTS, 3))
    [said] = hook.bodies()
    assert said["text"] == (
        "auto_mpg-7: the gate rejected the model; nothing was pushed:\n  - mae 3 is above the bar 2.5"
    )
    assert (said["event"], said["exit_status"], said["run"]) == ("rejected", 3, "auto_mpg-7")
    assert said["reasons"] == FACTS["reasons"]
    assert said["data"] == "https://host/cars.csv?…"
    assert said["host"] == socket.gethostname()
    assert "parameters" not in said


def test_a_run_that_cannot_begin_is_told_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with listening() as hook:
        with pytest.raises(InputError):
            command.main(parser().parse_args(["run", "auto_mgp", "--notify", hook.url]))
        with pytest.raises(InputError):
            command.main(parser().parse_args(["run", "auto_mpg", "--keep", "-1", "--notify", hook.url]))
    first, _ = hook.bodies()
    assert (first["event"], first["exit_status"]) == ("failed", 2)
    assert first["text"].startswith("sluice run auto_mgp failed: There is no task 'auto_mgp'.")


def tell(url: str, capsys: pytest.CaptureFixture[str]) -> str:
    webhook.tell(url, "failed", "it failed", 1)
    return capsys.readouterr().err


def test_a_dead_webhook_is_told_in_a_line_without_its_address(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webhook, "SECONDS", 0.3)
    said = "sluice: the webhook at http://127.0.0.1 was not told: {}. The exit status stays 1.\n"
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{nobody.getsockname()[1]}/secret"
        assert tell(url, capsys) == said.format("[Errno 111] Connection refused")
        nobody.listen()  # takes the connection, and never says a word
        began = time.monotonic()
        assert tell(url, capsys).startswith("sluice: the webhook at http://127.0.0.1 was not told: ")
        assert time.monotonic() - began < 2
    with listening(404) as hook:
        assert tell(hook.url, capsys) == said.format("it answered 404")
    with listening() as other, listening(307, location=other.url) as hook:
        assert tell(hook.url, capsys) == said.format("it answered 307")
    assert other.heard == []
    with listening(204) as hook:
        assert tell(hook.url, capsys) == ""


@pytest.mark.parametrize("url", ["hooks.example/T0", "ftp://hooks.example", "https://", "http://h:0/", "http://h/a b"])
def test_what_is_no_webhook(url: str) -> None:
    with pytest.raises(InputError, match=r"^--notify takes the address of a webhook, such as .* Received another\.$"):
        webhook.check(url)


def test_a_webhook_with_a_password_is_refused_without_repeating_it() -> None:
    given = parser().parse_args(["run", "auto_mpg", "--notify", "https://me:hush@hooks.example/T0"])
    check_arguments.check_no_keys(given)  # whose advice is about data
    with pytest.raises(InputError, match="with a user or password in it") as caught:
        command.main(given)
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (["run", "a", "--notify", "https://h/secret", "--seed", "1"], "sluice run a --seed 1"),
        (["run", "a", "--notify=https://h/secret"], "sluice run a"),
        (["run", "a", "--noti", "https://h/secret", "--no-push"], "sluice run a --no-push"),
        (["run", "a", "--notify"], "sluice run a"),
    ],
)
def test_the_record_does_not_keep_the_address(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], kept: str
) -> None:
    monkeypatch.setattr(sys, "argv", ["sluice", *words])
    record = run_record.Record.new(tmp_path / "runs", "a", {})
    assert json.loads((record.path / "run.json").read_text())["command"] == kept
    record.close("done")


@pytest.mark.parametrize(
    ("words", "harmless"),
    [
        ("read s3://key:se/cr@et@b/x.csv", "read s3://b/x.csv"),
        ("'https://u@h/x?X-Amz-Signature=1&a=2#f' and more", "'https://h/x?…' and more"),
        ("zip://a.csv::s3://k:p@b/a.zip?token=1", "zip://a.csv::s3://b/a.zip?…"),
        ("http://h:80/a@b.csv", "http://h:80/a@b.csv"),
        ("gs://b/day-?/cars-*.csv is fine, me@example.com too", "gs://b/day-?/cars-*.csv is fine, me@example.com too"),
    ],
)
def test_addresses_lose_users_passwords_and_signatures(words: str, harmless: str) -> None:
    assert without_secrets(words) == harmless


def test_on_kubeflow_it_says_what_does_it_there(sluice: Any) -> None:
    status, _, said = sluice("schedule", "auto_mpg", "--cron", "0 3 * * *", "--notify", "https://h/secret")
    assert status == 2
    assert "On Kubeflow, --fail-when-rejected lets a rejected model fail its run" in said
