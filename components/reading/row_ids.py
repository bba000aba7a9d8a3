"""The 64-bit content hash of a row, from which its split follows. Stable for ever: splits and caches rest on it.

The definition, on unsigned 64-bit integers:

    row   = 0x9E3779B97F4A7C15; then for each feature, sorted by name: row = mix(row XOR value)
    mix   = the finaliser of SplitMix64
    value = number:   the bits of the nearest float32, -0 as 0
            integer:  its two's complement
            date:     the two's complement of its microseconds since 1970, in UTC
            text, bytes: the first 8 bytes, little-endian, of their BLAKE2b-64
            missing:  0x6D697373696E6721

The label is no part of it, nor are the names of the features and the format that the row came in.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

START = np.uint64(0x9E3779B97F4A7C15)
MISSING = np.uint64(0x6D697373696E6721)
# Of remainder 5 by 8, so that its powers come around as late as can be.
STEP = np.uint64(0x5851F42D4C957F2D)


def row_ids(features: Mapping[str, pa.Array], count: int) -> np.ndarray:
    """The hash of each of `count` rows of typed columns, as uint64."""
    rows = np.full(count, START, np.uint64)
    for name in sorted(features):
        rows = mix(rows ^ value_bits(features[name]))
    return rows


def mix(values: np.ndarray) -> np.ndarray:
    """Every bit of the input moves every bit of the output; one to one."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def value_bits(values: pa.Array) -> np.ndarray:
    """What a column contributes to each row's hash."""
    if pa.types.is_float32(values.type):
        numbers = values.fill_null(0).to_numpy(zero_copy_only=False).astype(np.float32) + np.float32(0)
        bits = numbers.view(np.uint32).astype(np.uint64)
    elif pa.types.is_int64(values.type) or pa.types.is_timestamp(values.type):
        whole = values.cast(pa.int64()).fill_null(0).to_numpy(zero_copy_only=False)
        bits = whole.astype(np.int64).view(np.uint64)
    else:
        bits = _digests(values)
    if values.null_count:
        bits = np.where(values.is_null().to_numpy(zero_copy_only=False), MISSING, bits)
    return bits


def _digests(values: pa.Array) -> np.ndarray:
    coded = values.cast(pa.binary()).dictionary_encode()
    digests = [
        int.from_bytes(hashlib.blake2b(value, digest_size=8).digest(), "little")
        for value in coded.dictionary.to_pylist()
    ] or [0]
    return np.array(digests, np.uint64)[coded.indices.fill_null(0).to_numpy(zero_copy_only=False)]


@dataclass
class RowSequence:
    """Rows in their order, told by 64 bits: the same whatever parts they came in, another where two change places.

    The sum of each row's bits times a power of STEP, the last row's being 1: so two sequences join by one product.
    """

    bits: int = 0
    count: int = 0

    def add(self, rows: np.ndarray) -> None:
        powers = np.full(len(rows), STEP, np.uint64)
        powers[:1] = 1
        self.join(RowSequence(int((rows[::-1] * np.cumprod(powers)).sum(dtype=np.uint64)), len(rows)))

    def join(self, after: RowSequence) -> None:
        self.bits = (self.bits * pow(int(STEP), after.count, 1 << 64) + after.bits) % (1 << 64)
        self.count += after.count
