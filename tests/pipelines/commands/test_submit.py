"""KFP's real client over HTTP: submitting, waiting, and everything that can go wrong on the way."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kubeflow_server import Backend
from repository import ROOT

from pipelines.kubeflow import client, error_messages, follow_run, step_logs, try_again
from pipelines.kubeflow import run_parameters as asked
from tasks import InputError

pytestmark = pytest.mark.slow  # half a second each, and there are many

Sluice = Callable[..., tuple[int, str, str]]
STEPS = ["resolve", "ingest", "validate", "transform", "train", "evaluate", "rehearse", "push"]


SUBMIT = ("submit", "auto_mpg", "--destination", "s3://models/served")
WAIT = (*SUBMIT, "--wait", "--every", "0.01")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_run, "LEAST", 0.01)


def test_a_submitted_run_says_what_it_is(server: Backend, sluice: Sluice) -> None:
    status, out, _ = sluice(*SUBMIT, "--set", "train.epochs=3", "--seed", "7", "--beam=--runner=FlinkRunner")
    (run,) = server.runs
    assert status == 0
    assert out == f"{run['display_name']}\nrun {run['run_id']}\n{server.url}/#/runs/details/{run['run_id']}\n"
    assert run["display_name"].startswith("auto_mpg mlp on sample 20")
    assert [each["display_name"] for each in server.experiments] == ["auto_mpg"]
    asked = run["runtime_config"]["parameters"]
    assert asked["overrides"] == {"train.epochs": "3"}
    assert (asked["task"], asked["seed"], asked["destination"]) == ("auto_mpg", 7, "s3://models/served")
    assert asked["beam_args"] == ["--runner=FlinkRunner"]
    labels = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert labels["exec-train"]["podMetadata"]["labels"] == {"sluice/task": "auto_mpg", "sluice/model": "mlp"}


def test_only_the_trainer_gets_the_gpus(server: Backend, sluice: Sluice) -> None:
    place = ("--gpus", "2", "--gpu-toleration", "nvidia.com/gpu:NoSchedule", "--shm", "8Gi", "--image", "r/s:2")
    assert sluice(*SUBMIT, *place)[0] == 0
    executors = server.runs[0]["pipeline_spec"]["pipeline_spec"]["deploymentSpec"]["executors"]
    assert {name for name, each in executors.items() if "accelerator" in each["container"]["resources"]} == {
        "exec-train"
    }
    assert executors["exec-train"]["container"]["resources"]["accelerator"]["resourceCount"] == "2"
    assert {each["container"]["image"] for each in executors.values()} == {"r/s:2"}


@pytest.mark.parametrize("command", [SUBMIT, ("schedule", *SUBMIT[1:], "--cron", "0 3 * * *")])
def test_what_the_backend_would_ignore_is_told(server: Backend, sluice: Sluice, command: tuple[str, ...]) -> None:
    said = sluice(*command, "--gpus", "1", "--image", "r/s:1")[2]
    assert "note: train asks for nvidia.com/gpu without a toleration" in said


def test_a_path_that_is_on_no_volume_is_no_destination(server: Backend, sluice: Sluice) -> None:
    status, _, said = sluice("submit", "auto_mpg", "--destination", "/serving/cars", "--volume", "models:/models")
    assert (status, server.runs) == (2, [])
    assert "would be gone with the pod" in said
    assert "Received volumes at: /models." in said
    assert sluice("submit", "auto_mpg", "--destination", "/models/cars", "--volume", "models:/models")[0] == 0


def test_a_second_run_shares_the_experiment(server: Backend, sluice: Sluice) -> None:
    assert sluice(*SUBMIT)[0] == sluice(*SUBMIT)[0] == 0
    assert (len(server.experiments), len(server.runs)) == (1, 2)


def test_waiting_follows_step_by_step(server: Backend, sluice: Sluice) -> None:
    server.cached = {"ingest"}
    status, _, said = sluice(*WAIT)
    assert status == 0
    lines = said.splitlines()
    assert [line for line in lines if line.startswith("ingest")] == ["ingest: started", "ingest: cached"]
    assert [line for line in lines if line.startswith("train")] == ["train: started", "train: done in 42 s"]


@pytest.mark.parametrize(
    ("endings", "status", "words"),
    [
        ({"conclude": "FAILED"}, 3, "the gate rejected the model"),
        ({"push": "FAILED"}, 1, "The step push failed"),
        ({"train": "FAILED"}, 1, "The step train failed"),
        ({"resolve": "FAILED"}, 2, "The step resolve failed"),
        ({"": "CANCELED"}, 1, "The run ended as canceled"),
    ],
)
def test_waiting_ends_as_a_local_run_would(
    server: Backend, sluice: Sluice, endings: dict[str, str], status: int, words: str
) -> None:
    server.endings = endings
    found, _, said = sluice(*WAIT)
    assert found == status
    assert words in said


def test_an_executor_that_another_step_skipped_makes_none_cached(server: Backend, sluice: Sluice) -> None:
    server.cached = {"train", "resolve"}
    steps = {step["name"]: step["status"] for step in json.loads(sluice(*WAIT, "--json")[1])["steps"]}
    assert [name for name, status in steps.items() if status == "cached"] == ["resolve", "train"]


LAUNCHER = """I1124 19:31:22.104233      22 launcher_v2.go:193] publish success.
» looking at the data
Traceback (most recent call last):
  File "/opt/sluice/lib/python3.11/site-packages/kfp/dsl/executor_main.py", line 109, in <module>
    executor_main()
  File "/opt/sluice/lib/python3.11/site-packages/components/reading/find_files.py", line 41, in found
    raise InputError(
tasks._task.InputError: No file matches 's3://raw/2026-11-24/*.csv'. Expected one at least.
Files of the day before: 3.
I1124 19:31:22.104233      22 launcher_v2.go:193] publish success.
F1124 19:31:22.104233      22 main.go:57] failed to execute component: exit status 1
time="2026-11-24T19:31:22.553Z" level=info msg="sub-process exited" argo=true error="<nil>"
Error: exit status 1
"""


def test_a_failed_step_s_reason_is_told_as_a_local_run_tells_it(server: Backend, sluice: Sluice) -> None:
    server.endings, server.logs = {"resolve": "FAILED"}, {"resolve": LAUNCHER}
    status, out, said = sluice(*WAIT, "--json")
    sentence = "No file matches 's3://raw/2026-11-24/*.csv'. Expected one at least.\nFiles of the day before: 3."
    assert status == 2
    assert f"sluice: The step resolve failed. {sentence}\n" in said
    assert json.loads(out)["error"] == sentence
    command = next(line for line in said.splitlines() if line.startswith("The whole log: sluice logs"))
    words = command.removeprefix("The whole log: sluice ").split(" --host")[0].split()
    assert sluice(*words)[:2] == (0, LAUNCHER)
    assert sluice("logs", server.runs[0]["display_name"], "resolve")[1] == LAUNCHER


@pytest.mark.parametrize("name", ["train", "conclude"])
def test_steps_under_a_condition_and_without_attempts_have_logs_too(server: Backend, sluice: Sluice, name: str) -> None:
    server.endings, server.logs = {name: "FAILED"}, {name: "OOMKilled\n"}
    said = sluice(*WAIT)[2]
    assert sluice("logs", server.runs[0]["run_id"], name)[:2] == (0, "OOMKilled\n")
    assert ("The step train failed. Its log has no reason: it was killed" in said) == (name == "train")


def test_a_log_that_is_gone_takes_nothing_else_along(server: Backend, sluice: Sluice) -> None:
    server.endings = {"train": "FAILED"}
    status, _, said = sluice(*WAIT)
    assert status == 1
    assert "The step train failed. Why could not be found out: The log of the step train is gone with its pod" in said
    assert f"The run's page: {server.url}/#/runs/details/{server.runs[0]['run_id']}" in said


@pytest.mark.parametrize(
    ("words", "status", "sentence"),
    [
        (("no such run", "train"), 2, "There is no run 'no such run'"),
        (("00000000-0000-0000-0000-000000000000", "train"), 2, "not found (404)"),
        (("x", "trian"), 2, "There is no step 'trian'. Did you mean 'train'?"),
    ],
)
def test_logs_of_what_is_not_there(
    server: Backend, sluice: Sluice, words: tuple[str, str], status: int, sentence: str
) -> None:
    found, _, said = sluice("logs", *words)
    assert (found, sentence in said) == (status, True), said


def test_steps_that_share_a_pod_are_followed_and_have_the_log_of_that(server: Backend, sluice: Sluice) -> None:
    server.cached, server.endings = {"ingest-and-validate"}, {"evaluate-and-push": "FAILED"}
    server.logs = {"evaluate-and-push": LAUNCHER}
    status, out, said = sluice(*WAIT, "--steps", "few", "--json")
    steps = [(step["name"], step["status"]) for step in json.loads(out)["steps"]]
    assert steps == [("resolve", "ran"), ("ingest-and-validate", "cached"), ("transform", "ran"), ("train", "ran"),
                     ("evaluate-and-push", "failed")]  # fmt: skip
    assert (status, "The step evaluate-and-push failed. No file matches" in said) == (1, True)
    for step in ("rehearse", "evaluate-and-push"):
        assert sluice("logs", server.runs[0]["run_id"], step)[:2] == (0, LAUNCHER)


def test_argo_s_hash_is_that_of_a_pod_that_a_real_backend_named() -> None:
    assert step_logs.node_hash("general-cpu-rnggt.root.workspace-name.executor(0)") == 1467617326


def test_one_object_for_scripts(server: Backend, sluice: Sluice) -> None:
    server.cached = {"ingest"}
    status, out, _ = sluice(*WAIT, "--json")
    result = json.loads(out)
    assert status == 0
    assert [step["name"] for step in result["steps"]] == STEPS
    assert result["steps"][1] == {"name": "ingest", "status": "cached", "seconds": 0.0}
    assert (result["blessed"], result["state"]) == (True, "SUCCEEDED")
    assert (result["model"], result["nothing_new"]) == ("mlp", False)
    assert json.loads(sluice(*SUBMIT, "--json")[1])["run_id"] == server.runs[1]["run_id"]


def test_only_a_watched_run_has_a_step_that_concludes(server: Backend, sluice: Sluice) -> None:
    sluice(*SUBMIT)
    sluice(*WAIT)
    plain, watched = (steps_of(run) for run in server.runs)
    assert watched.keys() - plain.keys() == {"conclude"}
    assert "retryPolicy" not in watched["conclude"]


def steps_of(run: dict[str, Any]) -> dict[str, Any]:
    spec = run["pipeline_spec"]["pipeline_spec"]
    dags = [spec["root"], *spec["components"].values()]
    tasks = {name: task for dag in dags for name, task in dag.get("dag", {}).get("tasks", {}).items()}
    return {name: task for name, task in tasks.items() if "triggerPolicy" not in task}


def test_an_unchanged_run_ends_after_its_first_step(server: Backend, sluice: Sluice) -> None:
    server.condition = False
    status, out, said = sluice(*WAIT, "--json")
    result = json.loads(out)
    assert status == 0
    assert said.splitlines()[-1] == "nothing new: what this run would come to is served already"
    assert [step["name"] for step in result["steps"]] == ["resolve"]
    assert (result["blessed"], result["nothing_new"]) == (None, True)


@pytest.mark.parametrize("flag", ["--no-push", "--no-cache"])
def test_who_asks_for_the_work_gets_it_also_where_nothing_is_new(server: Backend, sluice: Sluice, flag: str) -> None:
    server.condition = False
    assert [step["name"] for step in json.loads(sluice(*WAIT, flag, "--json")[1])["steps"]] == STEPS
    cached = {name for name, task in steps_of(server.runs[0]).items() if task["cachingOptions"].get("enableCache")}
    assert cached == (set() if flag == "--no-cache" else {*STEPS} - {"resolve", "push"})


@pytest.mark.parametrize(("release", "named"), [("2.16.0", True), ("2.5.0", False), ("dev_local", False)])
def test_steps_have_display_names_where_the_backend_bears_them(
    server: Backend, sluice: Sluice, release: str, named: bool
) -> None:
    server.release = release
    status, _, said = sluice(*SUBMIT, "--image", "r/s:2")
    assert (status, said) == (0, "")
    assert {task["taskInfo"]["name"] != name for name, task in steps_of(server.runs[0]).items()} == {named}


def test_a_later_backend_is_noted(server: Backend, sluice: Sluice) -> None:
    server.release = "3.0.0"
    status, _, said = sluice(*SUBMIT, "--image", "r/s:2")
    assert (status, len(server.runs)) == (0, 1)
    assert said == f"note: {server.url} is Kubeflow Pipelines 3.0.0; Sluice was tried with 2 only.\n"


@pytest.mark.parametrize(("command", "default"), [("submit", "what it says of itself, else 2.0"), ("compile", "2.14")])
def test_the_help_says_for_which_backend(capsys: pytest.CaptureFixture[str], command: str, default: str) -> None:
    from pipelines.command_line import parser

    with pytest.raises(SystemExit):
        parser().parse_args([command, "--help"])
    assert f"of Kubeflow Pipelines; default: {default}" in " ".join(capsys.readouterr().out.split())


def test_faults_while_waiting_pass(server: Backend, sluice: Sluice) -> None:
    server.fault("GET", "/runs/", 503, times=2)
    server.fault("GET", "/runs/", "drop", times=5)
    assert sluice(*WAIT)[0] == 0


def test_a_backend_that_stays_away_ends_the_waiting(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow_run, "PATIENCE", 0.1)
    server.fault("GET", "/runs/", 500, times=1000)
    status, _, said = sluice(*WAIT)
    assert status == 1
    assert f"The run goes on without us: {server.url}/#/runs/details/{server.runs[0]['run_id']}" in said


def test_a_backend_that_is_away_for_a_moment_is_asked_again(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_again, "LIMIT", 60.0)
    server.fault("GET", "/healthz", 503, times=2)
    server.fault("GET", "/experiments", "drop")
    server.fault("POST", "/experiments", 503)
    server.fault("POST", "/runs", "drop", times=2)
    status, out, said = sluice(*SUBMIT, "--image", "r/s:2")
    assert (status, len(server.runs), server.faults) == (0, 1, [])
    assert server.runs[0]["run_id"] in out
    assert len(server.experiments) == 1
    notes = said.splitlines()
    assert f"note: {server.url} answered 503; trying again in 0 s" in notes
    assert f"note: {server.url} gave no answer (ProtocolError); trying again in 0 s" in notes
    assert f"note: The connection to {server.url} broke at starting the run; trying again in 0 s" in notes


def test_what_the_backend_itself_answers_is_asked_once(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_again, "LIMIT", 60.0)
    server.fault("POST", "/runs", 500, times=9)
    assert sluice(*SUBMIT)[0] == 1
    assert len(server.faults) == 8


def test_a_lost_answer_does_not_start_a_second_run(server: Backend, sluice: Sluice) -> None:
    server.fault("POST", "/runs", "lose")
    status, out, _ = sluice(*SUBMIT)
    assert (status, len(server.runs)) == (0, 1)
    assert server.runs[0]["run_id"] in out


@pytest.mark.parametrize(
    ("fault", "words"),
    [(500, "failed at starting the run (500)"), ("drop", "broke at starting the run")],
)
def test_a_run_that_could_not_be_started_is_told(server: Backend, sluice: Sluice, fault: Any, words: str) -> None:
    server.fault("POST", "/runs", fault, times=9)
    status, out, said = sluice(*SUBMIT)
    assert (status, out, server.runs) == (1, "", [])
    assert words in said


def test_a_slow_answer_is_waited_for_and_then_not(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.fault("GET", "/healthz", 0.3)
    assert sluice(*SUBMIT)[0] == 0
    monkeypatch.setattr(error_messages, "READ", 0.1)
    server.fault("GET", "/healthz", 1.0, times=9)
    status, _, said = sluice(*SUBMIT)
    assert status == 1
    assert "seconds for an answer" in said


def test_a_request_is_made_once(server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(error_messages, "READ", 0.2)
    server.fault("GET", "/healthz", 1.0, times=9)
    assert sluice("schedules")[0] == 1
    assert len(server.log) == 1


@pytest.mark.parametrize(
    ("how", "status", "words"),
    [
        ({"tokens": {"good"}}, 2, "does not know who is asking (401). It wants a token or cookie"),
        ({"forbidden": True}, 2, "does not allow it (403). It said: User alice is not authorized"),
        ({"version": 1}, 2, "a backend of Kubeflow Pipelines 1"),
        ({"release": "1.8.22"}, 2, "a backend of Kubeflow Pipelines 1"),
        ({"login_page": True}, 2, "answered with a page instead of the API's JSON"),
        ({"multi_user": True}, 2, "has many users. Expected --namespace"),
    ],
)
def test_a_backend_that_will_not_is_one_sentence(
    server: Backend, sluice: Sluice, how: dict[str, Any], status: int, words: str
) -> None:
    for name, value in how.items():
        setattr(server, name, value)
    found, out, said = sluice(*SUBMIT)
    (line,) = [line for line in said.splitlines() if line.startswith("sluice: ")]
    assert (found, out) == (status, "")
    assert words in line
    assert server.url in line


@pytest.mark.parametrize(
    ("host", "status", "words"),
    [
        ("http://127.0.0.1:9", 1, "cannot be reached"),
        ("http://nowhere.invalid", 2, "There is no host of that name"),
        ("http://[bad", 2, "Expected an address such as https://kubeflow.example. Received: 'http://[bad'"),
        ("kubeflow.example:99999", 2, "Expected an address such as"),
        ("http:///pipeline", 2, "Expected an address such as"),
        ("ftp://kubeflow.example", 2, "reached by https:// or http:// only. Received: ftp://."),
        ("https://alice:secret@kubeflow.example", 2, "The host must not hold a password"),
        ("alice:secret#@kubeflow.example", 2, "The host must not hold a password"),
    ],
)
def test_a_host_that_is_not_there(server: Backend, sluice: Sluice, host: str, status: int, words: str) -> None:
    found, _, said = sluice(*SUBMIT, host=host)
    assert found == status
    assert words in said
    assert "secret" not in said


def test_another_service_is_not_found(server: Backend, sluice: Sluice) -> None:
    status, _, said = sluice(*SUBMIT, host=f"{server.url}/elsewhere")
    assert status == 2
    assert "there is no Kubeflow Pipelines API (404)" in said


def test_https_where_http_is_spoken(server: Backend, sluice: Sluice) -> None:
    host = server.url.replace("http:", "https:")
    status, _, said = sluice(*SUBMIT, host=host)
    assert status == 2
    assert said == f"sluice: {host} speaks http, not https. Expected {server.url}.\n"


@pytest.mark.parametrize("page", ["/#/runs", "/#/runs/details/1?x=y", "#/experiments", "/?ns=alice#/runs", "/"])
def test_an_address_from_the_browser(server: Backend, sluice: Sluice, page: str) -> None:
    assert sluice("schedules", host=server.url + page)[0] == 0
    assert server.log[0][1] == "/apis/v2beta1/healthz"


SAFE = ["https://kubeflow.example", "http://localhost:8888", "http://127.8.0.1", "http://[::1]:8888",
        "http://ml-pipeline:8888", "http://ml-pipeline.kubeflow.svc:8888", "http://a.b.svc.cluster.local",
        "HTTPS://kubeflow.example", "kubeflow.example"]  # fmt: skip
OPEN = ["http://kubeflow.example", "http://10.0.0.7:8888", "http://[2001:db8::1]", "HTTP://kubeflow.example/pipeline",
        "http://svc.example"]  # fmt: skip


@pytest.mark.parametrize("host", OPEN)
def test_a_token_does_not_go_out_in_the_open(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    monkeypatch.setenv("SLUICE_KFP_TOKEN", "good-token")
    status, _, said = sluice("schedules", host=host)
    assert status == 2
    assert "A token goes over plain http to this machine or inside the cluster only. Expected https://" in said


@pytest.mark.parametrize("host", SAFE)
def test_where_a_token_may_go(tmp_path: Path, host: str) -> None:
    with pytest.raises(InputError, match="cannot be read"):  # so nothing is sent
        client.connect(host, token_file=str(tmp_path / "none"))


def test_many_users_have_namespaces(server: Backend, sluice: Sluice) -> None:
    server.multi_user = True
    assert sluice(*SUBMIT, "--namespace", "alice")[0] == 0
    assert server.experiments[0]["namespace"] == "alice"
    assert not Path("~/.config/kfp/context.json").expanduser().exists()


def test_a_token_from_the_environment(server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    server.tokens = {"good-token"}
    monkeypatch.setenv("SLUICE_KFP_TOKEN", "good-token")
    assert sluice(*WAIT)[0] == 0
    sent = {headers.get("authorization") for _, _, headers in server.log}
    assert sent == {"Bearer good-token"}


def test_a_token_with_the_word_before_it(server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    server.tokens = {"good-token"}
    monkeypatch.setenv("SLUICE_KFP_TOKEN", "Bearer good-token\n")
    assert sluice("schedules")[0] == 0
    assert {headers.get("authorization") for _, _, headers in server.log} == {"Bearer good-token"}


def test_a_cookie_from_the_environment(server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    server.cookie = "authservice_session=abc"
    assert sluice(*SUBMIT)[0] == 2
    monkeypatch.setenv("SLUICE_KFP_COOKIE", "authservice_session=abc\n")
    assert sluice(*SUBMIT)[0] == 0


@pytest.mark.parametrize("cookie", ["session=TOPSECRET\nX: y", "session=TOPSECRET", "lang=de; session=TOPSECRET"])
def test_a_cookie_is_never_shown(server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch, cookie: str) -> None:
    server.cookie = "another"
    monkeypatch.setenv("SLUICE_KFP_COOKIE", cookie)
    status, out, said = sluice("schedules")
    assert status == 2
    assert "TOPSECRET" not in out + said
    assert "Expected a cookie in $SLUICE_KFP_COOKIE" in said or "(401)" in said


def test_a_cookie_that_the_server_repeats_is_never_shown(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.forbidden_words = "no permission for the session TOPSECRET"
    monkeypatch.setenv("SLUICE_KFP_COOKIE", "lang=de; session=TOPSECRET")
    status, out, said = sluice("schedules")
    assert status == 2
    assert "no permission for the session …" in said
    assert "TOPSECRET" not in out + said


def test_a_token_file_is_read_again_when_it_is_renewed(server: Backend, sluice: Sluice, tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    server.tokens = {"first"}
    assert sluice(*SUBMIT, "--token-file", str(file))[0] == 0
    cluster = client.connect(server.url, token_file=str(file))
    server.tokens = {"second"}
    file.write_text("second\n")
    with cluster.spoken():
        assert cluster.client.list_experiments().experiments


def test_the_cluster_s_own_token(
    server: Backend, sluice: Sluice, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "projected").write_text("of the service account")
    monkeypatch.setenv("KF_PIPELINES_SA_TOKEN_PATH", str(tmp_path / "projected"))
    server.tokens = {"of the service account"}
    assert sluice(*SUBMIT)[0] == 0


def test_an_expired_token_is_told_and_never_shown(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SLUICE_KFP_TOKEN", "expired-token")
    server.tokens = {"another"}
    status, out, said = sluice(*SUBMIT)
    assert status == 2
    assert "The token has expired or is not for this backend" in said
    assert "expired-token" not in out + said


def test_a_token_that_expires_while_waiting(server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SLUICE_KFP_TOKEN", "good-token")
    server.fault("GET", "/runs/", 401, times=3)
    assert sluice(*WAIT)[0] == 0  # it was renewed
    server.fault("GET", "/runs/", 401, times=100)
    status, out, said = sluice(*WAIT)
    assert status == 1
    assert len(server.faults) == 100 - follow_run.AGAIN - 1
    assert "The run goes on without us" in said
    assert "good-token" not in out + said


@pytest.mark.parametrize("content", ["", "two\nlines", "naïve"])
def test_a_token_file_that_holds_none(server: Backend, sluice: Sluice, tmp_path: Path, content: str) -> None:
    (tmp_path / "token").write_text(content)
    status, _, said = sluice(*SUBMIT, "--token-file", str(tmp_path / "token"))
    assert status == 2
    assert f"Expected a token in {tmp_path / 'token'}" in said
    assert server.log == []


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--model", "mlq"), "Did you mean 'mlp'?"),
        (("--set", "train.epoch=3"), "Did you mean 'train.epochs'?"),
        (("--data", "cars.csv"), "--data must be a URL"),
        (("--destination", "serving"), "--destination must be a URL"),
        (("--force", " "), "--force needs a reason"),
        (("--secret", "s3:hunter2"), "--secret takes NAME:KEY=VARIABLE"),
        (("--toleration", "a:Sometimes"), "A toleration is KEY"),
        (("--volume", "models"), "A volume is CLAIM:/PATH"),
        (("--shm", "8 GB"), "shm must be a size"),
        (("--gpus", "-1"), "gpus must be 0 or more"),
        (("--data", "s3://raw/{dat}/*.csv"), "a placeholder {dat}, which nothing would fill. Did you mean '{date}'?"),
        (("--data", "s3://raw/{}.csv"), "a placeholder {}, which nothing would fill"),
        (("--data", "s4://raw/x.csv"), "--data has the scheme 's4', which no driver knows. Did you mean 's3'?"),
        (("--destination", "gs3://b/x"), "--destination has the scheme 'gs3'"),
        (("--data-dir", "zip://x::s4://b/x.zip"), "--data-dir has the scheme 's4'"),
        (("--every", "-1"), "--every takes a number of seconds"),
        (("--every", "0"), "--every takes a number of seconds"),
        (("--every", "nan"), "--every takes a number of seconds"),
        (("--every", "inf"), "--every takes a number of seconds"),
    ],
)
def test_wrong_words_never_reach_the_cluster(
    server: Backend, sluice: Sluice, words: tuple[str, ...], sentence: str
) -> None:
    status, _, said = sluice(*SUBMIT, *words)
    assert status == 2
    assert sentence in said
    assert server.log == []


@pytest.mark.parametrize("flag", ["--data", "--data-dir", "--destination", "--pipeline-root"])
@pytest.mark.parametrize(
    "place",
    ["s3://AKIA:SECRET@b/x.csv", "s3://AKIA:SEC/SECRET@b/x.csv", "s3://SECRET@b/x.csv", "zip://a.csv::s3://k:SECRET@b",
     "abfs://a:SECRET@account/x", "sftp://alice:SECRET@host:22/x"],
)  # fmt: skip
def test_keys_are_no_part_of_an_address(server: Backend, sluice: Sluice, flag: str, place: str) -> None:
    status, out, said = sluice(*SUBMIT, flag, place)
    assert status == 2
    assert "must not hold a user or a key" in said
    assert "SECRET" not in out + said
    assert server.log == []


@pytest.mark.parametrize(
    "place",
    ["s3://raw/day={date}/{previous_date}-{a,b}.csv", "hdfs://namenode:8020/x@y.csv", "hf://datasets/a/b@main/c.csv",
     "abfss://container@account.dfs.core.windows.net/x.csv", "github://org:repo@4e06bf0/x.csv", "http://[::1]:80/x.csv",
     "/mounted/a@b:c.csv", "simplecache::s3://raw/x.csv"],
)  # fmt: skip
def test_addresses_that_are_fine(server: Backend, place: str) -> None:
    from pipelines.command_line import parser

    given = parser().parse_args([*SUBMIT, "--data", place])
    assert asked.parameters(given, asked.profile_of(given))["data"] == place


def _process(server: Backend, tmp_path: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "SLUICE_KFP_TOKEN": "top-secret"}
    command = [sys.executable, "-m", "pipelines", *SUBMIT, "--host", server.url, "--wait", "--every", "0.1"]
    return subprocess.Popen(
        command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_ctrl_c_while_waiting_leaves_the_run_alone(server: Backend, tmp_path: Path) -> None:
    server.frozen, server.tokens = True, {"top-secret"}
    process = _process(server, tmp_path)
    end = time.monotonic() + 60
    while not any(method == "GET" and "/runs/" in path for method, path, _ in server.log):
        assert time.monotonic() < end
        assert process.poll() is None
        time.sleep(0.05)
    shown = Path(f"/proc/{process.pid}/cmdline").read_text() if Path("/proc").is_dir() else ""
    process.send_signal(signal.SIGINT)
    out, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert f"no longer waiting; the run goes on: {server.url}/#/runs/details/" in said
    assert "top-secret" not in shown + out + said
    assert "oneDNN" not in said  # nobody needs TensorFlow to submit
    assert not [method for method, path, _ in server.log if method == "DELETE" or "terminate" in path]


def test_a_profile_tells_where(server: Backend, sluice: Sluice, tmp_path: Path) -> None:
    (tmp_path / "sluice.toml").write_text(
        '[tool.sluice.kubeflow]\nimage = "r/s:1"\n[tool.sluice.kubeflow.prod]\ndestination = "/serving"\n'
        'service_account = "trainer"\nvolumes = ["models:/serving"]\npipeline_root = "s3://artifacts"\n'
    )
    assert sluice("submit", "auto_mpg", "--profile", "prod")[0] == 0
    (run,) = server.runs
    assert (run["service_account"], run["runtime_config"]["pipeline_root"]) == ("trainer", "s3://artifacts")
    executors = run["pipeline_spec"]["platform_spec"]["platforms"]["kubernetes"]["deploymentSpec"]["executors"]
    assert executors["exec-push"]["pvcMount"][0]["mountPath"] == "/serving"


@pytest.mark.parametrize(
    ("typed", "used"),
    [
        ([], ["--runner=PortableRunner", "--job_endpoint=flink:8099", "--environment_type=EXTERNAL",
              "--environment_config=localhost:50000"]),
        (["--beam=--parallelism=4"], ["--runner=PortableRunner", "--job_endpoint=flink:8099",
                                      "--environment_type=EXTERNAL", "--environment_config=localhost:50000",
                                      "--parallelism=4"]),
        (["--beam=--runner=DataflowRunner"], ["--runner=DataflowRunner"]),
        (["--flink", "other:1,localhost:2"], ["--runner=PortableRunner", "--job_endpoint=other:1",
                                              "--environment_type=EXTERNAL", "--environment_config=localhost:2"]),
    ],
)  # fmt: skip
def test_a_flink_of_the_profile_runs_ingest_and_transform(
    server: Backend, sluice: Sluice, tmp_path: Path, typed: list[str], used: list[str]
) -> None:
    (tmp_path / "sluice.toml").write_text(
        '[tool.sluice.kubeflow]\nimage = "r/s:1"\ndestination = "s3://models"\npipeline_root = "s3://artifacts"\n'
        'flink = "flink:8099,localhost:50000"\n'
    )
    assert sluice("submit", "auto_mpg", *typed)[0] == 0
    assert server.runs[0]["runtime_config"]["parameters"]["beam_args"] == used


def test_the_server_of_these_tests_keeps_the_rules(server: Backend) -> None:
    cluster = client.connect(server.url)
    for body, words in (
        ({"display_name": ""}, "name is empty"),
        ({"display_name": "a", "colour": "red"}, "unknown field"),
    ):
        with pytest.raises(InputError, match=words), cluster.spoken():
            cluster.client._experiment_api.experiment_service_create_experiment(experiment=body)


def test_the_doctor_says_what_it_saw_of_a_kubeflow_and_what_not(server: Backend, sluice: Sluice) -> None:
    status, out, _ = sluice("doctor")
    assert status == 0
    assert f"{server.url}: version 2.17.0, one user" in out
    assert "none yet" in out
    assert "not seen from outside: the config map kfp-launcher" in out
    server.endings = {"train": "FAILED"}
    sluice(*WAIT)
    status, out, _ = sluice("doctor")
    assert (status, f"See {server.url}/#/runs/details/{server.runs[0]['run_id']}" in out) == (0, True)
    server.tokens = {"another"}
    status, out, _ = sluice("doctor")
    assert (status, "does not know who is asking (401)" in out) == (1, True)
