"""Where rows are, as words, and which of the rows that an index names are still there.

A location is `file id << 21 | row`: 43 and 21 bits. The file is a delta or a micropartition, which
share one id space. An index may know locations that are no more: their file has left the snapshot,
or a bitmap deletes the row. `LiveRows` tells; it is made from the state of a table.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from storage.delete_bitmap import DeleteBitmap, positions_of
from storage.delete_bitmap import Positions as Bitmap
from storage.primary_key.words import Mask, Positions, Words
from storage.snapshot.model import TableState

__all__ = [
    "MISSING",
    "ROW_BITS",
    "LiveIds",
    "LiveRows",
    "bitmaps_by_file",
    "by_file",
    "file_ids_of",
    "locations_in",
    "rows_of",
]

ROW_BITS = 21
MISSING = np.uint64(2**64 - 1)  # no location: no file has an id of 43 ones

FEW_OF_A_FILE = 32

_ROW_MASK = np.uint64((1 << ROW_BITS) - 1)
_SHIFT = np.uint64(ROW_BITS)


def locations_in(file_id: int, rows: Positions) -> Words:
    """The locations of rows of one file, by their positions."""
    return rows.astype(np.uint64) | np.uint64(file_id << ROW_BITS)


def file_ids_of(locations: Words) -> Positions:
    """The file ids in locations."""
    return (locations >> _SHIFT).astype(np.int64)


def rows_of(locations: Words) -> Positions:
    """The row positions in locations."""
    return (locations & _ROW_MASK).astype(np.int64)


def by_file(locations: Words) -> Iterator[tuple[int, Positions]]:
    """File ids in locations, ascending, each with the positions of its locations in the array."""
    if not len(locations):
        return
    ids = file_ids_of(locations)
    order = np.argsort(_narrow(ids), kind="stable")
    for file_id, part in _runs(ids.take(order)):
        yield file_id, order[part]


def bitmaps_by_file(locations: Words) -> Iterator[tuple[int, Bitmap]]:
    """File ids in locations, ascending, each with the rows that they name there."""
    ordered = np.sort(locations)
    rows = rows_of(ordered)
    for file_id, part in _runs(file_ids_of(ordered)):
        yield file_id, positions_of(rows[part])


def _runs(ids: Positions) -> Iterator[tuple[int, slice]]:
    """Ascending ids, each with the slice of the array that is of it."""
    starts = np.flatnonzero(np.diff(ids, prepend=-1))
    edges = itertools.pairwise([*starts.tolist(), len(ids)])
    yield from zip(ids.take(starts).tolist(), itertools.starmap(slice, edges), strict=True)


def _narrow(ids: Positions) -> Positions | npt.NDArray[np.uint16]:
    """Ids less the least of them, in 16 bits if they fit: numpy sorts those by counting."""
    offsets: Positions = ids - ids.min()
    return offsets.astype(np.uint16) if offsets.max() < 1 << 16 else offsets


@dataclass(frozen=True, slots=True, eq=False)
class LiveIds:
    """The ids of the files and deltas of a table at one snapshot.

    Attributes:
        first: the least id that `table` speaks of; ids below it are gone.
        table: one flag for each id from `first`; ids past its end are unknown, thus not live.
    """

    first: int
    table: Mask

    @classmethod
    def of(cls, ids: Iterable[int] | Positions) -> LiveIds:
        known = ids if isinstance(ids, np.ndarray) else np.fromiter(ids, np.int64)
        if not len(known):
            return cls(0, np.zeros(0, np.bool_))
        first = int(known.min())
        table = np.zeros(int(known.max()) - first + 1, np.bool_)
        table[known - first] = True
        return cls(first, table)

    def contains(self, file_ids: Positions) -> Mask:
        """For each id, whether it is live."""
        if not len(self.table):
            return np.zeros(len(file_ids), np.bool_)
        at = file_ids - self.first
        known = (at >= 0) & (at < len(self.table))
        return known & self.table.take(at, mode="clip")

    def contains_all(self, least: int, most: int) -> bool:
        """Whether every id from `least` to `most`, both included, is live."""
        if least < self.first or most >= self.first + len(self.table):
            return False
        return bool(self.table[least - self.first : most - self.first + 1].all())

    def contains_none(self, least: int, most: int) -> bool:
        """Whether no id from `least` to `most`, both included, is live."""
        start, stop = max(least - self.first, 0), max(most - self.first + 1, 0)
        return not self.table[start:stop].any()

    def changed(self, added: Iterable[int], removed: Iterable[int]) -> LiveIds:
        """The ids after a commit that adds some and removes some."""
        new = np.fromiter(added, np.int64)
        old = np.fromiter(removed, np.int64)
        if not len(self.table):
            return LiveIds.of(new[~np.isin(new, old)].tolist())
        first = min(self.first, int(new.min())) if len(new) else self.first
        end = max(self.first + len(self.table), int(new.max()) + 1 if len(new) else 0)
        table = np.zeros(end - first, np.bool_)
        start = self.first - first
        table[start : start + len(self.table)] = self.table
        table[new - first] = True
        table[old[(old >= first) & (old < end)] - first] = False
        gone = int(np.argmax(table)) if table.any() else len(table)
        return LiveIds(first + gone, table[gone:])


@dataclass(frozen=True, slots=True, eq=False)
class LiveRows:
    """The rows of a table at one snapshot: their file is there, and no bitmap deletes them.

    Attributes:
        ids: of files and deltas.
        bitmaps: by file id, as in `TableState.bitmaps`.
    """

    ids: LiveIds
    bitmaps: Mapping[int, DeleteBitmap] = field(default_factory=dict)

    @classmethod
    def of(cls, state: TableState) -> LiveRows:
        """Of a table at one snapshot: 100,000 files take less than a millisecond."""
        files = state.files.table["file_id"].to_numpy()
        deltas = np.fromiter((delta.id for delta in state.deltas), np.int64)
        return cls(LiveIds.of(np.concatenate([files, deltas])), state.bitmaps)

    def contains(self, locations: Words, file_ids: tuple[int, int] | None = None) -> Mask:
        """For each location, whether its row is there.

        Args:
            file_ids: the least and the greatest file id that the locations can have, if known.
        """
        if file_ids is not None and self.ids.contains_all(*file_ids):
            live = np.ones(len(locations), np.bool_)
        else:
            live = self.ids.contains(file_ids_of(locations))
        return live & ~self.deleted(locations) if self.bitmaps else live

    def deleted(self, locations: Words) -> Mask:
        """For each location, whether a bitmap deletes its row."""
        if len(locations) < FEW_OF_A_FILE * len(self.bitmaps):
            return self._deleted_one_by_one(locations)
        rows = rows_of(locations)
        found = np.zeros(len(locations), np.bool_)
        for file_id, positions in by_file(locations):
            bitmap = self.bitmaps.get(file_id)
            if bitmap is not None:
                found[positions] = bitmap.has(rows.take(positions))
        return found

    def _deleted_one_by_one(self, locations: Words) -> Mask:
        """Where each file has so few of the locations that taking them together does not pay."""
        bitmaps = self.bitmaps
        pairs = zip(file_ids_of(locations).tolist(), rows_of(locations).tolist(), strict=True)
        deleted = (
            (known := bitmaps.get(file_id)) is not None and row in known.bitmap
            for file_id, row in pairs
        )
        return np.fromiter(deleted, np.bool_, len(locations))
