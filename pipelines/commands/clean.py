"""`sluice clean`."""

from __future__ import annotations

import argparse
import json

import tasks
from pipelines.local import remove_runs, run_record
from tasks import InputError


def main(given: argparse.Namespace) -> int:
    if given.task:
        tasks.check_name(given.task)
    if given.keep < 1:
        raise InputError(f"--keep takes a number of runs, 1 or more. Received: {given.keep}.")
    if not given.runs_dir.is_dir():
        raise InputError(f"There is no directory {given.runs_dir}.")
    if remove_runs.links(given.runs_dir, [".cache"]):
        raise InputError(f"{given.runs_dir / '.cache'} is a link, and links are not followed. Clean where it leads to.")
    with remove_runs.in_use(given.runs_dir, alone=True):
        before = remove_runs.size(given.runs_dir)
        plan = remove_runs.plan(run_record.every(given.runs_dir), given.task, given.keep)
        linked = remove_runs.links(given.runs_dir, plan.go)
        go = [name for name in plan.go if name not in linked]
        if not given.dry_run:
            for name in go:
                remove_runs.remove(given.runs_dir, name)
            remove_runs.tidy(given.runs_dir)
        freed = before - remove_runs.size(given.runs_dir)
    if given.json:
        told = {"removed": [] if given.dry_run else go, "would_remove": go if given.dry_run else []}
        print(json.dumps({**told, "needed": plan.needed, "freed_bytes": freed}, indent=1))
        return 0
    for name in linked:
        print(f"{name}: stays, for it is a link")
    for name in go:
        print(f"{name}: {'would be removed' if given.dry_run else 'removed'}")
    for name, user in plan.needed.items():
        print(f"{name}: stays, for {user} has results from it")
    if not given.dry_run:
        print(f"freed {freed / 1e6:,.1f} MB of {before / 1e6:,.1f} MB in {given.runs_dir}")
    return 0
