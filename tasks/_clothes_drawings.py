"""Drawings of clothes, 28 by 28 pixels, for the sample of fashion_mnist."""

from __future__ import annotations

import numpy as np
import pandas as pd

# Each piece of clothing as rectangles: first and last row, first and last column, brightness (0 cuts out).
CLOTHES: tuple[tuple[tuple[int, int, int, int, float], ...], ...] = (
    ((4, 23, 9, 18, 0.8), (4, 9, 4, 23, 0.8)),  # T-shirt/top
    ((3, 7, 9, 18, 0.9), (8, 25, 9, 12, 0.9), (8, 25, 15, 18, 0.9)),  # Trouser
    ((4, 22, 8, 19, 0.6), (4, 21, 3, 6, 0.6), (4, 7, 3, 24, 0.6)),  # Pullover
    ((3, 9, 11, 16, 0.8), (10, 17, 10, 17, 0.8), (18, 25, 8, 19, 0.8)),  # Dress
    ((3, 25, 7, 20, 0.7), (4, 22, 3, 5, 0.7), (4, 22, 22, 24, 0.7), (3, 25, 13, 14, 0.1)),  # Coat
    ((18, 19, 3, 24, 0.6), (10, 18, 18, 19, 0.9), (12, 18, 8, 9, 0.9), (12, 13, 8, 19, 0.9)),  # Sandal
    ((4, 24, 9, 18, 0.5), (4, 14, 5, 22, 0.5), (3, 4, 11, 16, 0.9), (5, 23, 13, 14, 0.9)),  # Shirt
    ((13, 19, 3, 15, 0.7), (16, 19, 14, 24, 0.7), (20, 21, 3, 24, 1.0)),  # Sneaker
    ((11, 24, 5, 22, 0.9), (5, 11, 9, 10, 0.7), (5, 11, 17, 18, 0.7), (5, 6, 9, 18, 0.7)),  # Bag
    ((4, 21, 4, 13, 0.8), (15, 21, 12, 23, 0.8), (22, 23, 4, 23, 1.0)),  # Ankle boot
)


def draw(seed: int, count: int) -> pd.DataFrame:
    """Each drawing is moved, brighter or darker, and grainy."""
    random = np.random.RandomState(seed)  # numpy promises the same numbers for ever of RandomState alone
    outlines = np.stack([_outline(rectangles) for rectangles in CLOTHES])
    labels = random.randint(0, len(CLOTHES), count)
    moves = random.randint(-2, 3, (count, 2))
    drawn = np.stack([np.roll(outlines[label], move, (0, 1)) for label, move in zip(labels, moves, strict=True)])
    drawn = drawn * random.uniform(0.6, 1.1, (count, 1, 1)) * random.uniform(0.7, 1.1, drawn.shape)
    drawn += np.where(random.rand(*drawn.shape) < 0.1, random.uniform(0, 0.4, drawn.shape), 0)
    pixels = (drawn.clip(0, 1) * 255).astype(np.uint8)
    return pd.DataFrame({"image": [image.tobytes() for image in pixels], "label": labels})


def _outline(rectangles: tuple[tuple[int, int, int, int, float], ...]) -> np.ndarray:
    image = np.zeros((28, 28))
    for top, bottom, left, right, brightness in rectangles:
        image[top : bottom + 1, left : right + 1] = brightness
    return image
