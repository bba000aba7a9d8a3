"""A sequence of rows, told by one number."""

from __future__ import annotations

import numpy as np

from components.reading.row_ids import RowSequence

ROWS = np.random.default_rng(0).integers(0, 1 << 64, 5000, np.uint64)


def sequence(*pieces: np.ndarray) -> tuple[int, int]:
    made = RowSequence()
    for piece in pieces:
        made.add(piece)
    return made.bits, made.count


def test_it_is_the_polynomial_that_it_says_whatever_pieces_the_rows_come_in() -> None:
    expected = 0
    for row in ROWS.tolist():
        expected = (expected * 0x5851F42D4C957F2D + row) % (1 << 64)
    assert sequence(ROWS) == (expected, 5000)
    assert sequence(ROWS[:1], ROWS[1:1], ROWS[1:4096], ROWS[4096:]) == (expected, 5000)
    first, second = RowSequence(), RowSequence()
    first.add(ROWS[:77])
    second.add(ROWS[77:])
    first.join(second)
    assert (first.bits, first.count) == (expected, 5000)


def test_two_rows_that_change_places_change_it() -> None:
    seen = {sequence(ROWS)}
    for distance in (1, 2, 256, 4096):
        swapped = ROWS.copy()
        swapped[[7, 7 + distance]] = swapped[[7 + distance, 7]]
        seen.add(sequence(swapped))
    assert len(seen) == 5
