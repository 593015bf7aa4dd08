"""CREATE TABLE, DROP TABLE, COMMENT ON: what they change in the catalogue.

An identity column gets a sequence of its own, named as PostgreSQL names it, which goes with the
table.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from actors.operations import (
    ClusterTable,
    CommentOnTable,
    DropTable,
    NewColumn,
    NewIdentity,
    NewTable,
    SetTableOptions,
)
from actors.primary.keys import keys_of_table, primary_columns
from actors.primary.partitions import new_partitioning
from actors.primary.resolved import Resolved, known_schema, known_table
from actors.primary.rows import first_rows
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import (
    Column,
    Identity,
    Kind,
    ScalarType,
    TableSchema,
    named_types,
    type_name,
)
from storage.snapshot import changes as c
from storage.snapshot.apply import apply_changes
from storage.snapshot.changes import CatalogueChange
from storage.snapshot.files import has_bounds
from storage.snapshot.model import Snapshot, TableState
from storage.table_options import check_names, checked

__all__ = [
    "cluster_by",
    "cluster_table",
    "comment_on_table",
    "create_table",
    "drop_changes",
    "drop_table",
    "first_schema",
    "set_table_options",
]

# Of BIGINT one value is left out, so that there is a number below the smallest value, too.
_RANGES = {
    Kind.SMALLINT: (-(1 << 15), (1 << 15) - 1),
    Kind.INTEGER: (-(1 << 31), (1 << 31) - 1),
    Kind.BIGINT: (1 - (1 << 63), (1 << 63) - 1),
}


def create_table(operation: NewTable, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    schema_id = known_schema(snapshot, operation.schema)
    if snapshot.find_table(operation.name, operation.schema) is not None:
        if operation.if_not_exists:
            return Resolved(kind="create_table")
        raise InvalidRequest(f"table {operation.schema}.{operation.name} exists already", "42P07")
    if snapshot.find_type(operation.name, operation.schema) is not None:
        raise InvalidRequest(f'type "{operation.name}" already exists', "42710")
    _check_columns(operation, snapshot)
    _check_checks(operation)
    sequences = _sequences(operation, snapshot, schema_id)
    schema = first_schema(operation, sequences)
    keys = keys_of_table(operation, schema)
    comments = {
        number: column.comment
        for number, column in enumerate(operation.columns, 1)
        if column.comment is not None
    }
    table = c.TableDefinition(
        id=snapshot.next_id,
        schema_id=schema_id,
        name=operation.name,
        schema=schema,
        cluster_by=cluster_by(operation, schema),
        options=_checked_options(operation.name, operation.options),
        checks=operation.checks,
        keys=keys,
        partitioning=new_partitioning(operation, schema, keys),
        comment=operation.comment,
        column_comments=comments,
    )
    made: tuple[CatalogueChange, ...] = (c.CreateTable(table=table), *sequences.values())
    if operation.rows is None:
        return Resolved(kind="create_table", catalogue=made)
    rows = first_rows(operation.rows, table.id, apply_changes(snapshot, made, {}, lsn=lsn), lsn)
    return dataclasses.replace(rows, kind="create_table", catalogue=made)


def first_schema(
    operation: NewTable, sequences: Mapping[str, c.CreateSequence] | None = None
) -> TableSchema:
    """The columns of the table when it is made; `sequences` of its identity columns, by name."""
    return TableSchema(version=1, columns=_columns(operation, sequences or {}))


def drop_table(operation: DropTable, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    if operation.if_exists and snapshot.find_table(operation.name, operation.schema) is None:
        return Resolved(kind="drop_table")
    table = known_table(snapshot, operation.schema, operation.name)
    return Resolved(kind="drop_table", catalogue=drop_changes(table))


def drop_changes(table: TableState) -> tuple[CatalogueChange, ...]:
    """A table goes, and with it the sequences of its identity columns."""
    owned = [column.identity for column in table.columns if column.identity is not None]
    return (
        c.DropTable(table_id=table.id),
        *(c.DropSequence(id=identity.sequence_id) for identity in owned),
    )


def cluster_table(operation: ClusterTable, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`. Files stay as they are: maintenance sorts them, the more the more there
    are."""
    if operation.if_exists and snapshot.find_table(operation.name, operation.schema) is None:
        return Resolved(kind="cluster_table")
    table = known_table(snapshot, operation.schema, operation.name)
    change = c.ClusterTable(table_id=table.id, cluster_by=cluster_by(operation, table.schema))
    return Resolved(kind="cluster_table", table_id=table.id, catalogue=(change,))


