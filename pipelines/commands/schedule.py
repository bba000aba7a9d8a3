"""`sluice schedule`, `sluice schedules` and `sluice unschedule`."""

from __future__ import annotations

import argparse
import itertools
import json
import re
import sys
from datetime import UTC, datetime, tzinfo
from typing import Any

from components.resolve import cron, date_placeholders
from pipelines.commands import run_summary
from pipelines.kubeflow import client, recurring_runs, run_parameters, time_zones
from pipelines.kubeflow.recurring_runs import Plan
from pipelines.local import crontab
from tasks import InputError, nearest

SHOWN = 5
LONGEST = 100
FOREIGN = re.compile(r"[^a-z0-9-]+")
# What was typed, which only the description keeps: the server is given its own.
ABOUT = re.compile(r"sluice schedule \S+: (.+) (\S+)")


def main(given: argparse.Namespace) -> int:
    if given.action == "schedule" and given.data == "sample":
        print(
            "note: the sample is synthetic and never changes. For other rows: --data real, or a glob.", file=sys.stderr
        )
    match given.action:
        case "schedule" if given.local:
            print(crontab.text(given))
            return 0
        case "schedule":
            return _schedule(given)
        case "schedules":
            return _list(given)
        case _:
            return _remove(given)


def _schedule(given: argparse.Namespace) -> int:
    name = _name(given)
    if given.notify:
        raise InputError(
            "--notify is for runs on this machine, with --local. On Kubeflow, --fail-when-rejected lets a rejected "
            "model fail its run, and the cluster's own alerts tell of failed ones: see docs/kubeflow.md."
        )
    chosen = run_parameters.profile_of(given)
    here, there = date_placeholders.zone(given.timezone), date_placeholders.zone(given.server_timezone)
    now = datetime.now(UTC)
    wanted = cron.parse(given.cron)
    on_server = time_zones.moved(wanted, time_zones.ahead(now, there, here))
    parameters = run_parameters.parameters(given, chosen) | {
        "schedule": date_placeholders.CATCHUP if given.catchup else f"{on_server} {given.server_timezone}",
        # The runs keep to the server's clock: so the day does too, and none is left out or comes twice in summer.
        "timezone": date_placeholders.shifted(given.server_timezone, time_zones.ahead(now, here, there)),
    }
    coming = list(itertools.islice(on_server.after(now, there), SHOWN))
    _announce(coming, here, given, [_often(wanted), _change(now, here, there)])
    cluster = client.connect(chosen.host, namespace=chosen.namespace, token_file=given.token_file)
    chosen = run_parameters.for_backend(chosen, cluster.version)
    typed = " ".join(given.cron.split())
    plan = Plan(
        name=name, about=f"sluice schedule {given.task}: {typed} {given.timezone}", cron=str(on_server),
        enabled=not given.disabled, catchup=given.catchup, cached=not given.no_cache,
        concluding=given.fail_when_rejected,
    )  # fmt: skip
    made, replaced = recurring_runs.replace(cluster, chosen, parameters, plan)
    url = cluster.schedule_url(made)
    if given.json:
        times = [due.astimezone(here).isoformat() for due in coming]
        print(json.dumps({"name": name, "id": made, "url": url, "cron": plan.cron, "next": times}, indent=1))
    else:
        rows = [_row(each) for each in replaced]
        what = [f"replaced {row['cron']} on {row['data']} to {row['destination']}" for row in rows] or ["scheduled"]
        print("\n".join([*(f"{name}: {word}" for word in what), url]))
    return 0


def _name(given: argparse.Namespace) -> str:
    name = str(given.task if given.name is None else given.name).strip()
    if not 1 <= len(name) <= LONGEST or not name.isprintable():
        raise InputError(f"A schedule's name is of 1 to {LONGEST} printable characters. Received: {name!r}.")
    # Kubeflow keeps of it, for Kubernetes, the small letters, digits and hyphens, and Kubernetes wants no hyphen first.
    if not given.local and FOREIGN.sub("", name.lower()).startswith("-"):
        raise InputError(
            "Of a schedule's name Kubernetes keeps the letters a-z, digits and '-', and does not take what then begins "
            f"with '-'. Expected a letter or digit before the first '-'. Received: {name!r}."
        )
    return name


