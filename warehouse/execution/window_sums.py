"""Exact sums of integers and decimals over frames, by differences of running sums.

Running sums modulo 2^64 are enough where the result provably fits 64 bits: the difference of two
is exact whatever the running sums themselves did. Everything else is summed in 128 bits: values
are cut into 32-bit limbs, each limb has a running sum that cannot overflow (Polars' row numbers
end at 2^32), and the differences are carried into two 64-bit words.

Floats are not summed this way: a difference would cancel digits, and one infinity would spoil all
frames after it (see `window_folds`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import polars as pl
import pyarrow as pa

from warehouse.execution.window_frames import Frames
from warehouse.execution.window_layout import Flags, Integers

__all__ = ["WideSums", "counts", "running", "sums64", "wide_sums"]

LIMB = 0xFFFFFFFF
LARGEST = 10**38 - 1  # of DECIMAL(38)


@dataclass(frozen=True, slots=True)
class WideSums:
    """128-bit results: `high` is signed, `low` the 64 bits below; `lost` where they do not fit."""

    high: Integers
    low: npt.NDArray[np.uint64]
    lost: Flags

    @property
    def fit(self) -> Flags:
        """Which results are 64-bit integers."""
        found: Flags = (self.high == (self.low.view(np.int64) >> 63)) & ~self.lost
        return found

    def floats(self) -> npt.NDArray[np.float64]:
        """The nearest 64-bit floats."""
        wide = self.high.astype(np.float64) * 2.0**64 + self.low.astype(np.float64)
        return np.where(self.fit, self.low.view(np.int64).astype(np.float64), wide)

    def beyond_decimal(self) -> Flags:
        """Which results have more than 38 digits."""
        top = LARGEST >> 64
        above = (self.high > top) | (
            (self.high == top) & (self.low > np.uint64(LARGEST & (2**64 - 1)))
        )
        least = -LARGEST >> 64
        bottom = np.uint64(-LARGEST & (2**64 - 1))
        below = (self.high < least) | ((self.high == least) & (self.low < bottom))
        found: Flags = above | below | self.lost
        return found

    def decimals(self, valid: Flags, scale: int) -> pl.Series:
        """As Decimal(38, scale), NULL where not valid."""
        words = np.empty((len(self.high), 2), dtype=np.uint64)
        words[:, 0] = np.where(valid, self.low, np.uint64(0))
        words[:, 1] = np.where(valid, self.high, 0).view(np.uint64)
        mask = pa.py_buffer(np.packbits(valid, bitorder="little").tobytes())
        array = pa.Array.from_buffers(
            pa.decimal128(38, scale), len(self.high), [mask, pa.py_buffer(words.tobytes())]
        )
        made = pl.from_arrow(array)
        assert isinstance(made, pl.Series)
        return made.cast(pl.Decimal(38, scale))


def running(values: Integers) -> Integers:
    """Sums of the first 0, 1, 2, … values, modulo 2^64."""
    total = np.zeros(len(values) + 1, dtype=np.int64)
    np.cumsum(values, out=total[1:])
    return total


def counts(included: Flags | None, frames: Frames) -> Integers:
    """How many of the rows that `included` marks each frame has; all of them if it is None."""
    if included is None:
        return frames.lengths
    return _differences(running(included.astype(np.int64)), frames)


def sums64(values: Integers, frames: Frames) -> Integers:
    """Sums modulo 2^64."""
    return _differences(running(values), frames)


def wide_sums(values: pl.Series, included: Flags, frames: Frames) -> WideSums:
    """Sums of the included values, which are Int64 or Decimal(38, s)."""
    limbs = [_differences(running(np.where(included, limb, 0)), frames) for limb in _limbs(values)]
    carry = np.zeros(frames.count, dtype=np.int64)
    words = []
    for limb in limbs:
        carry = limb + carry
        words.append((carry & LIMB).view(np.uint64))
        carry = carry >> 32
    if len(words) == 2:
        low = words[0] | (words[1] << np.uint64(32))
        return WideSums(carry, low, np.zeros(frames.count, dtype=np.bool_))
    low = words[0] | (words[1] << np.uint64(32))
    high = (words[2] | (words[3] << np.uint64(32))).view(np.int64)
    return WideSums(high, low, carry != (high >> 63))


def _limbs(values: pl.Series) -> Sequence[Integers]:
    """32 bits each from the lowest; the last one is not signed only if it has one above it."""
    if not isinstance(values.dtype, pl.Decimal):
        whole = values.fill_null(0).to_numpy()
        return [whole & LIMB, whole >> 32]
    array = values.rechunk().to_arrow().cast(pa.decimal128(38, values.dtype.scale))
    raw = np.frombuffer(array.buffers()[1], dtype=np.int64)
    words = raw[2 * array.offset : 2 * (array.offset + len(array))].reshape(-1, 2)
    low, high = words[:, 0], words[:, 1]
    return [low & LIMB, (low >> 32) & LIMB, high & LIMB, high >> 32]


def _differences(totals: Integers, frames: Frames) -> Integers:
    starts, ends = frames.spans[0]
    found = totals[ends] - totals[starts]
    for starts, ends in frames.spans[1:]:
        found = found + (totals[ends] - totals[starts])
    return found
