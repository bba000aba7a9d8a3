"""Which files a glob names, what format each is in, and what is wrong when one cannot be read."""

from __future__ import annotations

import dataclasses
import gzip
import hashlib
import io
import os
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import fsspec

from components.reading.csv_file import csv_spans, read_csv
from components.reading.json_lines import json_spans, read_json_lines
from components.reading.line_boundaries import Span
from components.reading.parquet import parquet_spans, read_parquet
from components.reading.raw_batch import Batch
from components.reading.tfrecord_file import read_tfrecord
from components.storage import urls
from components.storage.local_paths import local_path
from tasks import InputError, Split

Reader = Callable[..., Iterator[Batch]]
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
SPANS: dict[Reader, Callable[[BinaryIO, str, Sequence[str], int], list[Span]]] = {
    read_csv: csv_spans,
    read_json_lines: json_spans,
    read_parquet: parquet_spans,
}
LARGE, SPAN_BYTES = 64 << 20, 32 << 20
NO_MORE: Mapping[str, Reader] = {}
GZIP, PARQUET, ZIP = b"\x1f\x8b", b"PAR1", b"PK\x03\x04"


@dataclass(frozen=True, kw_only=True)
class FilePart:
    """One of the user's files; as `tasks.Part`, but ingest reads it itself."""

    name: str
    version: str = ""
    split: Split | None = None
    span: Span | None = None


def file_parts(pattern: str) -> list[FilePart]:
    """The files that a path or glob names, in order, each with a version that changes with its content."""
    return [FilePart(name=path, version=version_of(path)) for path in file_names(pattern)]


def file_names(pattern: str, also: Mapping[str, Reader] = NO_MORE) -> list[str]:
    """The files that a path or glob names, in order, each with the ending of a known format or of one in `also`."""
    paths = matches(pattern)
    for path in paths:
        _reader(path, also)
    return paths


def divided(part: FilePart, needed: Sequence[str]) -> list[FilePart]:
    """A large file that is not compressed as spans of whole rows, always the same ones, for several workers."""
    reader = _reader(part.name)
    with readable(part.name), _open(part.name) as file:
        if reader not in SPANS or file.seek(0, os.SEEK_END) < LARGE or file.seek(0):
            return [part]
        if _plain(file, part.name, reader) is not file:
            return [part]
        spans = SPANS[reader](file, part.name, needed, SPAN_BYTES)
    return [dataclasses.replace(part, span=span) for span in spans]


def read_file(
    path: str,
    needed: Sequence[str],
    optional: Sequence[str] = (),
    also: Mapping[str, Reader] = NO_MORE,
    span: Span | None = None,
) -> Iterator[Batch]:
    """The raw rows of one file: the `needed` columns, of which only those not `optional` must be there."""
    reader = _reader(path, also)
    with readable(path), _open(path) as file:
        before = _state(path)
        within = [span] if span else []
        yield from reader(_plain(file, path, reader), path, needed, optional, *within)
        if _state(path) != before:
            raise RuntimeError(f"{path} was changed while it was read. Run again when it is complete.")


def contents(paths: Iterable[str]) -> Iterator[tuple[str, bytes | OSError]]:
    """Each file with all that is in it, or with what kept it from being read."""
    for path in paths:
        found: bytes | OSError
        try:
            with _open(path) as file:
                found = file.read()
        except OSError as error:
            found = error
        yield path, found


@contextmanager
def opened(path: str) -> Iterator[tuple[BinaryIO, Reader]]:
    """A file behind its compression, and the reader of its format."""
    reader = _reader(path)
    with readable(path), _open(path) as file:
        yield _plain(file, path, reader), reader


@contextmanager
def unpacked(path: str) -> Iterator[io.BufferedReader]:
    """A file behind its compression, whatever it is called."""
    with readable(path), _open(path) as packed:
        file = buffered(packed)
        yield buffered(gzip.GzipFile(fileobj=file)) if file.peek(2)[:2] == GZIP else file


