"""KFP's real client over HTTP: schedules made, replaced, listed and removed."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from kubeflow_server import Backend

from pipelines.kubeflow import try_again

pytestmark = pytest.mark.slow  # half a second each, and there are many

Sluice = Callable[..., tuple[int, str, str]]
SCHEDULE = ("schedule", "auto_mpg", "--destination", "s3://models/served", "--cron", "0 3 * * *")


def test_a_schedule_is_made_with_six_fields_and_no_overlap(server: Backend, sluice: Sluice) -> None:
    status, out, said = sluice(*SCHEDULE, "--data", "s3://raw/day={date}/*.csv")
    (made,) = server.recurringruns
    assert status == 0
    assert made["trigger"]["cron_schedule"]["cron"] == "0 0 3 * * *"
    assert (made["max_concurrency"], made["no_catchup"], made["status"]) == (1, True, "ENABLED")
    assert made["display_name"] == "auto_mpg"
    asked = made["runtime_config"]["parameters"]
    assert asked["data"] == "s3://raw/day={date}/*.csv"
    spec = made["pipeline_spec"]
    tasks = spec.get("pipeline_spec", spec)["root"]["dag"]["tasks"]
    assert tasks["resolve"]["inputs"]["parameters"]["scheduled"] == {
        "runtimeValue": {"constant": "{{$.pipeline_job_schedule_time_utc}}"}
    }
    assert (asked["schedule"], asked["timezone"]) == ("0 0 3 * * * UTC", "UTC")
    assert out == f"auto_mpg: scheduled\n{server.url}/#/recurringrun/details/{made['recurring_run_id']}\n"
    assert len([line for line in said.splitlines() if " 03:00:00 +0000" in line]) == 5


def test_the_times_are_told_before_anything_is_made(server: Backend, sluice: Sluice) -> None:
    server.fault("GET", "/healthz", 500, times=9)
    status, _, said = sluice(*SCHEDULE)
    assert status == 1
    assert "The next 5 times, in UTC:" in said


def test_a_backend_that_is_away_for_a_moment_has_one_schedule_in_the_end(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(try_again, "LIMIT", 60.0)
    sluice(*SCHEDULE)
    server.fault("POST", "/recurringruns", 503)
    server.fault("DELETE", "/recurringruns", "drop")
    status, _, said = sluice(*SCHEDULE[:-1], "30 4 * * *")
    assert (status, len(server.recurringruns), server.faults) == (0, 1, [])
    assert server.recurringruns[0]["trigger"]["cron_schedule"]["cron"] == "0 30 4 * * *"
    assert said.count("trying again in") == 2


def test_a_zone_becomes_the_server_s(server: Backend, sluice: Sluice) -> None:
    status, _, said = sluice(*SCHEDULE, "--timezone", "Asia/Tokyo")
    assert status == 0
    assert server.recurringruns[0]["trigger"]["cron_schedule"]["cron"] == "0 0 18 * * *"
    assert "note: Kubeflow's clock" not in said  # Tokyo has no summer time
    assert "03:00:00 +0900" in said
    assert server.recurringruns[0]["runtime_config"]["parameters"]["timezone"] == "UTC+09:00"


def test_a_word_about_summer_time(server: Backend, sluice: Sluice) -> None:
    _, _, said = sluice(*SCHEDULE, "--timezone", "Europe/Berlin")
    assert "note: Kubeflow's clock is that of its server (UTC), and Europe/Berlin changes against it by" in said
    _, _, said = sluice(*SCHEDULE, "--timezone", "Europe/Berlin", "--server-timezone", "Europe/Paris")
    assert "note: Kubeflow's clock" not in said


def test_a_word_about_seconds(server: Backend, sluice: Sluice) -> None:
    _, _, said = sluice(*SCHEDULE[:-1], "* * * * * *", "--disabled")
    assert "note: This comes due 60 times in a minute. The first of six fields is the second" in said
    assert "note: This comes due" not in sluice(*SCHEDULE)[2]


def test_the_same_name_again_replaces(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE)
    first = server.recurringruns[0]["recurring_run_id"]
    status, out, _ = sluice(*SCHEDULE[:-1], "30 4 * * *")
    (made,) = server.recurringruns
    assert (status, out.splitlines()[0]) == (0, "auto_mpg: replaced 0 3 * * * on sample to s3://models/served")
    assert made["recurring_run_id"] != first
    assert made["trigger"]["cron_schedule"]["cron"] == "0 30 4 * * *"
    methods = [(method, path.partition("?")[0].rpartition("/")[2]) for method, path, _ in server.log]
    assert methods.index(("DELETE", first)) > max(n for n, each in enumerate(methods) if each[0] == "POST")
    # A run of the old one that is going on is not deleted with it.
    assert [path.partition("?")[2] for method, path, _ in server.log if method == "DELETE"] == [
        "propagation_policy=ORPHAN"
    ]


def test_a_schedule_that_cannot_be_made_leaves_the_old_one(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE)
    before = list(server.recurringruns)
    server.fault("POST", "/recurringruns", 500)
    assert sluice(*SCHEDULE)[0] == 1
    assert server.recurringruns == before


def test_an_old_one_that_cannot_be_removed_goes_next_time(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE)
    server.fault("DELETE", "/recurringruns", 500)
    status, _, said = sluice(*SCHEDULE)
    assert status == 1
    assert "the old one still is. Give the same command again." in said
    assert len(server.recurringruns) == 2
    assert sluice(*SCHEDULE)[0] == 0
    assert len(server.recurringruns) == 1


def test_a_removal_whose_answer_was_lost_is_one(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE)
    server.fault("DELETE", "/recurringruns", "lose")
    assert sluice(*SCHEDULE)[0] == 0
    assert len(server.recurringruns) == 1


def test_a_lost_answer_does_not_double_the_schedule(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE)
    server.fault("POST", "/recurringruns", "lose")
    status, _, _ = sluice(*SCHEDULE)
    assert (status, len(server.recurringruns)) == (0, 1)


def test_catching_up_and_waiting_disabled(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE, "--catchup", "--disabled", "--name", "nightly", "--fail-when-rejected")
    (made,) = server.recurringruns
    assert (made["no_catchup"], made["status"], made["display_name"]) == (False, "DISABLED", "nightly")
    assert made["runtime_config"]["parameters"]["schedule"] == "catchup"
    spec = made["pipeline_spec"]
    spec = spec.get("pipeline_spec", spec)
    assert "conclude" in spec["components"]["comp-condition-1"]["dag"]["tasks"]
    assert spec["root"]["dag"]["tasks"].keys() == {"resolve", "condition-1"}  # nothing new: nothing runs


def test_schedules_are_listed_page_by_page_and_only_ours(
    server: Backend, sluice: Sluice, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b", "c"):
        sluice(*SCHEDULE, "--name", name)
    server.recurringruns.insert(1, {"recurring_run_id": "x", "display_name": "theirs", "pipeline_spec": {}})
    monkeypatch.setattr("pipelines.kubeflow.recurring_runs.PAGE", 2)
    status, out, _ = sluice("schedules", "--json")
    assert status == 0
    assert [each["name"] for each in json.loads(out)] == ["a", "b", "c"]
    assert sluice("schedules")[1].splitlines()[1].split() == [
        "a", "auto_mpg", "0", "3", "*", "*", "*", "UTC", "enabled", "none", "sample", "s3://models/served",
    ]  # fmt: skip
    assert sluice("unschedule", "b")[:2] == (0, "b: removed\n")
    assert sluice("unschedule", "theirs")[0] == 2
    assert [each["display_name"] for each in server.recurringruns] == ["a", "theirs", "c"]


@pytest.mark.parametrize(("fault", "expected"), [("drop", 1), ("lose", 0)])
def test_removing_is_asked_for_once(server: Backend, sluice: Sluice, fault: str, expected: int) -> None:
    sluice(*SCHEDULE)
    server.fault("DELETE", "/recurringruns", fault)
    status, _, said = sluice("unschedule", "auto_mpg")
    assert status == expected
    assert ("broke at removing the schedule" in said) == (expected == 1)
    assert [method for method, _, _ in server.log].count("DELETE") == 1


def test_a_schedule_is_listed_as_it_was_typed(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE[:-1], " @daily ", "--timezone", "Asia/Tokyo", "--name", " nightly ")
    sluice(*SCHEDULE[:-1], "0 9  * * mon-fri", "--timezone", "Asia/Tokyo", "--name", "weekdays")
    rows = json.loads(sluice("schedules", "--json")[1])
    assert [(row["name"], row["cron"], row["timezone"], row["server_cron"]) for row in rows] == [
        ("nightly", "@daily", "Asia/Tokyo", "0 0 15 * * *"),
        ("weekdays", "0 9 * * mon-fri", "Asia/Tokyo", "0 0 0 * * 1-5"),
    ]
    assert "nightly   auto_mpg  @daily" in sluice("schedules")[1]
    server.recurringruns[0]["description"] = "changed by hand"
    assert "nightly   auto_mpg  0 0 15 * * *" in sluice("schedules")[1]


def test_the_last_run_of_each_schedule_is_listed_with_it(server: Backend, sluice: Sluice) -> None:
    sluice(*SCHEDULE)
    sluice(*SCHEDULE, "--name", "idle")
    known = {each["display_name"]: each["recurring_run_id"] for each in server.recurringruns}
    for number, state in enumerate(("SUCCEEDED", "FAILED")):
        made = {"run_id": f"run-{number}", "display_name": f"auto-mpg-{number}", "state": state, "asked": 0}
        when = {"created_at": f"2026-11-2{number}T03:00:07Z", "scheduled_at": f"2026-11-2{number}T03:00:00Z"}
        server.runs.append({**made, **when, "recurring_run_id": known["auto_mpg"]})
    listed = {each["name"]: each["last_run"] for each in json.loads(sluice("schedules", "--json")[1])}
    last = {"id": "run-1", "state": "failed", "at": "2026-11-21T03:00:00+00:00"}
    assert listed == {"auto_mpg": last, "idle": {}}
    out = sluice("schedules")[1]
    assert "failed 2026-11-21T03:00" in out
    assert "none" in out


def test_nothing_to_list_or_remove(server: Backend, sluice: Sluice) -> None:
    assert "No schedules yet" in sluice("schedules")[1]
    status, _, said = sluice("unschedule", "auto_mpg")
    assert status == 2
    assert "There is no schedule 'auto_mpg'" in said


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--cron", "0 25 * * *"), "The hour of a schedule goes from 0 to 23"),
        (("--cron", "0 0 30 2 *"), "never comes due"),
        (("--timezone", "Berlin"), "IANA name"),
        (("--name", " "), "A schedule's name is of 1 to 100 printable characters"),
        (("--name", ""), "A schedule's name is of 1 to 100 printable characters"),
        (("--name", "a\nb"), "A schedule's name is of 1 to 100 printable characters"),
        (("--name", "a" * 101), "A schedule's name is of 1 to 100 printable characters"),
        (("--name", "--- !!"), "Expected a letter or digit before the first '-'. Received: '--- !!'"),
        (("--name", "§ -x"), "Expected a letter or digit before the first '-'"),
        (("--cron", "0 1 1 * *", "--timezone", "Asia/Tokyo"), "falls on other days on the server's clock"),
    ],
)
def test_a_wrong_schedule_never_reaches_the_cluster(
    server: Backend, sluice: Sluice, words: tuple[str, ...], sentence: str
) -> None:
    status, _, said = sluice(*SCHEDULE, *words)
    assert status == 2
    assert sentence in said
    assert server.log == []
