"""Operation + snapshot -> changes. Pure: what a request means for the catalogue as it stands.

An operation that cannot be done raises and changes nothing; ids are given here, and here alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import singledispatch

from actors.messages import (
    AppendFiles,
    AppendRows,
    DropTable,
    DropWarehouse,
    NewTable,
    NewWarehouse,
    Operation,
)
from storage.errors import Conflict, InternalError, InvalidRequest, UnknownObject
from storage.names import DATA_PREFIX
from storage.nearest import nearest
from storage.schema import Column, TableSchema
from storage.snapshot import changes as c
from storage.snapshot.changes import CatalogueChange, TableChange
from storage.snapshot.files import FileSet
from storage.snapshot.model import Snapshot, TableState

__all__ = ["Resolved", "resolve"]

TABLE_OPTIONS: Mapping[str, tuple[int, int]] = {"micropartition_rows": (1, 1 << 21)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """The changes of one operation; `table_id` 0 where it concerns the catalogue."""

    kind: str
    table_id: int = 0
    row_count: int = 0
    catalogue: tuple[CatalogueChange, ...] = ()
    tables: Mapping[int, tuple[TableChange, ...]] = field(default_factory=dict)


@singledispatch
def resolve(operation: Operation, snapshot: Snapshot, lsn: int) -> Resolved:
    """What `operation` changes in `snapshot`, in the group at `lsn`.

    Raises:
        InvalidRequest, UnknownObject: it cannot be done; nothing has changed.
        Conflict: the table was changed since the rows were made; read again, retry.
    """
    raise InternalError(f"no rule for the operation {type(operation).__name__}")


def _schema_id(snapshot: Snapshot, name: str) -> int:
    schema_id = snapshot.schema_id(name)
    if schema_id is None:
        hint = nearest(name, snapshot.schemas.values())
        raise UnknownObject(f"schema {name} does not exist{hint}", "3F000")
    return schema_id


def _check_options(operation: NewTable) -> None:
    for option, value in operation.options.items():
        if option not in TABLE_OPTIONS:
            hint = nearest(option, TABLE_OPTIONS)
            raise InvalidRequest(f"table {operation.name}: unknown option {option}{hint}")
        low, high = TABLE_OPTIONS[option]
        if not isinstance(value, int) or not low <= value <= high:
            raise InvalidRequest(
                f"table {operation.name}: option {option} is {value!r}, expected {low} to {high}"
            )


def _columns(operation: NewTable) -> tuple[Column, ...]:
    names = [column.name for column in operation.columns]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InvalidRequest(
            f"table {operation.name}: column {sorted(repeated)[0]} is named twice", "42701"
        )
    if not names:
        raise InvalidRequest(f"table {operation.name} has no column")
    return tuple(
        Column(id=number, name=column.name, type=column.type, nullable=column.nullable)
        for number, column in enumerate(operation.columns, 1)
    )


def _cluster_by(operation: NewTable, schema: TableSchema) -> c.ClusterBy | None:
    ids = []
    for name in operation.cluster_by:
        column = schema.find(name)
        if column is None:
            hint = nearest(name, schema.names)
            raise UnknownObject(
                f"table {operation.name}: CLUSTER BY names {name}, which is no column{hint}",
                "42703",
            )
        ids.append(column.id)
    return c.ClusterBy(column_ids=tuple(ids), order=operation.order) if ids else None


@resolve.register
def _(operation: NewTable, snapshot: Snapshot, lsn: int) -> Resolved:
    schema_id = _schema_id(snapshot, operation.schema)
    if snapshot.find_table(operation.name, operation.schema) is not None:
        if operation.if_not_exists:
            return Resolved(kind="create_table")
        raise InvalidRequest(f"table {operation.schema}.{operation.name} exists already", "42P07")
    _check_options(operation)
    schema = TableSchema(version=1, columns=_columns(operation))
    table = c.TableDefinition(
        id=snapshot.next_id,
        schema_id=schema_id,
        name=operation.name,
        schema=schema,
        cluster_by=_cluster_by(operation, schema),
        options=dict(operation.options),
    )
    return Resolved(kind="create_table", catalogue=(c.CreateTable(table=table),))


@resolve.register
def _(operation: DropTable, snapshot: Snapshot, lsn: int) -> Resolved:
    _schema_id(snapshot, operation.schema)
    table = snapshot.find_table(operation.name, operation.schema)
    if table is None:
        if operation.if_exists:
            return Resolved(kind="drop_table")
        hint = nearest(operation.name, [t.name for t in snapshot.tables.values()])
        raise UnknownObject(
            f"table {operation.schema}.{operation.name} does not exist{hint}", "42P01"
        )
    return Resolved(kind="drop_table", catalogue=(c.DropTable(table_id=table.id),))


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
