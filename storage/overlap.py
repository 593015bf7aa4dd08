"""Where files are in the order of their table, and how many of them lie above each other.

A file that is sorted as the table is has an extent: the order keys of its first and last row, as
ranks among all of them. Files that only touch do not overlap: the rows between two equal keys are
none. A file of another order, or of one that has no keys, may have rows anywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from storage.snapshot.changes import ClusterBy
from storage.snapshot.files import FileSet

__all__ = ["Extents", "Ranks", "depth_max", "extents", "levels", "unsorted"]

Ranks = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Extents:
    """Per file, in the order of the `FileSet`: the ranks of its first and its last key."""

    first: Ranks
    last: Ranks

    def depths(self) -> tuple[Ranks, Ranks]:
        """Between two neighbouring ranks, how many files there are.

        Returns: ranks, ascending, and the number of files from each to the next. Files of one key
            alone are between no two.
        """
        first, last = self.first, self.last
        edges = np.unique(np.concatenate([first, last]))
        change = np.zeros(len(edges) + 1, np.int64)
        np.add.at(change, np.searchsorted(edges, first), 1)
        np.add.at(change, np.searchsorted(edges, last), -1)
        return edges, np.cumsum(change)[: len(edges)]

    def heaps(self) -> list[Ranks]:
        """Positions of files that overlap, two or more together, and no others that do."""
        order = np.lexsort([self.last, self.first])
        reach = np.maximum.accumulate(self.last[order])
        begins = np.ones(len(order), np.bool_)
        begins[1:] = self.first[order][1:] >= reach[:-1]
        return [heap for heap in np.split(order, np.flatnonzero(begins)[1:]) if len(heap) > 1]

    def overlapping(self, first: int, last: int) -> npt.NDArray[np.bool_]:
        """Per file, whether it has rows between two ranks, or may have."""
        return np.asarray(
            (self.first < last) & (self.last > first)
            | (self.first == self.last) & (first < self.first) & (self.first < last),
            np.bool_,
        )


def extents(files: FileSet, order: ClusterBy | None) -> Extents:
    """Of all files of a table that is sorted so."""
    name = f"extents {None if order is None else order.text}"
    if name not in files.memo:
        files.memo[name] = _extents(files.table, order)
    found: Extents = files.memo[name]
    return found


def depth_max(files: FileSet, order: ClusterBy | None) -> int:
    """How many files lie above each other, at most; 1: none overlap."""
    name = f"depth max {None if order is None else order.text}"
    if name not in files.memo:
        files.memo[name] = int(extents(files, order).depths()[1].max(initial=1))
    found: int = files.memo[name]
    return found


def levels(files: FileSet, order: ClusterBy | None) -> Ranks:
    """Of all files of a table that is sorted so: sorted otherwise, a file has level 0."""
    if order is None:
        return np.zeros(len(files), np.int64)
    name = f"levels {order.text}"
    if name not in files.memo:
        level = files.table["level"].to_numpy().astype(np.int64)
        files.memo[name] = np.where(_sorted_so(files.table, order).to_numpy(), level, 0)
    found: Ranks = files.memo[name]
    return found


def unsorted(files: FileSet, order: ClusterBy) -> Ranks:
    """Positions of the files that are sorted otherwise, or not at all."""
    return np.flatnonzero(~_sorted_so(files.table, order).to_numpy())


def _sorted_so(table: pa.Table, order: ClusterBy) -> pa.ChunkedArray:
    return pc.fill_null(pc.equal(table["sort"], order.text), False)


def _extents(table: pa.Table, order: ClusterBy | None) -> Extents:
    count = table.num_rows
    everywhere = np.zeros(count, np.int64), np.full(count, 1, np.int64)
    if order is None or order.order != "lexical":
        return Extents(*everywhere)
    known = pc.and_(_sorted_so(table, order), pc.is_valid(table["first_key"]))
    keys = pa.concat_arrays(
        [
            pc.if_else(known, table[name], pa.scalar(None, pa.binary())).combine_chunks()
            for name in ("first_key", "last_key")
        ]
    )
    ranks = pc.rank(keys, tiebreaker="dense").to_numpy().astype(np.int64)
    top = int(ranks.max(initial=0)) + 1
    mask = known.to_numpy()
    return Extents(
        np.where(mask, ranks[:count], 0),
        np.where(mask, ranks[count:], top),
    )
