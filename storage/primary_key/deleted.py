"""Which rows the delete bitmaps of a table delete, asked for thousands of rows at a time.

The bitmaps of a table are values of its snapshots; what they decode to is kept here from one
snapshot to the next, and made anew only for those that changed. A few rows of a file are looked up
in the RoaringBitmap one by one; many are worth a table of bits, which numpy looks up all at once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
from pyroaring import FrozenBitMap

from storage.delete_bitmap import DeleteBitmap
from storage.primary_key.words import Mask, Positions

__all__ = ["BitmapCache"]

MANY_ROWS = 1_024

Bits = npt.NDArray[np.uint8]


@dataclass(slots=True)
class _Decoded:
    """A bitmap decoded: as a set, and as a table of bits once that was worth it."""

    bitmap: DeleteBitmap
    positions: FrozenBitMap
    bits: Bits | None = None


@dataclass(slots=True)
class BitmapCache:
    """The decoded bitmaps of one table, the newest that was asked for of each file.

    Threads may share it: at worst both decode a bitmap.
    """

    _decoded: dict[int, _Decoded] = field(default_factory=dict)

    def deleted(self, bitmap: DeleteBitmap, rows: Positions) -> Mask:
        """For each row position of the bitmap's file, whether it is in the bitmap."""
        decoded = self._decoded.get(bitmap.file_id)
        if decoded is None or decoded.bitmap is not bitmap:
            decoded = _Decoded(bitmap, bitmap.bitmap)
            self._decoded[bitmap.file_id] = decoded
        if len(rows) < MANY_ROWS:
            positions = decoded.positions
            return np.array([row in positions for row in rows.tolist()], np.bool_)
        if decoded.bits is None:
            decoded.bits = _bits(decoded.positions)
        return _looked_up(decoded.bits, rows)

    def keep(self, file_ids: Iterable[int]) -> None:
        """Let go of the bitmaps of all other files."""
        kept = set(file_ids)
        for file_id in list(self._decoded):
            if file_id not in kept:
                self._decoded.pop(file_id, None)


def _bits(positions: FrozenBitMap) -> Bits:
    """A bit for each position up to the last one in the set, the first in the lowest bit."""
    flags = np.zeros(positions.max() + 1 if positions else 1, np.bool_)
    flags[np.array(positions.to_array(), np.int64)] = True
    return np.packbits(flags, bitorder="little")


def _looked_up(bits: Bits, rows: Positions) -> Mask:
    octets = rows >> 3
    bit = bits.take(octets, mode="clip") >> (rows & 7).astype(np.uint8)
    found: Mask = ((bit & 1) == 1) & (octets < len(bits))
    return found
