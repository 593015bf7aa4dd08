"""TRUNCATE: every row of a table leaves, at once, whoever reads or has just written it."""

from __future__ import annotations

from actors.operations import TruncateTable
from actors.primary.resolved import Resolved
from actors.primary.state import WriterState
from storage.errors import Conflict
from storage.snapshot import changes as c
from storage.snapshot.changes import CatalogueChange

__all__ = ["truncate_table"]


def truncate_table(operation: TruncateTable, state: WriterState, lsn: int) -> Resolved:
    """See `resolve`. Raises Conflict if the table was dropped meanwhile."""
    table = state.snapshot.tables.get(operation.table_id)
    if table is None:
        raise Conflict(
            f"the table of id {operation.table_id} was dropped meanwhile; nothing was written"
        )
    changes: list[c.TableChange] = []
    if table.deltas:
        changes.append(c.RemoveRows(delta_ids=tuple(delta.id for delta in table.deltas)))
    if len(table.files):
        changes.append(c.RemoveFiles(file_ids=tuple(table.files.table["file_id"].to_pylist())))
    if table.index_runs:
        changes.append(c.RemoveIndexRuns(names=tuple(run.name for run in table.index_runs)))
    restarts: list[CatalogueChange] = []
    if operation.restart_identity:
        owned = [column.identity for column in table.columns if column.identity is not None]
        restarts = [c.AdvanceSequence(id=o.sequence_id, next_value=o.start) for o in owned]
    index = state.indexes.get(table.id)
    return Resolved(
        kind="truncate",
        table_id=table.id,
        catalogue=tuple(restarts),
        tables={table.id: tuple(changes)} if changes else {},
        indexes={} if index is None else {table.id: index.emptied()},
        written={table.id: None},
    )
