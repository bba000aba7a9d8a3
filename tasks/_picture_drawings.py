"""Drawings in place of pictures, for the samples that `sluice new` writes: a shape for each kind, in its colours."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
QUALITY = 85


def draw(
    kinds: Sequence[str],
    colours: Sequence[tuple[Colour, Colour]],
    widths: tuple[int, int],
    heights: tuple[int, int],
    *,
    channels: int,
    count: int,
) -> tuple[list[bytes], list[str]]:
    """JPEG files, and the kind of each; `colours` are those around and in the middle, of each kind."""
    random = np.random.RandomState(0)  # numpy promises the same numbers for ever of RandomState alone
    drawn = [number % len(kinds) for number in range(count)]
    random.shuffle(drawn)
    return [_file(random, at, *colours[at], widths, heights, channels) for at in drawn], [kinds[at] for at in drawn]


def _file(
    random: np.random.RandomState,
    kind: int,
    around: Colour,
    middle: Colour,
    widths: tuple[int, int],
    heights: tuple[int, int],
    channels: int,
) -> bytes:
    width, height = (random.randint(low, high + 1) for low, high in (widths, heights))
    ground, shape = _near(random, around), _near(random, middle)
    if max(abs(one - other) for one, other in zip(ground, shape, strict=True)) < 60:
        red, green, blue = ((value + 128) % 256 for value in ground)
        shape = red, green, blue  # to be seen at all
    picture = Image.new("RGB", (width, height), ground)
    radius = min(width, height) * random.uniform(0.3, 0.45)
    centre = width * random.uniform(0.4, 0.6), height * random.uniform(0.4, 0.6)
    ImageDraw.Draw(picture).polygon(_outline(kind, centre, radius), fill=shape)
    out = io.BytesIO()
    picture.convert("RGB" if channels == 3 else "L").save(out, "JPEG", quality=QUALITY)
    return out.getvalue()


def _outline(kind: int, centre: tuple[float, float], radius: float) -> list[tuple[float, float]]:
    """A star of its own for each kind: of more points, and deeper notches."""
    points, depth = 3 + kind // 3, (1.0, 0.55, 0.25)[kind % 3]
    turns = [math.pi * number / points for number in range(2 * points)]
    reach = [radius * (1.0 if number % 2 == 0 else depth) for number in range(2 * points)]
    return [
        (centre[0] + far * math.sin(turn), centre[1] - far * math.cos(turn))
        for turn, far in zip(turns, reach, strict=True)
    ]


def _near(random: np.random.RandomState, colour: Colour) -> Colour:
    red, green, blue = (int(np.clip(value + random.randint(-20, 21), 0, 255)) for value in colour)
    return red, green, blue
