"""What pictures in folders seem to show: their classes, a size to bring them to, and what colours they have."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components.examples import pictures
from components.new_task.column_guesses import Guess
from components.reading.picture_folders import picture_parts
from tasks import Category, Image, InputError

# Squares to choose from; larger ones take long to learn from on a CPU.
SIZES = (32, 48, 64, 96)
# So few pictures of each kind tell the sizes and colours, and no more are kept at a time.
LOOKED_AT = 30
SMALL = (16, 16)

Colour = tuple[int, int, int]


@dataclass(frozen=True)
class Look:
    """One picture: how wide and high it is, whether it is grey, and the mean colours beside and in its middle."""

    width: int
    height: int
    grey: bool
    around: Colour
    middle: Colour


@dataclass(frozen=True)
class PictureGuesses:
    """The label, and for each of its kinds some looks at its pictures."""

    label: Guess
    looks: list[list[Look]]
    unreadable: int

    @property
    def widths(self) -> list[int]:
        return [look.width for looks in self.looks for look in looks]

    @property
    def heights(self) -> list[int]:
        return [look.height for looks in self.looks for look in looks]

    @property
    def size(self) -> int:
        """The largest square that most pictures fill."""
        shorter = float(np.median(np.minimum(self.widths, self.heights)))
        return max([size for size in SIZES if size <= shorter], default=max(8, int(shorter)))

    @property
    def channels(self) -> int:
        return 1 if all(look.grey for looks in self.looks for look in looks) else 3


def picture_guesses(data: str, label: str) -> PictureGuesses:
    """Look at the pictures; InputError if they are not of several kinds."""
    kinds: list[str] = []
    looks: dict[str, list[Look]] = {}
    unreadable = 0
    for kind, content in _pictures(data, label):
        look = _look(content) if len(looks.get(kind, [])) < LOOKED_AT else None
        if look is None and len(looks.get(kind, [])) < LOOKED_AT:
            unreadable += 1
            continue
        kinds.append(kind)
        looks.setdefault(kind, []).extend([look] if look else [])
    names = sorted(looks)
    if len(names) < 2:
        raise InputError(
            f"{data} has no two kinds of pictures. Expected at least two folders of pictures, each named as its kind. "
            f"Received: {', '.join(map(repr, names)) or 'no picture that can be read'}."
        )
    feature = Category(label, tuple(names))
    return PictureGuesses(
        label=Guess(feature, pa.array(kinds), f"{len(names)} folders"),
        looks=[looks[name] for name in names],
        unreadable=unreadable,
    )


def _pictures(data: str, label: str) -> Iterator[tuple[str, bytes]]:
    """Each file's folder and content, by the reader that a run will use."""
    columns = (Image("picture", 8, 8, channels=3), Category(label, ("a", "b")))
    for part in picture_parts(data):
        for batch in part.batches(columns):
            yield from zip(batch.columns[label].to_pylist(), batch.columns["picture"].to_pylist(), strict=True)


def _look(content: bytes) -> Look | None:
    """None if the file is no picture that a run would take."""
    if not pictures.is_file(content):
        return None
    try:
        pictures.check_file(content)
        with pictures.opened(content) as picture:
            small = np.asarray(picture.convert("RGB").resize(SMALL)).reshape(*SMALL, 3).astype(float)
            grey = picture.mode in ("1", "L", "LA", "I", "I;16")
            width, height = picture.size
    except (OSError, ValueError, SyntaxError):
        return None
    middle, edge = (
        small[4:12, 4:12].reshape(-1, 3),
        np.concatenate([small[:2].reshape(-1, 3), small[-2:].reshape(-1, 3)]),
    )
    return Look(width, height, grey, _mean(edge), _mean(middle))


def _mean(pixels: np.ndarray) -> Colour:
    red, green, blue = (int(value) for value in pixels.mean(axis=0).round())
    return red, green, blue


def mean_colours(looks: Sequence[Look]) -> tuple[Colour, Colour]:
    """Around and in the middle, on average."""
    return _mean(np.array([look.around for look in looks])), _mean(np.array([look.middle for look in looks]))
