"""An object store as a destination, through fsspec: gs://, s3://, memory:// and what else there is a driver for."""

from __future__ import annotations

import secrets
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

from components.storage import urls
from components.storage.version_names import STALE_SECONDS, is_number
from tasks import InputError

# One tiny object for each number ever used, so that two pushers cannot fill one version, nor a number come back.
CLAIMS = ".claims"
LAST = "saved_model.pb"
# Whose drivers, where a folder is wanted, would make a whole bucket of the name that was typed.
WITH_BUCKETS = {"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az"}


class Bucket:
    """The folder of one task's versions. See `components.storage.store.Store`."""

    def __init__(self, destination: str, task: str) -> None:
        self.url = f"{destination.rstrip('/')}/{task}"
        try:
            self.system, self.root = urls.system_of(self.url, use_listings_cache=False)
        except (ImportError, ValueError) as error:
            raise InputError(f"The destination {destination!r} cannot be used: {error}.") from error

    def entries(self) -> list[str]:
        """Names of directories and files; a claimed number counts from the moment of its claim."""
        return sorted({*self._names(""), *self._names(CLAIMS)} - {CLAIMS})

    def exists(self, name: str) -> bool:
        self.system.invalidate_cache()
        return bool(self.system.isfile(self._key(name)))

    def read(self, name: str) -> bytes:
        return bytes(self.system.cat_file(self._key(name)))

    def write(self, name: str, content: bytes) -> None:
        self._in_folder(name, lambda key: self.system.pipe_file(key, content))

    def where(self, name: str) -> str:
        return f"{self.url}/{name}"

    @contextmanager
    def stage(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="sluice-push-") as folder:
            yield Path(folder)

    def publish(self, staged: Path, name: str) -> bool:
        """Claim the number, upload, and let the file without which no server loads anything come last."""
        if not self._claim(name):
            return False
        paths = sorted(path for path in staged.rglob("*") if path.is_file())
        relative = [path.relative_to(staged).as_posix() for path in paths]
        for path in sorted(relative, key=lambda path: path == LAST):
            self._upload(staged / path, f"{name}/{path}")
        return True

    def unfinished(self) -> list[str]:
        return [name for name in self._numbers() if not self.exists(f"{name}/{LAST}") and not self._stale(name)]

    def remove(self, name: str) -> None:
        """First the file that makes it a version."""
        with suppress(FileNotFoundError):
            self.system.rm_file(self._key(f"{name}/{LAST}"))
        with suppress(FileNotFoundError):
            self.system.rm(self._key(name), recursive=True)

    def sweep(self) -> None:
        """The claim of a number stays: its directory may have been seen by a server."""
        for name in self._numbers():
            if self._names(name) and not self.exists(f"{name}/{LAST}") and self._stale(name):
                self.remove(name)

    @contextmanager
    def fetched(self, name: str) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="sluice-version-") as folder:
            for key in self.system.find(self._key(name)):
                target = Path(folder, name, str(key)[len(self._key(name)) :].lstrip("/"))
                if ".." in target.parts:
                    raise RuntimeError(f"{self.url!r} holds {key!r}, which no version of ours has. Remove it.")
                target.parent.mkdir(parents=True, exist_ok=True)
                self.system.get_file(key, str(target))
            yield Path(folder, name)

    def _claim(self, name: str) -> bool:
        """An object that only one of us can create."""
        mine = f"{secrets.token_hex(8)} {datetime.now(UTC).isoformat(timespec='seconds')}".encode()
        # It may exist by our own request, whose answer was lost. And a driver that knows no condition lets the later
        # one overwrite. So look whose it is.
        with suppress(FileExistsError):
            self._in_folder(f"{CLAIMS}/{name}", lambda key: self.system.pipe_file(key, mine, mode="create"))
        return self.read(f"{CLAIMS}/{name}") == mine and not self._names(name)

    def _upload(self, path: Path, name: str) -> None:
        self._in_folder(name, lambda key: self.system.put_file(str(path), key))
        size = self.system.size(self._key(name))
        if size != path.stat().st_size:
            raise RuntimeError(
                f"The upload of {self.where(name)} is not whole. Expected {path.stat().st_size} bytes. "
                f"Received: {size}. The version stays incomplete and is not served; run again."
            )

    def _in_folder(self, name: str, put: Callable[[str], None]) -> None:
        """Object stores have no folders, but some drivers want one."""
        key = self._key(name)
        try:
            put(key)
        except FileNotFoundError:
            self._demand_bucket()
            self.system.makedirs(key.rpartition("/")[0], exist_ok=True)
            put(key)

    def _numbers(self) -> list[str]:
        return [name for name in self.entries() if is_number(name)]

    def _stale(self, name: str) -> bool:
        """Nothing was uploaded to the version within the hour."""
        try:
            keys = [*self.system.find(self._key(name)), self._key(f"{CLAIMS}/{name}")]
            changes = [float(self.system.modified(key).timestamp()) for key in keys if self.system.exists(key)]
        except FileNotFoundError:
            return False  # its pusher is alive, or another sweeps
        return time.time() - max(changes, default=0.0) > STALE_SECONDS

    def _names(self, folder: str) -> list[str]:
        self.system.invalidate_cache()
        try:
            found = self.system.ls(self._key(folder) if folder else self.root, detail=False)
        except FileNotFoundError:
            self._demand_bucket()
            return []
        except InputError:
            raise
        except PermissionError as error:
            raise InputError(f"The destination {self.url!r} cannot be read: {error}.") from error
        except Exception as error:  # drivers have exceptions of their own: no credentials, no connection
            raise RuntimeError(f"The destination {self.url!r} cannot be read: {error}.") from error
        names = {str(path).rstrip("/").rpartition("/")[2] for path in found}
        return sorted(names - {"", (folder or self.root).rstrip("/").rpartition("/")[2]})

    def _demand_bucket(self) -> None:
        bucket = self.root.partition("/")[0]
        try:
            if self.url.partition("://")[0] in WITH_BUCKETS:
                self.system.info(bucket)
        except FileNotFoundError:
            raise InputError(f"There is no bucket {bucket!r}, of {self.url!r}. Make it, or name another.") from None

    def _key(self, name: str) -> str:
        return f"{self.root}/{name}"
