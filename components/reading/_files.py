"""Which files a glob names, what format each is in, and what is wrong when one cannot be read."""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
import pandas as pd

from components.reading._batch import Batch
from components.reading._csv import read_csv
from components.reading._json_lines import read_json_lines
from components.reading._parquet import read_parquet
from components.reading._tfrecord import read_tfrecord
from tasks import InputError, Part

Reader = Callable[[BinaryIO, str, Sequence[str], Sequence[str]], Iterator[Batch]]
READERS: dict[str, Reader] = {
    ".csv": read_csv,
    ".tsv": read_csv,
    ".jsonl": read_json_lines,
    ".ndjson": read_json_lines,
    ".json": read_json_lines,
    ".parquet": read_parquet,
    ".pq": read_parquet,
    ".tfrecord": read_tfrecord,
    ".tfrecords": read_tfrecord,
}
GZIP, PARQUET, ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"


@dataclass(frozen=True, kw_only=True)
class FilePart(Part):
    """A user's file; `read` is there for those who want data frames, ingest reads the file itself."""

    path: str


def file_parts(pattern: str) -> list[FilePart]:
    """The files that a path or glob names, in order, each with a version that changes with its content."""
    parts = []
    for path in _matches(pattern):
        _reader(path)
        parts.append(FilePart(name=path, version=_version(path), path=path, read=_Frames(path)))
    return parts


@dataclass(frozen=True)
class _Frames:
    path: str

    def __call__(self) -> Iterable[pd.DataFrame]:
        raise NotImplementedError(f"{self.path} is read by components.reading.read_file.")


def read_file(path: str, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Batch]:
    """The raw rows of one file: the `needed` columns, of which only those not `optional` must be there."""
    reader = _reader(path)
    with _readable(path), fsspec.open(path, "rb").open() as file:
        before = _state(path)
        yield from reader(_plain(file, path, reader), path, needed, optional)
        if _state(path) != before:
            raise RuntimeError(f"{path} was changed while it was read. Run again when it is complete.")


def read_stream(stream: BinaryIO, needed: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Batch]:
    """The raw rows of standard input; the format is told by how it begins."""
    source = "standard input"
    with _readable(source):
        buffered = io.BufferedReader(stream, 1 << 20)  # type: ignore[arg-type]
        if buffered.peek(2)[:2] == GZIP:
            buffered = io.BufferedReader(gzip.GzipFile(fileobj=buffered), 1 << 20)  # type: ignore[arg-type]
        start = buffered.peek(4096)
        if start[:4] == PARQUET:
            yield from read_parquet(io.BytesIO(buffered.read()), source, needed, optional)
        elif start.lstrip(b"\xef\xbb\xbf \r\n")[:1] == b"{":
            yield from read_json_lines(buffered, source, needed, optional)
        else:
            yield from read_csv(buffered, source, needed, optional)


def _matches(pattern: str) -> list[str]:
    with _readable(pattern):
        system, path = fsspec.core.url_to_fs(os.path.expanduser(pattern) if "://" not in pattern else pattern)
        local = "file" in (system.protocol if isinstance(system.protocol, tuple) else (system.protocol,))
        if local and "://" not in pattern:
            path = os.path.expanduser(pattern)
        if system.isdir(path):
            raise InputError(f"{pattern} is a directory. Expected files; give a glob such as '{path.rstrip('/')}/*.csv'.")
        found = [path] if system.isfile(path) else sorted(name for name in system.glob(path) if system.isfile(name))
        if not found:
            raise InputError(f"There is no file {pattern}." if not set("*?[") & set(pattern) else f"No file matches {pattern}.")
        if local:
            return [_shortest(name, path) for name in found]
        return [system.unstrip_protocol(name) for name in found]


def _shortest(name: str, pattern: str) -> str:
    """Files named as the user named them: relative if the glob was."""
    return name if Path(pattern).is_absolute() else os.path.relpath(name)


def _reader(path: str) -> Reader:
    name = path.lower().removesuffix(".gz")
    for ending, reader in READERS.items():
        if name.endswith(ending) and not (reader is read_parquet and path.lower().endswith(".gz")):
            return reader
    raise InputError(
        f"{path} has an ending that says no known format. Expected one of {', '.join(READERS)}, or one of them and .gz."
    )


def _plain(file: BinaryIO, path: str, reader: Reader) -> BinaryIO:
    """The file behind its compression; InputError if it is empty or plainly of another format than its ending says."""
    start = file.read(4)
    file.seek(0)
    if not start:
        raise InputError(f"{path} is empty.")
    if (start == PARQUET) != (reader is read_parquet):
        is_, is_not = ("is", "") if start == PARQUET else ("is not", "as its ending says")
        raise InputError(f"{path} {is_} a Parquet file{', ' + is_not if is_not else ', but its ending says otherwise'}.")
    if start == ZIP:
        raise InputError(f"{path} is a zip archive (or a spreadsheet). Expected what its ending says; unpack or export it.")
    if start[:2] == GZIP:
        return io.BufferedReader(gzip.GzipFile(fileobj=file), 1 << 20)  # type: ignore[arg-type, return-value]
    return file


@contextmanager
def _readable(path: str) -> Iterator[None]:
    """Errors of file systems and compression as sentences."""
    try:
        yield
    except (InputError, RuntimeError):
        raise
    except ImportError as error:
        raise InputError(f"{path} cannot be read without a package that is not installed: {error}.") from error
    except (EOFError, gzip.BadGzipFile, zlib.error) as error:
        raise InputError(f"{path} is damaged or cut off: {error}.") from error
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}.") from error
    except ValueError as error:
        if "://" in path:
            raise InputError(f"{path} cannot be read: {error}.") from error
        raise


def _version(path: str) -> str:
    """The content's hash for a local file; what the store says of it for a remote one."""
    with _readable(path):
        if "://" not in path:
            with Path(path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        system, inside = fsspec.core.url_to_fs(path)
        return str(system.ukey(inside))


def _state(path: str) -> Any:
    if "://" in path:
        return None
    status = os.stat(path)
    return status.st_size, status.st_mtime_ns
