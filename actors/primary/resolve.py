"""Operation + snapshot -> changes. Pure: what a request means for the catalogue as it stands.

An operation that cannot be done raises and changes nothing; ids are given here, and here alone.
"""

from __future__ import annotations

from functools import singledispatch

from actors.messages import (
    AdvanceSequence,
    AppendFiles,
    AppendRows,
    CommentOnTable,
    DropSchema,
    DropTable,
    DropType,
    DropWarehouse,
    NewSchema,
    NewTable,
    NewType,
    NewWarehouse,
    Operation,
)
from actors.primary import namespaces, sequences, tables
from actors.primary.resolved import Resolved
from storage.errors import Conflict, InternalError, InvalidRequest, UnknownObject
from storage.names import DATA_PREFIX
from storage.nearest import nearest
from storage.snapshot import changes as c
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot, TableState

__all__ = ["Resolved", "resolve"]


@singledispatch
def resolve(operation: Operation, snapshot: Snapshot, lsn: int) -> Resolved:
    """What `operation` changes in `snapshot`, in the group at `lsn`.

    Raises:
        InvalidRequest, UnknownObject: it cannot be done; nothing has changed.
        Conflict: the table was changed since the rows were made; read again, retry.
    """
    raise InternalError(f"no rule for the operation {type(operation).__name__}")


resolve.register(NewTable, tables.create_table)
resolve.register(DropTable, tables.drop_table)
resolve.register(CommentOnTable, tables.comment_on_table)
resolve.register(NewSchema, namespaces.create_schema)
resolve.register(DropSchema, namespaces.drop_schema)
resolve.register(NewType, namespaces.create_type)
resolve.register(DropType, namespaces.drop_type)
resolve.register(AdvanceSequence, sequences.advance)


def _table(snapshot: Snapshot, table_id: int) -> TableState:
    table = snapshot.tables.get(table_id)
    if table is None:
        raise Conflict(f"the table of id {table_id} was dropped meanwhile; nothing was written")
    return table


@resolve.register
def _(operation: AppendRows, snapshot: Snapshot, lsn: int) -> Resolved:
    table = _table(snapshot, operation.table_id)
    if operation.schema_version != table.schema.version:
        raise Conflict(
            f"table {table.name} has schema version {table.schema.version}, the rows have "
            f"{operation.schema_version}; read the table again and retry"
        )
    change = c.AddRows(
        delta_id=table.next_file_id,
        schema_version=operation.schema_version,
        row_count=operation.row_count,
        rows=operation.rows,
    )
    return Resolved(
        kind="append",
        table_id=table.id,
        row_count=operation.row_count,
        tables={table.id: (change,)} if operation.row_count else {},
    )


@resolve.register
def _(operation: AppendFiles, snapshot: Snapshot, lsn: int) -> Resolved:
    table = _table(snapshot, operation.table_id)
    names = [row.name for row in operation.files]
    for row in operation.files:
        if not row.name.startswith(DATA_PREFIX):
            raise InvalidRequest(f"{row.name} is not an object under {DATA_PREFIX}")
        if row.name in snapshot.planned:
            raise Conflict(f"{row.name} is about to be collected; load it again")
        if row.schema_version != table.schema.version:
            raise Conflict(
                f"table {table.name} has schema version {table.schema.version}, {row.name} has "
                f"{row.schema_version}; load it again"
            )
    if len(set(names)) < len(names) or set(names) & set(table.files.names):
        raise InvalidRequest(f"table {table.name}: a file is added twice")
    row_count = sum(row.row_count for row in operation.files)
    if not names:
        return Resolved(kind="append", table_id=table.id)
    files = FileSet.of(operation.files, table.columns, first_id=table.next_file_id, lsn=lsn)
    change = c.AddFiles(
        first_file_id=table.next_file_id, file_count=len(names), files=files.encode()
    )
    return Resolved(
        kind="append", table_id=table.id, row_count=row_count, tables={table.id: (change,)}
    )


@resolve.register
def _(operation: NewWarehouse, snapshot: Snapshot, lsn: int) -> Resolved:
    warehouse = operation.warehouse
    if warehouse.name in snapshot.virtual_warehouses:
        if operation.if_not_exists:
            return Resolved(kind="create_virtual_warehouse")
        raise InvalidRequest(f"virtual warehouse {warehouse.name} exists already", "42710")
    return Resolved(
        kind="create_virtual_warehouse",
        catalogue=(c.CreateVirtualWarehouse(warehouse=warehouse),),
    )


@resolve.register
def _(operation: DropWarehouse, snapshot: Snapshot, lsn: int) -> Resolved:
    if operation.name not in snapshot.virtual_warehouses:
        if operation.if_exists:
            return Resolved(kind="drop_virtual_warehouse")
        hint = nearest(operation.name, snapshot.virtual_warehouses)
        raise UnknownObject(f"virtual warehouse {operation.name} does not exist{hint}")
    return Resolved(
        kind="drop_virtual_warehouse", catalogue=(c.DropVirtualWarehouse(name=operation.name),)
    )
