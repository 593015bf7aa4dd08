"""What maintenance of the primary's own commits: deltas that became files, runs that were merged.

These are operations like those of clients, resolved in their order, but they never fail because of
what clients wrote meanwhile: a row that was deleted since the task read it is deleted where the
task has put it.
"""

from __future__ import annotations

import dataclasses

import msgspec
import numpy as np
from pyroaring import FrozenBitMap

from actors.operations import ExchangeDeltas, ExchangeRuns
from actors.primary.delete_rows import bitmaps_at
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from storage.errors import Conflict
from storage.flush import Flushed
from storage.primary_key import OpenRun, Words, locations_in
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet
from storage.snapshot.model import TableState

__all__ = ["exchange_deltas", "exchange_runs", "placed"]


def exchange_deltas(operation: ExchangeDeltas, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. Raises Conflict if the table or a delta is gone."""
    table = _table(operation.table_id, state)
    flushed = operation.flushed
    live = {delta.id for delta in table.deltas}
    if not live.issuperset(flushed.delta_ids):
        raise Conflict(f"table {table.name}: its deltas were exchanged already")
    first = table.next_file_id
    rows = [file.row for file in flushed.files]
    changes: list[c.TableChange] = [c.RemoveRows(delta_ids=flushed.delta_ids)]
    if rows:
        files = FileSet.of(rows, table.columns, first_id=first, lsn=lsn)
        changes.append(c.AddFiles(first_file_id=first, file_count=len(rows), files=files.encode()))
    if bitmaps := _carried_over(flushed, table, first):
        changes.append(c.AddBitmaps(bitmaps=bitmaps))
    index = state.indexes.get(table.id)
    opened = {
        key_id: tuple(placed(run, operation.read_lsn, first) for run in runs)
        for key_id, runs in operation.runs.items()
    }
    if runs := tuple(run for found in opened.values() for run, _ in found):
        changes.append(c.AddIndexRuns(runs=runs))
    if index is not None:
        added = range(first, first + len(rows))
        index = index.exchanged(opened, added=added, removed=flushed.delta_ids)
    return Resolved(
        kind="flush",
        table_id=table.id,
        row_count=sum(row.row_count for row in rows),
        tables={table.id: tuple(changes)},
        indexes={} if index is None else {table.id: index},
        moved={table.id: flushed.moved.numbered(first)},
    )


def exchange_runs(operation: ExchangeRuns, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. Raises Conflict if the table or a run is gone."""
    table = _table(operation.table_id, state)
    known = {run.name for run in table.index_runs}
    if not known.issuperset(operation.gone):
        raise Conflict(f"table {table.name}: its index runs were exchanged already")
    changes: list[c.TableChange] = [c.RemoveIndexRuns(names=operation.gone)]
    if operation.made is not None:
        changes.append(c.AddIndexRuns(runs=(operation.made[0],)))
    index = state.indexes.get(table.id)
    made = () if operation.made is None else (operation.made,)
    return Resolved(
        kind="index",
        table_id=table.id,
        tables={table.id: tuple(changes)},
        indexes={}
        if index is None
        else {table.id: index.exchanged({operation.key_id: made}, gone=operation.gone)},
    )


def _carried_over(flushed: Flushed, table: TableState, first: int) -> tuple[c.Bitmap, ...]:
    """What was deleted in the deltas since the flush read them, where those rows are now."""
    deleted: list[Words] = []
    for delta_id in flushed.delta_ids:
        bitmap = table.bitmaps.get(delta_id)
        if bitmap is None:
            continue
        since = bitmap.bitmap - flushed.deleted.get(delta_id, FrozenBitMap())
        deleted.append(locations_in(delta_id, np.array(since.to_array(), dtype=np.int64)))
    if not deleted:
        return ()
    moved = flushed.moved.numbered(first).moved(np.concatenate(deleted))
    return bitmaps_at(moved)


def placed(opened: OpenRun, generation: int, first_file_id: int) -> OpenRun:
    """A run of files that get their ids now; it counted them from 0."""
    run, file = opened
    number = run.first_file_id + first_file_id
    return (
        msgspec.structs.replace(run, generation=generation, first_file_id=number),
        dataclasses.replace(file, first_file_id=number),
    )


def _table(table_id: int, state: WriterState) -> TableState:
    table = state.snapshot.tables.get(table_id)
    if table is None:
        raise Conflict(f"the table of id {table_id} was dropped meanwhile; nothing was written")
    return table
