"""Rows deleted by where they are: of tables without a primary key.

The statement read its locations at an LSN. A row that is not there any more was deleted by somebody
else meanwhile: a conflict. A row that a flush or compaction has moved since is found where it is
now (`moves.py`).
"""

from __future__ import annotations

import numpy as np
from pyroaring import BitMap

from actors.operations import DeleteRows
from actors.primary.moves import Moves
from actors.primary.resolved import Resolved
from storage.delete_bitmap import encode_positions
from storage.errors import Conflict
from storage.primary_key import Words, bitmaps_by_file, locations_in
from storage.snapshot import changes as c
from storage.snapshot.model import Snapshot, TableState

__all__ = ["bitmaps_at", "delete_rows"]


def delete_rows(operation: DeleteRows, snapshot: Snapshot, moves: Moves) -> Resolved:
    """See `resolve`. Raises Conflict: a row was deleted, or the table dropped, meanwhile."""
    table = snapshot.tables.get(operation.table_id)
    if table is None:
        raise Conflict(
            f"the table of id {operation.table_id} was dropped meanwhile; nothing was written"
        )
    found = moves.now(table.id, operation.read_lsn, _locations(operation))
    bitmaps = bitmaps_at(found)
    _refuse_gone(table, bitmaps)
    return Resolved(
        kind="delete",
        table_id=table.id,
        row_count=len(found),
        tables={table.id: (c.AddBitmaps(bitmaps=bitmaps),)} if bitmaps else {},
        written={table.id: None} if bitmaps else {},
    )


def bitmaps_at(found: Words) -> tuple[c.Bitmap, ...]:
    """Locations as delete bitmaps, one for each file, ids ascending."""
    return tuple(
        c.Bitmap(file_id=file_id, deleted_count=len(rows), positions=encode_positions(rows))
        for file_id, rows in bitmaps_by_file(found)
    )


def _locations(operation: DeleteRows) -> Words:
    parts = [np.empty(0, np.uint64)]
    for file_id, positions in operation.positions.items():
        rows = np.array(BitMap.deserialize(positions).to_array(), dtype=np.int64)
        parts.append(locations_in(file_id, rows))
    return np.concatenate(parts)


def _refuse_gone(table: TableState, bitmaps: tuple[c.Bitmap, ...]) -> None:
    live = set(table.files.table["file_id"].to_pylist()) | {d.id for d in table.deltas}
    for bitmap in bitmaps:
        known = table.bitmaps.get(bitmap.file_id)
        gone = bitmap.file_id not in live
        if not gone and known is not None:
            gone = not known.bitmap.isdisjoint(BitMap.deserialize(bitmap.positions))
        if gone:
            raise Conflict(
                f"could not serialize access: rows of table {table.name} were deleted by others "
                "after they were read; read again and retry"
            )
