"""The words of all live rows of one key, on the disk, to be taken up again part by part.

Each file of the table adds its own entries (key, location), sorted, as one piece. The space of
keys is cut into 2^bits equal parts; since the pieces are sorted and keys are spread evenly, a part
is a short stretch of every piece, and all stretches of a part together are about `PART_ENTRIES`
entries however large the table is. Equal keys are in the same part.

On the disk are 16 bytes for each row, 24 where keys are hashed. In memory are one part, and 4 bytes
for each piece and part. At most 2^12 parts are made: they grow beyond `PART_ENTRIES` where a table
has more than 4 * 10^9 rows.
"""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from storage.objects.os_errors import os_errors
from storage.primary_key import Keys, Words
from storage.primary_key.entries import width_of
from storage.primary_key.run_writer import entry_rows
from storage.primary_key.words import stable_order

__all__ = ["PART_ENTRIES", "KeyWords"]

PART_ENTRIES = 1 << 20
BITS_MAX = 12
WORD_BYTES = 8


@dataclass(frozen=True, slots=True)
class _Piece:
    """Sorted entries in the file: where they begin, and how many lie before each part."""

    start: int
    bounds: npt.NDArray[np.int32]


class KeyWords:
    """Of one key. Any thread may add; the parts are read when all is added."""

    def __init__(
        self, path: Path, exact: bool, rows: int, part_entries: int = PART_ENTRIES
    ) -> None:
        """Args: path: of a new file, which nobody else sees; rows: about how many."""
        self.exact = exact
        self.bits = min((rows // part_entries).bit_length(), BITS_MAX)
        self.count = 0
        self._pieces: list[_Piece] = []
        self._end = 0
        self._writing = threading.Lock()
        with os_errors(f"keys in {path}"):
            self._file = path.open("x+b", buffering=0)
            path.unlink()

    def add(self, keys: Keys, locations: Words) -> None:
        """Add entries. Raises Unavailable: the disk is full."""
        if not len(keys):
            return
        rows = entry_rows(keys, locations)
        parts = np.arange(1, 1 << self.bits, dtype=np.uint64)
        starts = parts << np.uint64(64 - self.bits) if self.bits else parts
        inner = np.searchsorted(rows[:, 0].copy(), starts)
        bounds = np.concatenate([[0], inner, [len(rows)]]).astype(np.int32)
        with self._writing, os_errors("keys that are compared"):
            rest = rows.data.cast("B")
            self._pieces.append(_Piece(self._end, bounds))
            self._end += len(rest)
            self.count += len(rows)
            while rest:
                rest = rest[self._file.write(rest) :]

    def part(self, number: int) -> Words:
        """The entries of one part, in the order of their keys; shape (n, width)."""
        width = width_of(self.exact)
        stretches = [np.empty((0, width), np.uint64)]
        for piece in self._pieces:
            first, end = int(piece.bounds[number]), int(piece.bounds[number + 1])
            if end > first:
                row_bytes = width * WORD_BYTES
                data = os.pread(
                    self._file.fileno(), (end - first) * row_bytes, piece.start + first * row_bytes
                )
                stretches.append(np.frombuffer(data, np.uint64).reshape(-1, width))
        rows = np.concatenate(stretches)
        low = None if self.exact else rows[:, 1].copy()
        order = stable_order(rows[:, 0].copy(), low, prefix_bits=self.bits)
        return rows.take(order, axis=0)

    def close(self) -> None:
        """The file goes."""
        self._file.close()
