"""The versions of a task's model as they are served: destination/task/version, each complete or absent."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.serving import version_documents
from components.serving.version_documents import EXTRA
from components.storage import atomic_files, directory, store
from components.storage.version_names import LARGEST, is_number
from tasks import InputError

# Beside the versions, for each rollback that no longer holds retraining back.
RELEASED = ".released"


@dataclass(frozen=True)
class Version:
    """One model that is, or was, served; its provenance is empty if it is none of ours, or damaged."""

    number: int
    path: Path | str
    provenance: dict[str, Any] = field(default_factory=dict)
    damage: str = ""

    @property
    def model_sha256(self) -> str:
        if known := self.provenance.get("model_sha256"):
            return str(known)
        with fetched(self) as path:
            return atomic_files.tree_hash(path)

    @property
    def unservable(self) -> bool:
        """Whether every request to it fails in TensorFlow Serving: so all that was pushed before that was tried."""
        loaders = self.provenance.get("loaders")
        return bool(self.provenance) and not (isinstance(loaders, list) and "session" in loaders)

    @property
    def champion(self) -> str:
        """What a challenger is judged against, in the form that travels between the steps."""
        return f"{self.number}:{self.model_sha256}"

    @property
    def copied_from(self) -> int:
        """The version that a rollback copied; 0 for one that was trained."""
        return int(self.provenance.get("copied_from") or 0)


class TakenError(Exception):
    """A rival has pushed the version number first."""


def versions(destination: Path | str, task: str) -> list[Version]:
    """All complete versions, the oldest first."""
    place = store.opened(destination, task)
    complete = (name for name in _numbers(place) if place.exists(f"{name}/saved_model.pb"))
    return [_version(place, name) for name in sorted(complete, key=int)]


def newest(destination: Path | str, task: str) -> Version | None:
    """The version that TF Serving serves."""
    return next(reversed(versions(destination, task)), None)


def newest_number(destination: Path | str, task: str) -> int | None:
    """The same version's number, without its provenance: cheap enough to ask twice a second."""
    place = store.opened(destination, task)
    known = sorted(map(int, _numbers(place)), reverse=True)
    return next((number for number in known if place.exists(f"{number}/saved_model.pb")), None)


def numbered(destination: Path | str, task: str, number: int | None) -> Version:
    """The version of that number, or without one the newest; InputError where there is none."""
    known = {version.number: version for version in versions(destination, task)}
    if not known:
        raise InputError(f"There is no version of {task} in {str(destination)!r}. Run first: sluice run {task}")
    number = max(known) if number is None else number
    if number not in known:
        listed = ", ".join(map(str, known))
        raise InputError(f"There is no version {number} of {task} in {str(destination)!r}. Expected one of: {listed}.")
    return known[number]


def at(path: Path | str) -> Version | None:
    """The version at a path such as serving/auto_mpg/3, if one is there."""
    words = str(path) if "://" in str(path) else str(Path(path).absolute())
    folder, _, name = words.rstrip("/").rpartition("/")
    parent, _, task = folder.rpartition("/")
    if not task or not is_number(name):
        return None
    place = store.opened(parent or "/", task)
    return _version(place, name) if place.exists(f"{name}/saved_model.pb") else None


def fetched(version: Version) -> AbstractContextManager[Path]:
    """The version as a local directory: itself, or for as long as that takes a copy of what lies in an object store."""
    if isinstance(version.path, Path):
        return directory.Directory(version.path.parent).fetched(version.path.name)
    destination, task, name = version.path.rsplit("/", 2)
    return store.opened(destination, task).fetched(name)


def paper(version: Version, name: str) -> Any:
    """What lies beside the model, such as statistics.json; None where there is none."""
    folder, _, number = str(version.path).rpartition("/")
    destination, _, task = folder.rpartition("/")
    return version_documents.paper(store.opened(destination or "/", task), number, name)


def free_number(destination: Path | str, task: str) -> int:
    """The next version's number: above everything that bears one, complete or not."""
    highest = max(map(int, _numbers(store.opened(destination, task))), default=0)
    if highest >= LARGEST:
        raise InputError(
            f"No version of {task} can come after number {highest}, which is there in {str(destination)!r}. Expected "
            "numbers that leave room; remove that directory if it is no version of yours."
        )
    return highest + 1


def unfinished(destination: Path | str, task: str) -> list[int]:
    """The numbers above the newest version that others are uploading at this moment."""
    place = store.opened(destination, task)
    newest = max((int(name) for name in _numbers(place) if place.exists(f"{name}/saved_model.pb")), default=0)
    return sorted(number for number in map(int, place.unfinished()) if number > newest)


