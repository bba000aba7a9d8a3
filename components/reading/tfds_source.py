"""Data sets that TensorFlow Datasets has prepared: `tfds:NAME[/CONFIG][:VERSION][,[train=|eval=|test=]SPLIT]...`.

Read as they lie on the disk, without TensorFlow: what tfds knows of a data set says which records of which files a
split is, and what each column holds.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from components.examples.tfrecord import DamagedRecordError, read_records
from components.progress import say
from components.reading.find_files import readable, version_of
from components.reading.picture_folders import SPLITS
from components.reading.raw_batch import Batch
from components.reading.tfds_columns import Found, columns_of, fitting
from components.reading.tfrecord_file import some
from components.storage.local_paths import TFDS
from tasks import Feature, InputError, Split, Task, nearest
from tasks._files import tfds_folder

NAME = re.compile(r"(?P<name>\w+)(?:/(?P<config>[\w.\-]+))?(?::(?P<version>\d+\.\d+\.\d+))?")
VERSION = re.compile(r"\d+\.\d+\.\d+")
FORMATS = ("tfrecord", "array_record")
# Records of an array_record file that are read at a time.
AT_ONCE = 256


@dataclass(frozen=True, kw_only=True)
class TfdsPart:
    """Some records of one file, which one worker reads."""

    name: str
    version: str
    split: Split | None
    path: str
    skip: int
    take: int
    found: Mapping[str, Found]

    def batches(self, columns: Sequence[Feature]) -> Iterator[Batch]:
        """The raw rows, with these columns under their names; a class as its name or its number, as the task has it."""
        from tfx_bsl.coders.example_coder import ExamplesToRecordBatchDecoder

        decoder, row = ExamplesToRecordBatchDecoder(), 1
        try:
            with readable(self.path):
                records = self._records()
                while held := list(some(records)):
                    decoded = decoder.DecodeBatch(held)
                    yield Batch(
                        columns={column.name: self.found[column.name].values(decoded) for column in columns},
                        numbers=np.arange(row, row + len(held)),
                        source=self.name,
                    )
                    row += len(held)
        except DamagedRecordError as error:
            raise InputError(f"{self.path} is damaged: {error}. Prepare the data set again.") from error
        if row <= self.take:
            raise InputError(f"{self.path} holds fewer records than are told of it. Prepare the data set again.")

    def _records(self) -> Iterator[bytes]:
        if ".array_record" in Path(self.path).name:
            from array_record.python.array_record_module import ArrayRecordReader

            reader = ArrayRecordReader(self.path)
            for start in range(self.skip, self.skip + self.take, AT_ONCE):
                yield from reader.read(start, min(start + AT_ONCE, self.skip + self.take))
            return
        with Path(self.path).open("rb") as file:
            yield from islice(read_records(file), self.skip, self.skip + self.take)


def tfds_parts(task: Task, data: str, data_dir: str = "") -> list[TfdsPart]:
    """A part for each piece of a file; InputError for whatever cannot be meant."""
    name, *asked = data.removeprefix(TFDS).split(",")
    folder = _folder(data, name, data_dir)
    # It takes a second to import, and TensorFlow does not come with it.
    import tensorflow_datasets as tfds

    try:
        info = tfds.builder_from_directory(folder).info
    except Exception as error:  # a file of another version, or cut off
        raise InputError(f"{folder} is not what TensorFlow Datasets writes, or damaged: {error}.") from error
    kind = info.file_format.value if info.file_format else FORMATS[0]
    if kind not in FORMATS:
        raise InputError(
            f"{data} is prepared as {kind} files. Expected one of: {', '.join(FORMATS)}. Prepare it with "
            f"tfds.builder({info.name!r}, file_format='array_record').download_and_prepare()."
        )
    found = fitting(task, data, columns_of(info.features))
    # What the numbers of classes stand for is in files of their own.
    described = " ".join(map(version_of, map(str, [folder / "features.json", *sorted(folder.glob("*.labels.txt"))])))
    hashed = functools.cache(version_of)
    return [
        TfdsPart(
            name=f"{TFDS}{info.full_name} {wanted}, {Path(piece.filename).name}{_within(piece)}",
            version=f"{hashed(piece.filename)} {piece.skip}:{piece.skip + piece.take} {described}",
            split=split, path=piece.filename, skip=piece.skip, take=piece.take, found=found,
        )
        for split, wanted in _splits(data, asked, list(info.splits))
        for piece in _pieces(data, wanted, info.splits)
    ]  # fmt: skip


def _within(piece: Any) -> str:
    """Which records of the file, where not all."""
    first, last = piece.skip, piece.skip + piece.take
    return "" if (first, last) == (0, piece.examples_in_shard) else f", records {first + 1} to {last}"


def _folder(data: str, name: str, data_dir: str) -> Path:
    """Where the data set lies: its newest version, unless one is named."""
    if "?" in name or not (match := NAME.fullmatch(name)):
        raise InputError(
            f"{data} names no data set. Expected, for example, tfds:penguins/simple, or with splits "
            f"'tfds:imdb_reviews,train=train[:60%],eval=train[60%:],test=test'."
        )
    root = tfds_folder(Path(data_dir) if data_dir else None)
    called, config, version = match.groups()
    folder = root / called
    if not folder.is_dir():
        raise InputError(f"{data} is not prepared in {root}. {_how_to_prepare(called, config, root)}")
    configs = [child.name for child in _folders(folder) if not VERSION.fullmatch(child.name)]
    if not config and configs and not any(VERSION.fullmatch(child.name) for child in _folders(folder)):
        if len(configs) > 1:
            options = " or ".join(f"{TFDS}{called}/{one}" for one in configs)
            raise InputError(f"{data} is prepared in several configurations. Expected {options}.")
        config = configs[0]
    folder = folder / config if config else folder
    versions = [child.name for child in _folders(folder) if VERSION.fullmatch(child.name)]
    if (version and version not in versions) or not versions:
        there = ", ".join(versions or configs) or "nothing"
        raise InputError(
            f"{data} is not prepared in {root}. Found there: {there}. {_how_to_prepare(called, config, root)}"
        )
    return folder / (version or max(versions, key=lambda each: [*map(int, each.split("."))]))


def _folders(folder: Path) -> list[Path]:
    """What is complete, by name."""
    if not folder.is_dir():
        return []
    hidden = (".", "incomplete.")
    return sorted(child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(hidden))


def _how_to_prepare(name: str, config: str | None, root: Path) -> str:
    """The command, or the name that was probably meant."""
    import tensorflow_datasets as tfds

    packages = Path(tfds.core.__file__).parent.parent
    known = {path.name for path in (packages / "datasets").iterdir() if (path / "__init__.py").exists()}
    known |= {path.stem for path in (packages / "url_checksums").glob("*.txt")}
    there = {path.name for path in _folders(root)} - {"downloads"}
    if name not in known | there and (close := nearest(name, sorted(known | there))).startswith(" Did"):
        return f"TensorFlow Datasets has none of this name.{close}"
    command = f"tfds build {name}{f'/{config}' if config else ''} --data_dir {root}"
    return (
        f"To prepare it: {command} (which needs the internet; where there is none, prepare it elsewhere, copy the "
        f"folder {name} and name the one above it with --data-dir)."
    )


def _splits(data: str, asked: Sequence[str], there: Sequence[str]) -> list[tuple[Split | None, str]]:
    """Which of our splits each of tfds' expressions is; None where the rows decide."""
    if not asked:
        known = [(SPLITS[name], name) for name in there if name in SPLITS]
        if unused := [name for name in there if name not in SPLITS]:
            say(f"{data}: not used: {', '.join(unused)}")
        if [split for split, _ in known] == ["train"] or (not known and len(there) == 1):
            return [(None, there[0] if not known else "train")]
        asked = [f"{split}={name}" for split, name in known]
    pairs: list[tuple[Split | None, str]] = []
    for words in asked:
        key, equals, wanted = words.partition("=") if "=" in words else ("", "", words)
        if (equals and key.strip() not in SPLITS) or not wanted.strip():
            raise InputError(f"{data}: {words!r} is none of train=SPLIT, eval=SPLIT and test=SPLIT, nor a split.")
        pairs.append((SPLITS[key.strip()] if equals else None, wanted.strip()))
    named = [split for split, _ in pairs]
    if None in named and named != [None]:
        raise InputError(f"{data}: expected one split for the task to divide, or train=, eval= and test=.")
    if named != [None] and ("train" not in named or "test" not in named):
        raise InputError(f"{data}: expected train=SPLIT and test=SPLIT at least. Found there: {', '.join(there)}.")
    return pairs


def _pieces(data: str, wanted: str, splits: Any) -> list[Any]:
    try:
        pieces = list(splits[wanted].file_instructions)
    except (KeyError, ValueError, NotImplementedError) as error:
        last = str(error).splitlines()[-1].rstrip(".")
        raise InputError(
            f"{data}: there is no split {wanted!r}: {last}. Found there: {', '.join(splits)}. A part of one is written "
            "as train[:60%] or train[1000:2000], in quotes for the shell."
        ) from error
    if not pieces:
        raise InputError(f"{data}: the split {wanted!r} has no rows.")
    return pieces
