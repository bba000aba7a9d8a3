"""Pictures in folders, one folder a class: a directory, a glob, or a zip or tar archive of them."""

from __future__ import annotations

import hashlib
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from components.reading.find_files import contents, matches, version_of
from components.reading.text_and_pictures import PICTURES, Pictures, picture_batches
from components.storage.local_paths import local_path
from tasks import Category, Feature, Image, InputError, Split

ZIP, TAR = ".zip", (".tar", ".tar.gz", ".tgz")
SPLITS: dict[str, Split] = {"train": "train", "eval": "eval", "validation": "eval", "val": "eval", "test": "test"}
# Of one part, which one worker reads.
FILES = 1000


@dataclass(frozen=True, kw_only=True)
class PicturesPart:
    """Some of the pictures, or an archive of them; the folder's name is the label."""

    name: str
    version: str
    split: Split | None = None
    paths: tuple[str, ...]

    def batches(self, columns: Sequence[Feature]) -> Iterator[Pictures]:
        image, label = columns
        files = _archived(self.paths[0]) if _is_archive(self.paths[0]) else contents(self.paths)
        return picture_batches(files, image.name, label.name)


def meant(columns: Sequence[Feature], data: str) -> bool:
    """Whether the data are pictures in folders, for a task that can take them."""
    if not any(isinstance(column, Image) for column in columns):
        return False
    found = of_pictures(data)
    if found and (len(columns) != 2 or not isinstance(columns[1], Category)):
        raise InputError(
            f"Pictures in folders give a picture and its class. Expected a table with the columns "
            f"{', '.join(column.name for column in columns)}. Received: {data!r}."
        )
    return found


def of_pictures(data: str) -> bool:
    """A directory, an archive, or a glob of pictures, as far as the words tell."""
    return local_path(data).is_dir() or _is_archive(data) or data.lower().endswith((*PICTURES, "/*"))


def picture_parts(data: str) -> list[PicturesPart]:
    """In order, each with a version that changes with its content; InputError if there are none."""
    if _is_archive(data):
        return [PicturesPart(name=path, version=version_of(path), paths=(path,)) for path in matches(data)]
    folder = local_path(data)
    paths = _in_folders(folder) if folder.is_dir() else [path for path in matches(data) if _counts(path)]
    if not paths:
        raise InputError(f"There are no pictures in folders of {data}. Expected, for example, {data}/roses/1.jpg.")
    above = {Path(path).parent.parent.name for path in paths}
    official = above <= set(SPLITS)
    groups: dict[Split | None, list[str]] = {}
    for path in paths:
        groups.setdefault(SPLITS[Path(path).parent.parent.name] if official else None, []).append(path)
    return [
        PicturesPart(
            name=f"{data}{f' ({split})' if split else ''}, pictures {start + 1} to {start + len(chunk)}",
            version=_version(chunk), split=split, paths=tuple(chunk),
        )
        for split, listed in groups.items()
        for start in range(0, len(listed), FILES)
        for chunk in [listed[start : start + FILES]]
    ]  # fmt: skip


def _in_folders(folder: Path) -> list[str]:
    """All files one folder down, or two where the folders are those of splits; hidden ones are left alone."""
    children = [child for child in folder.iterdir() if child.is_dir() and not child.name.startswith(".")]
    depth = "*/*/*" if children and all(child.name in SPLITS for child in children) else "*/*"
    found = (path for path in folder.glob(depth) if path.is_file() and not path.name.startswith("."))
    return sorted(map(str, found))


def _version(paths: Sequence[str]) -> str:
    listed = "\n".join(f"{path}\t{version_of(path)}" for path in paths)
    return hashlib.sha256(listed.encode("utf-8", errors="surrogateescape")).hexdigest()


def _archived(path: str) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, in its order; never written to the disk."""
    try:
        if path.lower().endswith(ZIP):
            with zipfile.ZipFile(path) as archive:
                for name in archive.namelist():
                    if _counts(name):
                        yield f"{path}/{name}", archive.read(name)
        else:
            with tarfile.open(path) as tape:
                for member in tape:
                    if member.isfile() and _counts(member.name) and (file := tape.extractfile(member)):
                        yield f"{path}/{member.name}", file.read()
    except (zipfile.BadZipFile, tarfile.TarError, EOFError, OSError) as error:
        raise InputError(f"{path} cannot be read as an archive: {error}.") from error


def _counts(name: str) -> bool:
    """Within a folder, and not what systems put beside files."""
    place = PurePosixPath(name)
    return (
        not name.endswith("/") and len(place.parts) > 1 and place.name[0] not in "._" and "__MACOSX" not in place.parts
    )


def _is_archive(path: str) -> bool:
    return path.lower().endswith((ZIP, *TAR))
