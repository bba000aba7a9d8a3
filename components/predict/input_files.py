"""What a user points at as rows to predict: tables of raw features, plain text, pictures, or standard input."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence

from components.reading.find_files import Reader, contents, file_names, read_file
from components.reading.headers import asked, renamed
from components.reading.raw_batch import Batch
from components.reading.standard_input import read_stream
from components.reading.text_and_pictures import PICTURES, picture_batches, read_picture, read_text
from components.storage.local_paths import local_path
from tasks import Feature, Image, InputError, Task, Text

STDIN = "-"


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
    for of_pictures, group in itertools.groupby(names, _picture):
        if of_pictures:
            yield from picture_batches(contents(group), task.features[0].name)
            continue
        for name in group:
            if name == STDIN:
                found = read_stream(sys.stdin.buffer, needed, optional, _also(task))
            else:
                found = read_file(name, needed, optional, _also(task))
            yield from renamed(found, task.features, absent)


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
