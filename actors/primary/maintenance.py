"""What maintenance of the primary's own commits: rows that were rewritten, runs that were merged.

These are operations like those of clients, resolved in their order, but they never fail because of
what clients wrote meanwhile: a row that was deleted since the task read it is deleted where the
task has put it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
from pyroaring import FrozenBitMap

from actors.operations import ExchangeRows, ExchangeRuns
from actors.primary.delete_rows import bitmaps_at
from actors.primary.publishable import refuse_collected
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from storage.errors import Conflict
from storage.primary_key import OpenRun, Words, locations_in
from storage.rewrite import Rewritten
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet
from storage.snapshot.model import TableState

__all__ = ["exchange_rows", "exchange_runs", "placed"]


def exchange_rows(operation: ExchangeRows, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. Raises Conflict if the table, a delta or a file is gone."""
    table = _table(operation.table_id, state)
    rewritten = operation.rewritten
    deltas = {delta.id for delta in table.deltas}.intersection(rewritten.gone)
    files = set(rewritten.gone) - deltas
    if len(table.files.row_counts(files)) < len(files):
        raise Conflict(f"table {table.name}: its deltas or files were exchanged already")
    first = table.next_file_id
    rows = [file.row for file in rewritten.files]
    refuse_collected((row.name for row in rows), state.snapshot)
    changes: list[c.TableChange] = []
    if deltas:
        changes.append(c.RemoveRows(delta_ids=tuple(sorted(deltas))))
    if files:
        changes.append(c.RemoveFiles(file_ids=tuple(sorted(files))))
    if rows:
        added = FileSet.of(rows, table.columns, first_id=first, lsn=lsn)
        changes.append(c.AddFiles(first_file_id=first, file_count=len(rows), files=added.encode()))
    lost = _lost(rewritten, table, first)
    if lost:
        changes.append(c.RemoveFiles(file_ids=lost))
    if bitmaps := [b for b in _carried_over(rewritten, table, first) if b.file_id not in lost]:
        changes.append(c.AddBitmaps(bitmaps=tuple(bitmaps)))
    index = state.indexes.get(table.id)
    opened = {
        key_id: tuple(placed(run, operation.read_lsn, first) for run in _kept(runs, table))
        for key_id, runs in operation.runs.items()
    }
    if runs := tuple(run for found in opened.values() for run, _ in found):
        refuse_collected((run.name for run in runs), state.snapshot)
        changes.append(c.AddIndexRuns(runs=runs))
    if index is not None:
        new = [number for number in range(first, first + len(rows)) if number not in lost]
        index = index.exchanged(opened, added=new, removed=rewritten.gone)
    return Resolved(
        kind=operation.kind,
        table_id=table.id,
        row_count=sum(row.row_count for row in rows),
        tables={table.id: tuple(changes)},
        indexes={} if index is None else {table.id: index},
        moved={table.id: rewritten.moved.numbered(first)},
    )


def exchange_runs(operation: ExchangeRuns, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. Raises Conflict if the table or a run is gone."""
    table = _table(operation.table_id, state)
    known = {run.name for run in table.index_runs}
    if not known.issuperset(operation.gone):
        raise Conflict(f"table {table.name}: its index runs were exchanged already")
    changes: list[c.TableChange] = [c.RemoveIndexRuns(names=operation.gone)]
    if operation.made is not None:
        refuse_collected([operation.made[0].name], state.snapshot)
        changes.append(c.AddIndexRuns(runs=(operation.made[0],)))
    index = state.indexes.get(table.id)
    made = () if operation.made is None else (operation.made,)
    # An index that was made anew when it was opened has its new runs before they are published.
    replaced = (*operation.gone, *(run.name for run, _ in made))
    return Resolved(
        kind="index",
        table_id=table.id,
        tables={table.id: tuple(changes)},
        indexes={}
        if index is None
        else {table.id: index.exchanged({operation.key_id: made}, gone=replaced)},
    )


def _lost(rewritten: Rewritten, table: TableState, first: int) -> tuple[int, ...]:
    """The new files whose partition was dropped while they were written: nothing is live in them,
    and they leave as they come."""
    if table.partitioning is None:
        return ()
    known = {part.id for part in table.partitioning.parts}
    partitions = [int(file.row.partition or 0) for file in rewritten.files]
    return tuple(first + i for i, number in enumerate(partitions) if number not in known)


def _kept(runs: Iterable[OpenRun], table: TableState) -> Iterator[OpenRun]:
    """The runs of partitions that are there."""
    for run in runs:
        number = run[0].partition
        if table.partitioning is None or table.partitioning.by_id(number) is not None:
            yield run


def _carried_over(rewritten: Rewritten, table: TableState, first: int) -> tuple[c.Bitmap, ...]:
    """What was deleted since the task read the rows, where those rows are now."""
    deleted: list[Words] = []
    for number in rewritten.gone:
        bitmap = table.bitmaps.get(number)
        if bitmap is None:
            continue
        since = bitmap.bitmap - rewritten.deleted.get(number, FrozenBitMap())
        deleted.append(locations_in(number, np.array(since.to_array(), dtype=np.int64)))
    if not deleted:
        return ()
    moved = rewritten.moved.numbered(first).moved(np.concatenate(deleted))
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
