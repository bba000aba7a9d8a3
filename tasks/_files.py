"""The files that real data comes in: found under --data-dir, in Keras' cache, or downloaded once and checked."""

from __future__ import annotations

import hashlib
import http.client
import os
import secrets
import socket
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path

from tasks._task import InputError

BUSY = {408, 429, 500, 502, 503, 504}
PATIENCE = 15.0


@dataclass(frozen=True, kw_only=True)
class RealFile:
    """A published file, known by its sha256."""

    name: str
    folder: str
    url: str
    sha256: str
    cached_as: str = ""

    def check(self, data_dir: Path | None) -> RealFile:
        """Complain early, before any step runs, when --data-dir does not hold the file."""
        if data_dir is not None:
            self._under(data_dir)
        return self

    def path(self, data_dir: Path | None) -> Path:
        """Where the file lies, with the right content."""
        if data_dir is not None:
            path = self._under(data_dir)
        else:
            path = _cache() / (self.cached_as or self.name)
            if not path.exists():
                _download(self.url, path, self.sha256)
                return path
        if (received := _sha256(path)) != self.sha256:
            raise InputError(
                f"{path} is not the published file. Expected sha256 {self.sha256}. Received: {received}. "
                "Delete it and download it again."
            )
        return path

    def _under(self, data_dir: Path) -> Path:
        candidates = [data_dir / self.name, data_dir / self.folder / self.name]
        for candidate in candidates:
            if candidate.is_file():
                return candidate
        raise InputError(
            f"The data directory {data_dir} lacks {self.name}. "
            f"Expected it at {' or '.join(str(path) for path in candidates)}."
        )


def prepared(name: str, data_dir: Path | None) -> bool:
    """Whether TensorFlow Datasets has this data set (NAME/CONFIG/VERSION) there, or where it keeps its own."""
    return (tfds_folder(data_dir) / name / "dataset_info.json").is_file()


def tfds_folder(data_dir: Path | None) -> Path:
    """Where TensorFlow Datasets keeps what it has prepared."""
    return Path(os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"))  # noqa: PTH111 (pathlib's fails where there is no such user)


def _cache() -> Path:
    """Where Keras' own loaders keep their downloads, so that neither downloads what the other has."""
    home = os.environ.get("KERAS_HOME")
    return (Path(home) if home else Path.home() / ".keras") / "datasets"


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(url: str, path: Path, sha256: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}-{secrets.token_hex(4)}")
    try:
        _fetch(url, partial)
        if (received := _sha256(partial)) != sha256:
            raise InputError(f"{url} sent another file than published. Expected sha256 {sha256}. Received: {received}.")
        partial.replace(path)
    except (OSError, http.client.HTTPException) as error:
        raise InputError(
            f"{url} could not be downloaded to {path}: {error}. On a machine without internet, "
            f"give the folder that holds {path.name} with --data-dir."
        ) from error
    finally:
        partial.unlink(missing_ok=True)


def _fetch(url: str, path: Path) -> None:
    """Again after a few seconds where the fault may pass: a connection cut, a server that is busy."""
    import tenacity

    def passing(error: BaseException) -> bool:
        if isinstance(error, urllib.error.HTTPError):
            return error.code in BUSY
        reason = getattr(error, "reason", error)
        return isinstance(reason, ConnectionError | TimeoutError | socket.gaierror | http.client.HTTPException)

    for attempt in tenacity.Retrying(
        retry=tenacity.retry_if_exception(passing), wait=tenacity.wait_exponential_jitter(initial=1, max=10),
        stop=tenacity.stop_after_delay(PATIENCE), reraise=True,
    ):  # fmt: skip
        with attempt, urllib.request.urlopen(url, timeout=60) as answer, path.open("wb") as file:
            while block := answer.read(1 << 20):
                file.write(block)
            if left := getattr(answer, "length", 0):  # a file: URL has none
                raise http.client.IncompleteRead(b"", left)
