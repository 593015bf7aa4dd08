"""Appends: what rows and files add to a table, whether it exists already or is just being made."""

from __future__ import annotations

import dataclasses

from actors.operations import AppendFiles, AppendRows, LoadFiles
from actors.primary.publishable import refuse_collected
from actors.primary.resolved import Resolved
from storage.errors import Conflict, InvalidRequest
from storage.names import DATA_PREFIX
from storage.partitions.rows import refuse_stale
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot, TableState

__all__ = ["append_files", "append_rows", "file_changes", "first_rows"]


def append_rows(operation: AppendRows, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    table = _table(snapshot, operation.table_id)
    _refuse_keys(table)
    if operation.schema_version != table.schema.version:
        raise Conflict(
            f"table {table.name} has schema version {table.schema.version}, the rows have "
            f"{operation.schema_version}; read the table again and retry"
        )
    divided = [number for number, _ in operation.partitions]
    refuse_stale(divided, operation.partitioning, table.partitioning, table.name)
    change = c.AddRows(
        delta_id=table.next_file_id,
        schema_version=operation.schema_version,
        row_count=operation.row_count,
        rows=operation.rows,
        partitions=operation.partitions,
    )
    return Resolved(
        kind="append",
        table_id=table.id,
        row_count=operation.row_count,
        tables={table.id: (change,)} if operation.row_count else {},
    )


def append_files(operation: AppendFiles, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`. For tables without keys."""
    table = _table(snapshot, operation.table_id)
    _refuse_keys(table)
    changes = file_changes(operation, table, snapshot, lsn)
    return Resolved(
        kind="append",
        table_id=table.id,
        row_count=sum(row.row_count for row in operation.files),
        tables={table.id: changes} if changes else {},
    )


def file_changes(
    operation: AppendFiles | LoadFiles, table: TableState, snapshot: Snapshot, lsn: int
) -> tuple[c.TableChange, ...]:
    """The record that adds micropartitions to a table.

    Raises:
        Conflict: they are of another schema version or other partitions, or about to be collected.
        InvalidRequest: they are none, or there already.
    """
    rows = operation.files
    names = [row.name for row in rows]
    divided = [int(row.partition or 0) for row in rows]
    refuse_stale(divided, operation.partitioning, table.partitioning, table.name)
    for row in rows:
        if not row.name.startswith(DATA_PREFIX):
            raise InvalidRequest(f"{row.name} is not an object under {DATA_PREFIX}")
        if row.schema_version != table.schema.version:
            raise Conflict(
                f"table {table.name} has schema version {table.schema.version}, {row.name} has "
                f"{row.schema_version}; load it again"
            )
    refuse_collected(names, snapshot)
    if len(set(names)) < len(names) or set(names) & set(table.files.names):
        raise InvalidRequest(f"table {table.name}: a file is added twice")
    if not names:
        return ()
    first = table.next_file_id
    files = FileSet.of(rows, table.columns, first_id=first, lsn=lsn)
    return (c.AddFiles(first_file_id=first, file_count=len(names), files=files.encode()),)


def first_rows(
    operation: AppendRows | AppendFiles, table_id: int, snapshot: Snapshot, lsn: int
) -> Resolved:
    """The rows that a table begins with; `snapshot` has it already."""
    own = dataclasses.replace(operation, table_id=table_id)
    if isinstance(own, AppendRows):
        return append_rows(own, snapshot, lsn)
    return append_files(own, snapshot, lsn)


def _refuse_keys(table: TableState) -> None:
    if table.keys:
        raise InvalidRequest(f"table {table.name} has keys; its rows are written by them")


def _table(snapshot: Snapshot, table_id: int) -> TableState:
    table = snapshot.tables.get(table_id)
    if table is None:
        raise Conflict(f"the table of id {table_id} was dropped meanwhile; nothing was written")
    return table
