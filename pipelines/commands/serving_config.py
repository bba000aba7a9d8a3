"""`sluice serving-config`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence

import tasks
from components.rest_server import server_configs
from components.serving import versions
from tasks import InputError


def main(given: argparse.Namespace) -> int:
    serving = str(given.serving_dir)
    base_path = str(given.base_path or serving).rstrip("/")
    names = list(dict.fromkeys(given.served)) or _served(serving)
    for name in names:
        tasks.check_name(name)
    stable = _numbers(given.stable, names)
    _check(given)
    newest = {name: _servable(serving, name, given.version) for name in names}
    if given.kserve:
        manifests = [
            server_configs.inference_service(name, number, base_path, not given.unpinned)
            for name, number in newest.items()
        ]
        print("\n---\n".join(manifests))
        return 0
    labelled = names if given.labels else [name for name in names if name in stable]
    labels = {name: server_configs.labelled(serving, name, stable.get(name)) for name in labelled}
    print(server_configs.model_config(names, base_path, labels))
    if labels:
        print(
            "The versions are fixed: print this again after a push. For the first start TF Serving wants "
            "--allow_version_labels_for_unavailable_models=true.",
            file=sys.stderr,
        )
    return 0


def _check(given: argparse.Namespace) -> None:
    """Options that would change nothing are a mistake."""
    for option, used, goes in (
        ("--version", given.version is not None, given.kserve),
        ("--unpinned", given.unpinned, given.kserve),
        ("--labels", given.labels, not given.kserve),
        ("--stable", given.stable, not given.kserve),
    ):
        if used and not goes:
            raise InputError(f"{option} goes {'without' if given.kserve else 'with'} --kserve only.")
    if given.version is not None and given.unpinned:
        raise InputError("--version names one version, --unpinned none. Expected one of the two.")


def _servable(serving: str, name: str, number: int | None) -> int:
    version = versions.numbered(serving, name, number)
    if version.unservable:
        raise InputError(
            f"No server can answer from version {version.number} of {name}: it was pushed before that was tried. "
            f"Run first: sluice run {name}"
        )
    return version.number


def _served(serving: str) -> list[str]:
    """All tasks that have a version there."""
    found = [name for name in tasks.names() if versions.newest_number(serving, name) is not None]
    if not found:
        raise InputError(f"There is no version of any task in {serving!r}. Run first: sluice run TASK")
    return found


def _numbers(given: Sequence[str], names: Sequence[str]) -> dict[str, int]:
    numbers = {}
    for words in given:
        found = re.fullmatch(r"(\w+)=(\d+)", words)
        if not found or found[1] not in names:
            raise InputError(
                f"--stable names a version of one of the tasks, such as {names[0]}=3. Received: {words!r}."
            )
        numbers[found[1]] = int(found[2])
    return numbers
