"""A group's deltas, merged before they are written.

Every transaction of a group adds its rows as a delta of its own, and deletes the rows of earlier
ones like those of any other. When the group is sealed, the rows that it both wrote and deleted are
left out, and small deltas of one table become one. A reader sees the same rows either way; the log,
the deltas and the index keep only what lives on.

A table whose files or deltas the group itself exchanges (a load, a flush, TRUNCATE) stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from pyroaring import BitMap

from actors.primary.resolved import DeltaKeys
from actors.primary.state import WriterState
from storage.delta import decode_rows, encode_rows
from storage.key_rows import RowKeys, indexed, joined
from storage.partitions.routing import PartitionIds
from storage.partitions.rows import counts_of, per_row
from storage.primary_key import TableIndex
from storage.snapshot import changes as c
from storage.snapshot.changes import TableChange
from storage.snapshot.model import TableState

__all__ = ["Merged", "merged"]

SMALL_ROWS = 1024  # deltas below are joined with their neighbours


@dataclass(frozen=True, slots=True)
class Merged:
    """What a group writes to one table, and the table's index with it (None: it has none)."""

    changes: tuple[TableChange, ...]
    index: TableIndex | None


@dataclass(slots=True)
class _Part:
    """Rows of one or more deltas that become one."""

    schema_version: int
    pieces: list[tuple[c.AddRows, BitMap]] = field(default_factory=list)  # and the dead in it

    @property
    def row_count(self) -> int:
        return sum(delta.row_count - len(dead) for delta, dead in self.pieces)


def merged(
    changes: Sequence[TableChange],
    table: TableState | None,
    before: WriterState,
    keys: DeltaKeys,
) -> Merged | None:
    """What the group should write to a table instead; None if nothing is better.

    Args:
        changes: those of the group, in order.
        table: as before the group; None if the group makes it.
        before: the state before the group.
        keys: of each delta of the group, by (table id, delta id).
    """
    if table is None or not all(isinstance(x, c.AddRows | c.AddBitmaps) for x in changes):
        return None
    deltas = [x for x in changes if isinstance(x, c.AddRows)]
    touched = [x for x in changes if isinstance(x, c.AddBitmaps)]
    small = sum(delta.row_count < SMALL_ROWS for delta in deltas)
    ids = {delta.delta_id for delta in deltas}
    if small < 2 and not any(b.file_id in ids for x in touched for b in x.bitmaps):
        return None
    bitmaps = _united(touched)
    own = {delta.delta_id: bitmaps.pop(delta.delta_id, BitMap()) for delta in deltas}
    parts = _parts(deltas, own)
    made: list[TableChange] = []
    if bitmaps:
        made.append(c.AddBitmaps(bitmaps=tuple(_bitmap(k, v) for k, v in bitmaps.items())))
    index = before.indexes.get(table.id)
    for delta_id, part in enumerate(parts, table.next_file_id):
        made.append(_delta(part, delta_id, table))
        if index is not None:
            index = index.added(delta_id, indexed(_keys(part, table.id, keys)))
    return Merged(tuple(made), index)


def _united(changes: Sequence[c.AddBitmaps]) -> dict[int, BitMap]:
    found: dict[int, BitMap] = {}
    for change in changes:
        for bitmap in change.bitmaps:
            positions = BitMap.deserialize(bitmap.positions)
            if bitmap.file_id in found:
                positions |= found[bitmap.file_id]
            found[bitmap.file_id] = positions
    return found


def _bitmap(file_id: int, positions: BitMap) -> c.Bitmap:
    return c.Bitmap(file_id=file_id, deleted_count=len(positions), positions=positions.serialize())


def _parts(deltas: Sequence[c.AddRows], dead: Mapping[int, BitMap]) -> list[_Part]:
    """What is left of the deltas, small neighbours together."""
    parts: list[_Part] = []
    for delta in deltas:
        gone = dead[delta.delta_id]
        left = delta.row_count - len(gone)
        if not left:
            continue
        last = parts[-1] if parts else None
        if (
            last is None
            or last.schema_version != delta.schema_version
            or last.row_count >= SMALL_ROWS
            or left >= SMALL_ROWS
        ):
            parts.append(_Part(delta.schema_version))
        parts[-1].pieces.append((delta, gone))
    return parts


def _delta(part: _Part, delta_id: int, table: TableState) -> c.AddRows:
    (first, dead), *others = part.pieces
    partitions = first.partitions
    if not others and not dead:
        rows = first.rows
    else:
        found = pa.concat_tables([_living(x, gone, table) for x, gone in part.pieces])
        if partitions:
            partitions = counts_of(np.sort(_partitions(part)))
            found = found.take(pa.array(_order(part)))
        rows = encode_rows(found)
    return c.AddRows(
        delta_id=delta_id,
        schema_version=part.schema_version,
        row_count=part.row_count,
        rows=rows,
        partitions=partitions,
    )


def _partitions(part: _Part) -> PartitionIds:
    """Of each row of a part, of a table that has partitions."""
    return np.concatenate([per_row(x.partitions)[_mask(x, dead)] for x, dead in part.pieces])


def _order(part: _Part) -> PartitionIds:
    """The rows of a part in the order of their partitions, by where they are in the pieces."""
    return np.argsort(_partitions(part), kind="stable")


def _living(delta: c.AddRows, dead: BitMap, table: TableState) -> pa.Table:
    rows = decode_rows(delta.rows, f"rows for table {table.name}")
    return rows.filter(pa.array(_mask(delta, dead))) if dead else rows


def _mask(delta: c.AddRows, dead: BitMap) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    keep = np.ones(delta.row_count, dtype=np.bool_)
    keep[np.array(dead.to_array(), dtype=np.int64)] = False
    return keep


def _keys(part: _Part, table_id: int, keys: DeltaKeys) -> dict[int, RowKeys]:
    """The keys of a part's rows, by key id."""
    pieces = [
        {k: v.kept(_mask(delta, dead)) for k, v in keys[table_id, delta.delta_id].items()}
        for delta, dead in part.pieces
    ]
    counts = [delta.row_count - len(dead) for delta, dead in part.pieces]
    keys_of_all = {k: joined([piece[k] for piece in pieces], counts) for k in pieces[0]}
    if not part.pieces[0][0].partitions:
        return keys_of_all
    order = _order(part)
    return {k: found.taken(order) for k, found in keys_of_all.items()}
