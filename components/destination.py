"""The versions of a task's model as they are served: destination/task/version, each complete or absent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components import files, store
from tasks import InputError

EXTRA = "assets.extra"
# TF Serving reads a child directory's name as a 64-bit integer.
NUMBER = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True)
class Version:
    """One model that is, or was, served."""

    number: int
    path: Path
    provenance: dict[str, Any] = field(default_factory=dict)

    @property
    def model_sha256(self) -> str:
        return str(self.provenance.get("model_sha256") or files.tree_hash(self.path))

    @property
    def champion(self) -> str:
        """What a challenger is judged against, in the form that travels between the steps."""
        return f"{self.number}:{self.model_sha256}"


class TakenError(Exception):
    """A rival has pushed the version number first."""


def versions(destination: Path | str, task: str) -> list[Version]:
    """All complete versions, the oldest first."""
    folder = store.folder(destination, task)
    complete = (name for name in _numbers(folder) if (folder / name / "saved_model.pb").is_file())
    return [Version(int(name), folder / name, _provenance(folder / name)) for name in sorted(complete, key=int)]


def newest(destination: Path | str, task: str) -> Version | None:
    """The version that TF Serving serves."""
    return next(reversed(versions(destination, task)), None)


def free_number(destination: Path | str, task: str) -> int:
    """The next version's number: above everything that bears one, complete or not."""
    return max(map(int, _numbers(store.folder(destination, task))), default=0) + 1


def add(
    destination: Path | str,
    task: str,
    source: Path | str,
    extra: Mapping[str, Any],
    *,
    number: int | None = None,
    model_sha256: str | None = None,
) -> Version:
    """Copy the model and its papers to a new version, all or nothing.

    With `number` given, TakenError is raised if a rival has that number now; else the next free one is tried.
    With `model_sha256` given, the copy is compared with it before anybody can see it.
    """
    folder = store.folder(destination, task)
    store.sweep(folder)
    with store.stage(folder) as staged:
        store.copy_tree(Path(source), staged)
        if model_sha256 is not None and files.tree_hash(staged) != model_sha256:
            raise RuntimeError(
                f"The copy of {str(source)!r} does not have the expected sha256 {model_sha256}: the model was "
                "changed or is damaged. Nothing was pushed."
            )
        for name, value in extra.items():
            files.write_json(staged / EXTRA / name, value)
        chosen = number or free_number(destination, task)
        while not store.publish(staged, folder / str(chosen)):
            if number is not None:
                raise TakenError(f"Version {number} of {task} exists already.")
            chosen = max(chosen + 1, free_number(destination, task))
    return Version(chosen, folder / str(chosen), _provenance(folder / str(chosen)))


def rollback(destination: Path | str, task: str, number: int) -> Version:
    """Make an older version the newest: a copy under a new number, with provenance that says so."""
    known = {version.number: version for version in versions(destination, task)}
    if not known:
        raise InputError(f"There is no version of {task} in {str(destination)!r} to roll back to.")
    if number not in known:
        listed = ", ".join(map(str, known))
        raise InputError(f"There is no version {number} of {task} in {str(destination)!r}. Expected one of: {listed}.")
    if number == max(known):
        raise InputError(f"Version {number} of {task} is the newest already. Expected an older one to roll back to.")
    source = known[number]
    changed = {"copied_from": number, "pushed_at": now(), "model_sha256": source.model_sha256}
    return add(
        destination,
        task,
        source.path,
        {"provenance.json": source.provenance | changed},
        model_sha256=source.model_sha256,
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _numbers(folder: Path) -> list[str]:
    return [name for name in store.entries(folder) if NUMBER.fullmatch(name)]


def _provenance(path: Path) -> dict[str, Any]:
    """Empty for a version that was not pushed by us."""
    try:
        return dict(files.read_json(path / EXTRA / "provenance.json"))
    except FileNotFoundError:
        return {}
