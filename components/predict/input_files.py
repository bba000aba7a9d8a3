"""What a user points at as rows to predict: tables of raw features, plain text, pictures, or standard input."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from components.examples.rejected import Rejected
from components.reading.find_files import Reader, file_names, read_file
from components.reading.headers import asked, renamed
from components.reading.raw_batch import Batch
from components.reading.standard_input import read_stream
from components.reading.text_and_pictures import Pictures, read_picture, read_text
from components.storage.local_paths import local_path
from tasks import Feature, Image, InputError, Task, Text

STDIN = "-"
PICTURES = (".png", ".jpg", ".jpeg", ".gif", ".bmp", ".webp")
# Of pictures in one batch, since files of any size may be meant.
COUNT, BYTES = 256, 32 << 20


def named(task: Task, given: Sequence[str]) -> list[str]:
    """The files in the order given, those of a glob or directory sorted; InputError if one cannot be meant."""
    also = _also(task)
    return [name for path in given for name in _names(path, also)]


def several(given: Sequence[str], names: Sequence[str]) -> bool:
    """Whether an answer has to say which file it is about."""
    return len(given) > 1 or bool(set("*?[") & set(given[0])) or any(map(_picture, names))


def batches(task: Task, names: Sequence[str], further: Sequence[str] = ()) -> Iterator[Batch]:
    """The raw rows of all files, one after the other, with further columns that are no features."""
    absent = [feature.name for feature in task.features if feature.when_missing != "reject"]
    needed, optional = asked(task.features, absent)
    needed += [name for name in further if name not in needed]
    if further and (plain := next((name for name in names if _picture(name) or name.endswith(".txt")), "")):
        raise InputError(f"{plain} has no columns, so none of its rows has a {further[0]!r}. Expected a table.")
    pictures: list[str] = []
    for name in names:
        if _picture(name):
            pictures.append(name)
            continue
        yield from _pictures(task.features[0].name, pictures)
        pictures = []
        if name == STDIN:
            found = read_stream(sys.stdin.buffer, needed, optional, _also(task))
            yield from renamed(found, task.features, absent)
        else:
            yield from renamed(read_file(name, needed, optional, _also(task)), task.features, absent)
    yield from _pictures(task.features[0].name, pictures)


def _also(task: Task) -> Mapping[str, Reader]:
    """Formats that name no column, for tasks that have but one."""
    alone: Feature | None = task.features[0] if len(task.features) == 1 else None
    match alone:
        case Text():
            return {".txt": read_text}
        case Image():
            return dict.fromkeys(PICTURES, read_picture)
    return {}


def _names(path: str, also: Mapping[str, Reader]) -> list[str]:
    if path == STDIN:
        return [STDIN]
    folder = local_path(path)
    if ".png" in also and folder.is_dir():
        found = sorted(str(file) for file in folder.iterdir() if _picture(file.name) and file.is_file())
        if not found:
            raise InputError(f"There is no picture in the directory {path}. Expected files {', '.join(PICTURES)}.")
        return found
    return file_names(path, also)


def _picture(name: str) -> bool:
    return name.lower().endswith(PICTURES)


def _pictures(column: str, names: Sequence[str]) -> Iterator[Pictures]:
    """One file a row; a file that cannot be read is a bad row."""
    start = 0
    while start < len(names):
        contents: list[bytes] = []
        numbers: list[int] = []
        rejected: list[Rejected] = []
        number = size = 0
        for number, name in enumerate(names[start : start + COUNT], 1):
            try:
                contents.append(Path(name).read_bytes())
                numbers.append(number)
                size += len(contents[-1])
            except OSError as error:
                rejected.append(Rejected(number, name, "the file cannot be read", error.strerror or str(error), name))
            if size > BYTES:
                break
        yield Pictures(
            columns={column: pa.array(contents, pa.binary())}, numbers=np.array(numbers, np.int64),
            source="pictures", names=names[start : start + number], rejected=tuple(rejected),
        )  # fmt: skip
        start += number