def _announce(coming: list[datetime], here: tzinfo, given: argparse.Namespace, notes: list[str]) -> None:
    print(f"The next {SHOWN} times, in {given.timezone}:", file=sys.stderr)
    for due in coming:
        print(f"  {due.astimezone(here):%a %Y-%m-%d %H:%M:%S %z}", file=sys.stderr)
    for note in filter(None, notes):
        print(f"note: {note}", file=sys.stderr)


def _often(wanted: cron.Cron) -> str:
    count = len(wanted.second.values)
    often = (
        f"This comes due {count} times in a minute. The first of six fields is the second; of five it is the minute."
    )
    return often if count > 1 else ""


def _change(now: datetime, here: tzinfo, there: tzinfo) -> str:
    """A word about summer time, where one of the two zones has it."""
    when = time_zones.next_change(now, there, here)
    if when is None:
        return ""
    later = time_zones.ahead(now, there, here) - time_zones.ahead(when, there, here)
    way = f"{abs(later)} minutes {'later' if later > 0 else 'earlier'}"
    return (
        f"Kubeflow's clock is that of its server ({there}), and {here} changes against it by {when:%Y-%m-%d}: from "
        f"then on the runs come {way} by {here}. Give the same command again then, and they come at the time you said."
    )


def _list(given: argparse.Namespace) -> int:
    cluster, found = _found(given)
    last = recurring_runs.last_runs(cluster) if found else {}
    rows = [{**_row(each), "last_run": _last(last.get(str(each.recurring_run_id)))} for each in found]
    if given.json:
        print(json.dumps(rows, indent=1))
    elif not rows:
        print("No schedules yet; `sluice schedule TASK --cron ...` makes one.")
    else:
        shown = ("name", "task", "cron", "timezone", "state", "last run", "data", "destination")
        rows = [{**row, "cron": row["cron"] or row["server_cron"], "last run": _told(row["last_run"])} for row in rows]
        print(
            run_summary.table([[word.upper() for word in shown], *([str(row[word]) for word in shown] for row in rows)])
        )
    return 0


def _last(run: Any) -> dict[str, str]:
    """A run of a schedule: for `sluice logs` by its id."""
    if run is None:
        return {}
    began = run.scheduled_at or run.created_at
    return {
        "id": str(run.run_id),
        "state": str(run.state or "PENDING").lower(),
        "at": began.isoformat() if began else "",
    }


def _told(last: dict[str, str]) -> str:
    return f"{last['state']} {last['at'][:16]}" if last else "none"


def _row(each: Any) -> dict[str, Any]:
    parameters = each.runtime_config.parameters
    schedule = each.trigger and each.trigger.cron_schedule
    typed = ABOUT.fullmatch(each.description or "")
    cron_, timezone = typed.groups() if typed else ("", "")
    return {
        "name": each.display_name, "id": each.recurring_run_id, "task": parameters.get("task"),
        "cron": cron_, "timezone": timezone, "server_cron": schedule.cron if schedule else "",
        "state": "disabled" if "DISABLE" in (each.status or each.mode or "") else "enabled",
        "data": parameters.get("data"), "destination": parameters.get("destination"),
    }  # fmt: skip


def _remove(given: argparse.Namespace) -> int:
    cluster, found = _found(given)
    named = [each for each in found if each.display_name == given.name]
    if not named:
        known = sorted({each.display_name for each in found})
        hint = nearest(given.name, known) if known else " There are none."
        raise InputError(f"There is no schedule {given.name!r} at {cluster.host}.{hint}")
    for each in named:
        recurring_runs.remove(cluster, each.recurring_run_id)
    print(f"{given.name}: removed")
    return 0


def _found(given: argparse.Namespace) -> tuple[client.Cluster, list[Any]]:
    chosen = run_parameters.profile_of(given)
    cluster = client.connect(chosen.host, namespace=chosen.namespace, token_file=given.token_file)
    return cluster, recurring_runs.ours(cluster)
