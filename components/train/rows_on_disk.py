"""Preprocessed rows that are more than memory should hold: on the local disk, in a form that is read at random.

A column is its tensors' own bytes, row after row, mapped into memory: a batch is a copy of some rows, and nothing is
parsed. Of texts, and of rows that are not all of one length, a second file tells where each ends.
"""

from __future__ import annotations

import math
import mmap
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from components.storage.atomic_files import read_json, write_json

Array = NDArray[Any]
COLUMNS = "columns.json"
# What was read counts as this process's memory until it is given back; the system keeps it all the same, if it can.
RESIDENT, PAGE = 128 << 20, 4096


class Writer:
    """Takes columns piece by piece, each by its name."""

    def __init__(self, folder: Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        self.folder = folder
        self.about: dict[str, dict[str, Any]] = {}
        self._files: dict[str, IO[bytes]] = {}
        self._ends: dict[str, int] = {}

    def add(self, name: str, rows: tf.Tensor | tf.RaggedTensor) -> None:
        about = self.about.setdefault(name, {"file": f"{len(self.about):03d}", "ragged": False})
        if isinstance(rows, tf.RaggedTensor):
            about["ragged"] = True
            self._end_after(f"{about['file']}.rows", rows.row_lengths().numpy())
            rows = rows.flat_values
        about |= {"dtype": rows.dtype.name, "shape": rows.shape[1:].as_list()}
        values = rows.numpy()
        if rows.dtype == tf.string:
            texts = values.ravel().tolist()
            self._end_after(f"{about['file']}.texts", np.fromiter(map(len, texts), np.int64, len(texts)))
            self._write(about["file"], b"".join(texts))
        else:
            self._write(about["file"], np.ascontiguousarray(values).data)

    def add_all(self, folder: Path) -> dict[str, Any]:
        """All that another writer has finished there, which goes; gives the facts it left."""
        about: dict[str, Any] = read_json(folder / COLUMNS)
        for name, column in about.pop("columns").items():
            known = self.about.setdefault(name, {**column, "file": f"{len(self.about):03d}"})
            for kind in (".rows", ".texts"):
                if (ends := folder / f"{column['file']}{kind}").exists():
                    self._end_after(f"{known['file']}{kind}", np.diff(np.fromfile(ends, np.int64), prepend=0))
            with (folder / column["file"]).open("rb") as file:
                shutil.copyfileobj(file, self._open(known["file"]), 1 << 20)
        shutil.rmtree(folder)
        return about

    def finish(self, **facts: Any) -> None:
        """From now on the rows are complete."""
        for file in self._files.values():
            file.flush()
            os.fsync(file.fileno())
            file.close()
        write_json(self.folder / COLUMNS, {"columns": self.about, **facts})

    def _end_after(self, name: str, lengths: Array) -> None:
        ends = self._ends.get(name, 0) + np.cumsum(lengths, dtype=np.int64)
        self._ends[name] = int(ends[-1]) if len(ends) else self._ends.get(name, 0)
        self._write(name, ends.data)

    def _write(self, name: str, content: bytes | memoryview) -> None:
        self._open(name).write(content)

    def _open(self, name: str) -> IO[bytes]:
        if name not in self._files:
            self._files[name] = (self.folder / name).open("wb")
        return self._files[name]


class Mapped:
    """A file's elements, all of one size."""

    def __init__(self, path: Path, dtype: str, shape: Sequence[int] = ()) -> None:
        self.map = None
        if path.stat().st_size:
            with path.open("rb") as file:
                self.map = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.values: Array = np.frombuffer(self.map or b"", dtype).reshape(-1, *shape)
        self.cost, self.touched = PAGE + int(np.dtype(dtype).itemsize * math.prod(shape)), 0

    def take(self, at: Array) -> Array:
        found: Array = self.values[at]
        self.read(len(at) * self.cost)
        return found

    def read(self, size: int) -> None:
        self.touched += size
        if self.map is not None and self.touched > RESIDENT:
            self.map.madvise(mmap.MADV_DONTNEED)
            self.touched = 0


class Texts:
    """Texts, one after the other."""

    def __init__(self, path: Path) -> None:
        self.bytes, self.ends = Mapped(path, "uint8"), Mapped(path.with_name(f"{path.name}.texts"), "int64")

    def take(self, at: Array) -> Array:
        starts, ends = _bounds(self.ends, at)
        found = np.empty(len(at), object)
        content = self.bytes.map or b""
        found[:] = [content[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]
        self.bytes.read(len(at) * PAGE + int((ends - starts).sum()))
        return found


def _bounds(ends: Mapped, at: Array) -> tuple[Array, Array]:
    return np.where(at > 0, ends.take(np.maximum(at, 1) - 1), 0), ends.take(at)


@dataclass(frozen=True)
class Column:
    """A column of rows; `ends` where they are not all of one length."""

    elements: Mapped | Texts
    ends: Mapped | None
    dtype: tf.DType
    shape: tuple[int, ...]

    @classmethod
    def of(cls, folder: Path, about: Mapping[str, Any]) -> Column:
        path, texts = folder / Path(about["file"]).name, about["dtype"] == "string"
        return cls(
            Texts(path) if texts else Mapped(path, about["dtype"], about["shape"]),
            Mapped(path.with_name(f"{path.name}.rows"), "int64") if about["ragged"] else None,
            tf.as_dtype(about["dtype"]),
            tuple(about["shape"]),
        )

    def gather(self, index: tf.Tensor) -> tf.Tensor | tf.RaggedTensor:
        """These rows, as `tf.gather` gives them of a tensor."""
        values, lengths = tf.numpy_function(self._rows, [index], [self.dtype, tf.int64])
        values = tf.ensure_shape(values, [None, *self.shape])
        if self.ends is None:
            return values
        return tf.RaggedTensor.from_row_lengths(values, tf.ensure_shape(lengths, [None]), validate=False)

    def all(self) -> Array:
        """Every row, in memory; of a column of numbers, one a row."""
        assert isinstance(self.elements, Mapped)
        return np.array(self.elements.values)

    def _rows(self, index: Array) -> tuple[Array, Array]:
        at, lengths = index.astype(np.int64), np.empty(0, np.int64)
        if self.ends is not None:
            starts, ends = _bounds(self.ends, at)
            lengths = ends - starts
            at = np.repeat(starts - np.cumsum(lengths) + lengths, lengths) + np.arange(lengths.sum())
        if isinstance(self.elements, Texts):
            size = math.prod(self.shape)
            at = (at[:, None] * size + np.arange(size)).ravel()
        return self.elements.take(at).reshape(-1, *self.shape), lengths


def opened(folder: Path) -> tuple[dict[str, Column], dict[str, Any]]:
    """The columns that a writer has finished there, and the facts it left."""
    about = read_json(folder / COLUMNS)
    return {name: Column.of(folder, column) for name, column in about.pop("columns").items()}, about


def complete(folder: Path) -> bool:
    return (folder / COLUMNS).is_file()