def matches(pattern: str) -> list[str]:
    """The files that a path or glob names, whatever their endings; InputError if there are none."""
    with readable(pattern):
        if _remote(pattern):
            system, path = urls.system_of(pattern)
        else:
            system, path = fsspec.filesystem("file"), str(local_path(pattern.removeprefix("file://")))
        wild = bool(set("*?[") & set(path))
        if system.isfile(path):
            return [pattern if _remote(pattern) else path]
        if not wild and system.isdir(path):
            raise InputError(f"{pattern} is a directory. Expected files: a glob such as '{pattern.rstrip('/')}/*.csv'.")
        found = system.glob(path, detail=True) if wild else {}
        names = sorted(name for name, about in found.items() if about["type"] == "file")
        if not names:
            raise InputError(f"No file matches {pattern!r}." if wild else f"There is no file {pattern!r}.")
        if _remote(pattern):
            before, _, behind = _chain(pattern)
            return ["::".join([*before, system.unstrip_protocol(name), *behind]) for name in names]
        # Files are named as the user named them: relative if the glob was.
        return names if Path(path).is_absolute() else [os.path.relpath(name) for name in names]


def _remote(path: str) -> bool:
    return "://" in path and not path.startswith("file://")


def _chain(path: str) -> tuple[list[str], str, list[str]]:
    """Of fsspec's chains, such as zip://cars.csv::s3://b/cars.zip: what stands before the file, the file, the rest."""
    links = path.split("::") if "://" in path else [path]
    at = next(number for number, link in enumerate(links) if "://" in link or len(links) == 1)
    return links[:at], links[at], links[at + 1 :]


def _reader(path: str, also: Mapping[str, Reader] = NO_MORE) -> Reader:
    file = _chain(path)[1].lower()
    name = file.removesuffix(".gz")
    known = {**READERS, **also}
    for ending, reader in known.items():
        if name.endswith(ending) and not (reader is read_parquet and file.endswith(".gz")):
            return reader
    raise InputError(
        f"{path} has an ending that says no known format. Expected one of {', '.join(known)}, or one of them and .gz."
    )


@contextmanager
def _open(path: str) -> Iterator[BinaryIO]:
    if not _remote(path):
        with Path(path).open("rb") as file:
            yield file
        return
    with urls.opened(path) as file:
        yield file


def _plain(file: BinaryIO, path: str, reader: Reader) -> BinaryIO:
    """The file behind its compression; InputError if it is empty or plainly of another format than its ending says."""
    start = file.read(4)
    file.seek(0)
    if not start:
        raise InputError(f"{path} is empty.")
    if start == PARQUET and reader is not read_parquet:
        raise InputError(f"{path} is a Parquet file, which its ending does not say. Expected the ending .parquet.")
    if start != PARQUET and reader is read_parquet:
        raise InputError(f"{path} is not a Parquet file, though its ending says so.")
    if start == ZIP:
        raise InputError(
            f"{path} is a zip archive or a spreadsheet. Expected what its ending says: unpack or export it."
        )
    if start[:2] == GZIP:
        return buffered(gzip.GzipFile(fileobj=file))
    return file


@contextmanager
def readable(path: str) -> Iterator[None]:
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
        if _remote(path):
            raise InputError(f"{path} cannot be read: {error}.") from error
        raise
    except Exception as error:  # drivers have exceptions of their own: no credentials, no connection
        if _remote(path):
            raise RuntimeError(f"{path} cannot be read: {error}.") from error
        raise


def buffered(stream: Any) -> io.BufferedReader:
    return io.BufferedReader(stream, 1 << 20)


def version_of(path: str) -> str:
    """The content's hash for a local file; what the store says of it for a remote one."""
    with readable(path):
        if not _remote(path):
            with Path(path).open("rb") as file:
                return hashlib.file_digest(file, "sha256").hexdigest()
        system, inside = urls.system_of(path)
        if "::" in path:  # the drivers of archives and caches tell another version each time
            return _content(system, inside)
        return _of_web(system, inside) if path.startswith(("http://", "https://")) else str(system.ukey(inside))


def _of_web(system: Any, url: str) -> str:
    """fsspec takes what a web server has for unchanging; most servers tell, and else the content does."""
    about = system.info(url)
    told = {name: about[name] for name in ("ETag", "Content-MD5", "Digest", "Last-Modified") if name in about}
    if told:
        return hashlib.sha256(repr((about.get("size"), sorted(told.items()))).encode()).hexdigest()
    return _content(system, url)


def _content(system: Any, path: str) -> str:
    content = hashlib.sha256()
    with system.open(path, "rb") as file:
        while piece := file.read(1 << 20):
            content.update(piece)
    return content.hexdigest()


def _state(path: str) -> Any:
    if _remote(path):
        return None
    status = Path(path).stat()
    return status.st_size, status.st_mtime_ns