def set_table_options(operation: SetTableOptions, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`. Files stay as they are."""
    if operation.if_exists and snapshot.find_table(operation.name, operation.schema) is None:
        return Resolved(kind="set_table_options")
    table = known_table(snapshot, operation.schema, operation.name)
    check_names(table.name, operation.reset)
    kept = {k: v for k, v in table.options.items() if k not in operation.reset}
    options = kept | _checked_options(table.name, operation.options)
    change = c.SetTableOptions(table_id=table.id, options=options)
    return Resolved(kind="set_table_options", table_id=table.id, catalogue=(change,))


def comment_on_table(operation: CommentOnTable, snapshot: Snapshot, lsn: int) -> Resolved:
    """See `resolve`."""
    table = known_table(snapshot, operation.schema, operation.table)
    column_id = None
    if operation.column is not None:
        column = table.schema.find(operation.column)
        if column is None:
            hint = nearest(operation.column, table.schema.names)
            raise UnknownObject(
                f'column "{operation.column}" of relation "{table.name}" does not exist{hint}',
                "42703",
            )
        column_id = column.id
    change = c.CommentOn(table_id=table.id, column_id=column_id, comment=operation.comment)
    return Resolved(kind="comment", table_id=table.id, catalogue=(change,))


# --- parts of CREATE TABLE ------------------------------------------------------------------------


def _checked_options(table: str, options: Mapping[str, int | str]) -> dict[str, int | str]:
    return {name: checked(table, name, value) for name, value in options.items()}


def _check_columns(operation: NewTable, snapshot: Snapshot) -> None:
    names = [column.name for column in operation.columns]
    if repeated := {name for name in names if names.count(name) > 1}:
        raise InvalidRequest(
            f"table {operation.name}: column {sorted(repeated)[0]} is named twice", "42701"
        )
    if not names:
        raise InvalidRequest(f"table {operation.name} has no column")
    known = [found.definition for found in snapshot.types.values()]
    for column in operation.columns:
        for kind in named_types(column.type):
            if kind not in known:
                raise UnknownObject(f'type "{kind.name}" does not exist', "42704")


def _check_checks(operation: NewTable) -> None:
    names = [check.name for check in operation.checks]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f'check constraint "{repeated}" already exists', "42710")


def _columns(operation: NewTable, sequences: Mapping[str, c.CreateSequence]) -> tuple[Column, ...]:
    columns = []
    primary = primary_columns(operation)
    for number, column in enumerate(operation.columns, 1):
        identity = None
        if column.identity is not None:
            made = sequences[column.name]
            identity = Identity(
                sequence_id=made.id,
                always=column.identity.always,
                start=made.start,
                increment=made.increment,
            )
        columns.append(
            Column(
                id=number,
                name=column.name,
                type=column.type,
                nullable=column.nullable and identity is None and column.name not in primary,
                default=column.default,
                identity=identity,
            )
        )
    return tuple(columns)


def cluster_by(operation: NewTable | ClusterTable, schema: TableSchema) -> c.ClusterBy | None:
    """The clustering key by column ids. Raises UnknownObject, InvalidRequest."""
    ids = []
    for name in operation.cluster_by:
        column = schema.find(name)
        if column is None:
            hint = nearest(name, schema.names)
            raise UnknownObject(
                f"table {operation.name}: CLUSTER BY names {name}, which is no column{hint}",
                "42703",
            )
        if not has_bounds(column.type):
            raise InvalidRequest(
                f"table {operation.name}: CLUSTER BY names {name}, and no file can be skipped by "
                f"{type_name(column.type)}"
            )
        ids.append(column.id)
    return c.ClusterBy(column_ids=tuple(ids), order=operation.order) if ids else None


# --- identity columns -----------------------------------------------------------------------------


def _sequences(
    operation: NewTable, snapshot: Snapshot, schema_id: int
) -> dict[str, c.CreateSequence]:
    """The sequence of each identity column, by the column's name."""
    taken = {t.name for t in snapshot.tables.values() if t.schema_id == schema_id}
    taken |= {s.name for s in snapshot.sequences.values() if s.schema_id == schema_id}
    taken.add(operation.name)
    found: dict[str, c.CreateSequence] = {}
    for column in operation.columns:
        if column.identity is None:
            continue
        low, high, start = _bounds(column, column.identity, operation.name)
        name = _free(f"{operation.name}_{column.name}_seq", taken)
        taken.add(name)
        found[column.name] = c.CreateSequence(
            id=snapshot.next_id + 1 + len(found),
            schema_id=schema_id,
            name=name,
            start=start,
            increment=column.identity.increment,
            low=low,
            high=high,
        )
    return found


def _free(name: str, taken: set[str]) -> str:
    """The name, with a number behind it if it is taken."""
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}{number}"
    return free


def _bounds(column: NewColumn, identity: NewIdentity, table: str) -> tuple[int, int, int]:
    """Smallest, largest and first value of an identity column. Raises InvalidRequest."""
    kind = column.type.kind if isinstance(column.type, ScalarType) else None
    if kind is None or kind not in _RANGES:
        raise InvalidRequest("identity column type must be smallint, integer, or bigint", "22023")
    if column.default is not None:
        raise InvalidRequest(
            f'both default and identity specified for column "{column.name}" of table "{table}"',
            "42601",
        )
    if identity.increment == 0:
        raise InvalidRequest("INCREMENT must not be zero", "22023")
    least, most = _RANGES[kind]
    up = identity.increment > 0
    low = identity.low if identity.low is not None else (1 if up else least)
    high = identity.high if identity.high is not None else (most if up else -1)
    for bound, what in ((low, "MINVALUE"), (high, "MAXVALUE")):
        if not least <= bound <= most:
            raise InvalidRequest(
                f"{what} ({bound}) is out of range for sequence data type {kind.value.lower()}",
                "22023",
            )
    if low >= high:
        raise InvalidRequest(f"MINVALUE ({low}) must be less than MAXVALUE ({high})", "22023")
    start = identity.start if identity.start is not None else (low if up else high)
    if start < low:
        raise InvalidRequest(f"START value ({start}) cannot be less than MINVALUE ({low})", "22023")
    if start > high:
        raise InvalidRequest(
            f"START value ({start}) cannot be greater than MAXVALUE ({high})", "22023"
        )
    return low, high, start
