"""Statements that change the catalogue: CREATE of schemas and types, DROP, COMMENT ON; TRUNCATE."""

from __future__ import annotations

from actors.messages import Session
from actors.operations import (
    ChangeSetting,
    ClusterTable,
    CommentOnTable,
    DropSchema,
    DropTable,
    DropType,
    NewSchema,
    NewType,
    Operation,
    SetTableOptions,
    TruncateTable,
)
from actors.planner import Latest, WritePlan
from actors.primary.namespaces import drop_type
from actors.temporary import is_foreign
from storage.collection.policy import RETENTION
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import EnumType, StructType, named_types
from storage.snapshot.model import PUBLIC, Snapshot
from storage.table_options import check_names
from warehouse.planning.catalogue import (
    SnapshotCatalogue,
    find_table,
    own_schema,
    target_schema,
)
from warehouse.planning.create_table import stored_type
from warehouse.planning.durations import duration_ms
from warehouse.planning.table_options import table_options
from warehouse.syntax import commands
from warehouse.syntax.later import not_yet
from warehouse.syntax.modifications_tree import Truncate

__all__ = [
    "plan_cluster",
    "plan_comment",
    "plan_create_schema",
    "plan_create_type",
    "plan_drop",
    "plan_table_options",
    "plan_truncate",
]


def plan_create_schema(tree: commands.CreateSchema) -> WritePlan:
    """CREATE SCHEMA. Whether there is room for the name is for the primary to say."""
    operation = NewSchema(name=tree.name, if_not_exists=tree.exists)
    return WritePlan(operations=(operation,), tag="CREATE SCHEMA")


def plan_create_type(tree: commands.CreateType, session: Session, snapshot: Snapshot) -> WritePlan:
    """CREATE TYPE as an ENUM or a composite."""
    schema, name = target_schema(tree.name, session, snapshot), tree.name[-1]
    kind: EnumType | StructType
    if tree.labels is not None:
        kind = EnumType(name=name, labels=tree.labels)
    else:
        catalogue = SnapshotCatalogue({Latest(): snapshot}, session)
        fields = tuple((f, stored_type(t, f, catalogue, precise=False)) for f, t in tree.fields)
        kind = StructType(name=name, fields=fields)
    operation = NewType(schema=schema, name=name, definition=kind)
    return WritePlan(operations=(operation,), tag="CREATE TYPE")


def plan_drop(tree: commands.Drop, session: Session, snapshot: Snapshot) -> WritePlan:
    """DROP TABLE, SCHEMA or TYPE of one or more, all or none.

    Raises:
        UnknownObject: one does not exist, unless IF EXISTS is said.
        NotYet: DROP TYPE … CASCADE of a type that is used.
    """
    operations: list[Operation]
    match tree.kind:
        case "schema":
            operations = [_drop_schema(tree, name[-1], session) for name in tree.names]
        case "type":
            operations = _drop_types(tree, session, snapshot)
        case _:
            operations = [_drop_table(tree, name, session, snapshot) for name in tree.names]
    return WritePlan(operations=tuple(dict.fromkeys(operations)), tag=f"DROP {tree.kind.upper()}")


def _drop_schema(tree: commands.Drop, name: str, session: Session) -> DropSchema:
    if name in ("pg_catalog", "information_schema"):
        raise InvalidRequest(
            f"cannot drop schema {name} because it is required by the database system", "2BP01"
        )
    name = own_schema(name, session)
    if is_foreign(name, session) and not tree.exists:
        raise UnknownObject(f"schema {name} does not exist", "3F000")
    return DropSchema(name=name, if_exists=tree.exists, cascade=tree.cascade)


def _drop_types(tree: commands.Drop, session: Session, snapshot: Snapshot) -> list[Operation]:
    """Types that others are made of come after these."""
    operations: list[DropType] = [
        DropType(schema=_holder(name, session, snapshot), name=name[-1], if_exists=tree.exists)
        for name in tree.names
    ]
    if tree.cascade:
        for operation in operations:
            _refuse_cascade(operation, snapshot)

    def parts(operation: DropType) -> int:
        found = snapshot.find_type(operation.name, operation.schema)
        return len(list(named_types(found.definition))) if found else 0

    return [*sorted(operations, key=parts, reverse=True)]


def _refuse_cascade(operation: DropType, snapshot: Snapshot) -> None:
    try:
        drop_type(operation, snapshot, snapshot.lsn)
    except InvalidRequest as error:
        if error.sqlstate == "2BP01":
            raise NotYet(f"DROP TYPE … CASCADE of a type in use: {error}") from None