def add(
    destination: Path | str,
    task: str,
    source: Path | str,
    extra: Mapping[str, Any],
    *,
    number: int | None = None,
    model_sha256: str | None = None,
) -> Version:
    """Copy the model and its papers (files, bytes, or what JSON can hold) to a new version, all or nothing.

    With `number` given, TakenError is raised if a rival has that number now; else the next free one is tried.
    With `model_sha256` given, the copy is compared with it before anybody can see it.
    """
    place = store.opened(destination, task)
    place.sweep()
    with place.stage() as staged:
        directory.copy_tree(Path(source), staged)
        if model_sha256 is not None and atomic_files.tree_hash(staged) != model_sha256:
            raise RuntimeError(
                f"The copy of {str(source)!r} does not have the expected sha256 {model_sha256}: the model was "
                "changed or is damaged. Nothing was pushed."
            )
        for name, value in extra.items():
            _write(staged / EXTRA / name, value)
        chosen = number or free_number(destination, task)
        while not (_is_above_all(place, chosen) and place.publish(staged, str(chosen))):
            if number is not None:
                raise TakenError(f"Version {number} of {task} exists already.")
            chosen = max(chosen + 1, free_number(destination, task))
    return _version(place, str(chosen))


def rollback(destination: Path | str, task: str, number: int) -> Version:
    """Make an older version the newest: a copy under a new number, with provenance that says so."""
    source = numbered(destination, task, number)
    known = versions(destination, task)
    if number == known[-1].number:
        raise InputError(f"Version {number} of {task} is the newest already. Expected an older one to roll back to.")
    changed = {
        "copied_from": number,
        "withdrawn": [version.number for version in known if version.number > number],
        "first_pushed_at": source.provenance.get("first_pushed_at") or source.provenance.get("pushed_at", ""),
        "pushed_at": now(),
        "model_sha256": source.model_sha256,
    }
    with fetched(source) as path:
        extra = {version_documents.PROVENANCE: source.provenance | changed}
        return add(destination, task, path, extra, model_sha256=source.model_sha256)


def is_held(destination: Path | str, task: str, version: Version) -> bool:
    """Whether a rollback stands here, or what may be one, that nobody has released: nothing replaces it by itself."""
    return bool(version.copied_from or version.damage) and not store.opened(destination, task).exists(
        f"{RELEASED}/{version.number}"
    )


def release(destination: Path | str, task: str) -> Version:
    """Let retraining push again after a rollback."""
    version = newest(destination, task)
    if version is None or not is_held(destination, task, version):
        raise InputError(f"No rollback holds {task} in {str(destination)!r}: there is nothing to release.")
    store.opened(destination, task).write(f"{RELEASED}/{version.number}", now().encode())
    return version


def prune(destination: Path | str, task: str, keep: int) -> list[int]:
    """Remove all but the newest `keep` versions and those they stand on; 0 keeps all. Gives what was removed."""
    known = versions(destination, task)
    if keep < 0:
        raise InputError(f"The number of versions to keep cannot be below 0. Received: {keep}.")
    spared = {version.number for version in known} if keep == 0 else kept(known, keep)
    removed = [version.number for version in known if version.number not in spared]
    for number in removed:
        store.opened(destination, task).remove(str(number))
    return removed


def kept(known: Sequence[Version], keep: int) -> set[int]:
    """The newest `keep`, what the newest was judged against, and what any of them is a copy of."""
    if not known:
        return set()
    by_number = {version.number: version for version in known}
    # Without its baseline, an unchanged run of the newest could not be told from a new one.
    baseline = str(known[-1].provenance.get("champion") or "0").partition(":")[0]
    waiting = [*(version.number for version in known[-keep:]), int(baseline)]
    spared: set[int] = set()
    while waiting:
        number = waiting.pop()
        if number in by_number and number not in spared:
            spared.add(number)
            waiting.append(by_number[number].copied_from)
    return spared


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(value, Path):
        directory.copy_file(value, path)
    elif isinstance(value, bytes):
        atomic_files.write_bytes(path, value)
    else:
        atomic_files.write_json(path, value)


def _is_above_all(place: store.Store, number: int) -> bool:
    """A number that others have passed, and perhaps pruned since, does not come back."""
    return number > max(map(int, _numbers(place)), default=0)


def _numbers(place: store.Store) -> list[str]:
    return [name for name in place.entries() if is_number(name)]


def _version(place: store.Store, name: str) -> Version:
    return Version(int(name), place.where(name), *version_documents.provenance(place, name))
