"""Flowers drawn by code, as files of many sizes: the sample of the task flowers."""

from __future__ import annotations

import io
import math

import numpy as np
import pandas as pd
from PIL import Image, ImageDraw

Colour = tuple[int, int, int]
# Of each kind: petals, their colour, the heart's colour, and how wide and how long a petal is.
KINDS: dict[str, tuple[int, Colour, Colour, float, float]] = {
    "daisy": (14, (240, 240, 235), (235, 190, 40), 0.10, 0.55),
    "dandelion": (40, (240, 200, 40), (220, 170, 30), 0.05, 0.45),
    "roses": (6, (190, 30, 60), (150, 20, 45), 0.45, 0.35),
    "sunflowers": (18, (245, 180, 30), (80, 50, 25), 0.14, 0.65),
    "tulips": (3, (220, 60, 120), (200, 50, 105), 0.40, 0.75),
}


def draw(seed: int, count: int) -> pd.DataFrame:
    """So many pictures, as JPEG and PNG files, and what they show."""
    random = np.random.RandomState(seed)
    names = list(KINDS)
    kinds = [names[index] for index in random.randint(0, len(names), count)]
    return pd.DataFrame({"photo": [_file(random, kind) for kind in kinds], "label": kinds})


def _file(random: np.random.RandomState, kind: str) -> bytes:
    width, height = random.randint(60, 140, 2).tolist()
    picture = Image.new("RGB", (width, height), _near(random, (70, 120, 60), 40))
    pen = ImageDraw.Draw(picture)
    _leaves(random, pen, width, height)
    centre = (width * random.uniform(0.4, 0.6), height * random.uniform(0.4, 0.6))
    _flower(random, pen, kind, centre, min(width, height) * random.uniform(0.35, 0.5))
    out = io.BytesIO()
    picture.save(out, "PNG" if random.rand() < 0.2 else "JPEG")
    return out.getvalue()


def _leaves(random: np.random.RandomState, pen: ImageDraw.ImageDraw, width: int, height: int) -> None:
    for _ in range(8):
        left, top = random.uniform(0, width), random.uniform(0, height)
        box = (left, top, left + random.uniform(5, 40), top + random.uniform(5, 40))
        pen.ellipse(box, fill=_near(random, (60, 110, 50), 40))


def _flower(
    random: np.random.RandomState, pen: ImageDraw.ImageDraw, kind: str, centre: tuple[float, float], radius: float
) -> None:
    petals, colour, heart, wide, long = KINDS[kind]
    turned, colour = random.uniform(0, 2 * math.pi), _near(random, colour, 30)
    for number in range(petals):
        angle = turned + number * 2 * math.pi / petals
        x, y = centre[0] + math.cos(angle) * radius * long, centre[1] + math.sin(angle) * radius * long
        pen.line((*centre, x, y), fill=_near(random, colour, 15), width=max(1, int(radius * wide)))
        _disc(pen, (x, y), radius * wide * 0.6, _near(random, colour, 15))
    _disc(pen, centre, radius * 0.25, _near(random, heart, 20))


def _disc(pen: ImageDraw.ImageDraw, centre: tuple[float, float], radius: float, colour: Colour) -> None:
    x, y = centre
    pen.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _near(random: np.random.RandomState, colour: Colour, spread: int) -> Colour:
    red, green, blue = (int(np.clip(value + random.randint(-spread, spread + 1), 0, 255)) for value in colour)
    return red, green, blue
