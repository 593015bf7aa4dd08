"""Where the rows of a table are, as a check sees it: what a location names, and whether that is
there.

Unlike an index, which believes the catalogue, this knows how many rows each file really has, and
which files could not be read.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pyarrow.compute as pc

from storage.names import log_name
from storage.primary_key import ROW_BITS, LiveIds, LiveRows, Positions, Words, file_ids_of, rows_of
from storage.primary_key.words import Mask
from storage.snapshot.model import TableState

__all__ = ["Places"]


class Places:
    """The files and deltas of one table."""

    def __init__(
        self, table: TableState, counts: Mapping[int, int], unreadable: Collection[int]
    ) -> None:
        """Args: counts: rows of files and deltas that were read, by id."""
        self._table = table
        files = table.files.table
        said = dict(
            zip(*(files[name].to_pylist() for name in ("file_id", "row_count")), strict=True)
        )
        said |= {delta.id: delta.row_count for delta in table.deltas}
        ids = np.array(sorted(said), np.int64)
        rows = [max(said[number], counts.get(number, 0)) for number in ids.tolist()]
        self._ids = ids
        self._said = np.array([said[number] for number in ids.tolist()], np.int64)
        self._rows = np.array(rows, np.int64)
        self._files = LiveIds.of(files["file_id"].to_numpy())
        readable = np.array([number for number in said if number not in unreadable], np.int64)
        self._live = LiveRows(LiveIds.of(readable), table.bitmaps)

    def beyond(self, locations: Words) -> Mask:
        """For each location, whether there cannot be a row: past the end of its file, or of a file
        that does not exist yet."""
        ids = file_ids_of(locations)
        unborn = ids >= self._table.next_file_id
        if not len(self._ids):
            return unborn
        at = np.minimum(np.searchsorted(self._ids, ids), len(self._ids) - 1)
        past = (self._ids[at] == ids) & (rows_of(locations) >= self._rows[at])
        return np.asarray(unborn | past, np.bool_)

    def live(self, locations: Words) -> Mask:
        """For each location that is not beyond, whether its row is there, in what was read."""
        there = self._live.ids.contains(file_ids_of(locations))
        if self._live.bitmaps and there.any():
            there[there] = ~self._deleted(locations[there])
        return there

    def in_files(self, ids: Positions) -> Mask:
        """For each id, whether it is a file's, and not a delta's."""
        return self._files.contains(ids)

    def text(self, location: int) -> str:
        """A location for people."""
        number, row = location >> ROW_BITS, location & ((1 << ROW_BITS) - 1)
        return f"row {row} of {self.object(number) or f'file {number}, which is not there'}"

    def object(self, number: int) -> str | None:
        """The object that holds a file or delta; None if neither is there."""
        for delta in self._table.deltas:
            if delta.id == number:
                return log_name(delta.lsn)
        files = self._table.files.table
        found = files["name"].filter(pc.equal(files["file_id"], number))
        return str(found[0].as_py()) if len(found) else None

    def _deleted(self, locations: Words) -> Mask:
        """Whether a bitmap has the row; the catalogue may say fewer rows than there are."""
        at = np.searchsorted(self._ids, file_ids_of(locations))
        known = rows_of(locations) < self._said[at]
        found = np.zeros(len(locations), np.bool_)
        found[known] = self._live.deleted(locations[known])
        return found