def plan_truncate(tree: Truncate, session: Session, snapshot: Snapshot) -> WritePlan:
    """TRUNCATE of one or more tables, all or none. Raises UnknownObject: one does not exist."""
    tables = {table.id: table for table in (find_table(snapshot, n, session) for n in tree.tables)}
    operations = tuple(
        TruncateTable(table_id=number, restart_identity=tree.restart) for number in tables
    )
    return WritePlan(operations=operations, tag="TRUNCATE TABLE")


def _drop_table(
    tree: commands.Drop, name: tuple[str, ...], session: Session, snapshot: Snapshot
) -> DropTable:
    try:
        schema = snapshot.schemas[find_table(snapshot, name, session).schema_id]
    except UnknownObject:
        if not tree.exists:
            raise
        schema = name[0] if len(name) == 2 else _default(session)
    return DropTable(schema=schema, name=name[-1], if_exists=tree.exists)


def _default(session: Session) -> str:
    return session.schema_path[0] if session.schema_path else PUBLIC


def _holder(name: tuple[str, ...], session: Session, snapshot: Snapshot) -> str:
    """The schema that has a type of this name, or the one it would be in."""
    if len(name) == 2:
        return name[0]
    known = {
        snapshot.schemas[found.schema_id]
        for found in snapshot.types.values()
        if found.name == name[0]
    }
    return next((schema for schema in session.schema_path if schema in known), _default(session))


def plan_cluster(
    tree: commands.AlterTableCluster, session: Session, snapshot: Snapshot
) -> WritePlan:
    """ALTER TABLE … CLUSTER BY."""
    schema = _altered(tree, session, snapshot)
    order, columns = tree.cluster or ("lexical", ())
    operation = ClusterTable(
        schema=schema,
        name=tree.name[-1],
        cluster_by=columns,
        order=order,
        if_exists=tree.exists,
    )
    return WritePlan(operations=(operation,), tag="ALTER TABLE")


def plan_table_options(
    tree: commands.AlterTableOptions, session: Session, snapshot: Snapshot
) -> WritePlan:
    """ALTER TABLE … SET (…) and RESET (…)."""
    schema, name = _altered(tree, session, snapshot), tree.name[-1]
    check_names(name, tree.reset)
    operation = SetTableOptions(
        schema=schema,
        name=name,
        options=table_options(name, tree.options),
        reset=tree.reset,
        if_exists=tree.exists,
    )
    return WritePlan(operations=(operation,), tag="ALTER TABLE")


def plan_alter_system(tree: commands.AlterSystem) -> WritePlan:
    """ALTER SYSTEM SET and RESET: settings of the database."""
    if tree.name != RETENTION:
        raise UnknownObject(
            f'unrecognized configuration parameter "{tree.name}"{nearest(tree.name, [RETENTION])}; '
            f"ALTER SYSTEM knows {RETENTION}",
            "42704",
        )
    value = None if tree.value is None else str(duration_ms(tree.value, RETENTION))
    operation = ChangeSetting(name=RETENTION, value=value)
    return WritePlan(operations=(operation,), tag="ALTER SYSTEM")


def _altered(
    tree: commands.AlterTableCluster | commands.AlterTableOptions,
    session: Session,
    snapshot: Snapshot,
) -> str:
    """The schema of a table that is to be changed, or the one it would be in."""
    try:
        return snapshot.schemas[find_table(snapshot, tree.name, session).schema_id]
    except UnknownObject:
        if not tree.exists:
            raise
    return tree.name[0] if len(tree.name) == 2 else _default(session)


def plan_comment(tree: commands.CommentNode, session: Session, snapshot: Snapshot) -> WritePlan:
    """COMMENT ON TABLE or COLUMN."""
    if tree.kind == "schema":
        raise not_yet("COMMENT ON SCHEMA")
    column = tree.name[-1] if tree.kind == "column" else None
    name = tree.name[:-1] if column is not None else tree.name
    if not name:
        raise InvalidRequest("column name must be qualified: write table.column", "42601")
    table = find_table(snapshot, name, session)
    if column is not None and table.schema.find(column) is None:
        hint = nearest(column, table.schema.names)
        raise UnknownObject(f"column {column} of table {table.name} does not exist{hint}", "42703")
    operation = CommentOnTable(
        schema=snapshot.schemas[table.schema_id],
        table=table.name,
        column=column,
        comment=tree.text or None,
    )
    return WritePlan(operations=(operation,), tag="COMMENT")
