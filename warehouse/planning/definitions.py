"""Statements that change the catalogue: CREATE and DROP of tables, schemas, types; COMMENT ON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from actors.messages import (
    CommentOnTable,
    DropSchema,
    DropTable,
    DropType,
    NewColumn,
    NewIdentity,
    NewSchema,
    NewTable,
    NewType,
    Operation,
    Session,
)
from actors.planner import WritePlan
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import Check, DecimalType, EnumType, SqlType, StructType
from storage.snapshot.model import PUBLIC, Snapshot
from warehouse.algebra.expressions import ColumnRef, Literal
from warehouse.algebra.types import (
    BOOLEAN,
    NUMERIC,
    UNKNOWN,
    AnyType,
    base_name,
    is_integer,
    shown,
)
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.binder.types import resolve_type
from warehouse.planning.assignment import assigned
from warehouse.planning.catalogue import SnapshotCatalogue, find_table, target_schema
from warehouse.planning.query import QueryPlanner
from warehouse.syntax import commands
from warehouse.syntax.later import not_yet
from warehouse.syntax.tree import TypeName

__all__ = [
    "plan_comment",
    "plan_create_schema",
    "plan_create_table",
    "plan_create_type",
    "plan_drop",
    "table_options",
]

MICROPARTITION_ROWS_MAX = 1_310_720
_OPTIONS: Mapping[str, tuple[int, int]] = {"micropartition_rows": (1, MICROPARTITION_ROWS_MAX)}


def plan_create_table(
    tree: commands.CreateTable, queries: QueryPlanner, snapshot: Snapshot
) -> WritePlan:
    """CREATE TABLE as one operation. Whether the table exists is for the primary to say.

    Raises:
        NotYet: clauses and types of later versions.
        InvalidRequest: repeated columns, unknown options, CLUSTER BY of no column, a DEFAULT or
            CHECK that does not type.
        UnknownObject: the schema or a type does not exist.
    """
    if tree.temporary:
        raise not_yet("CREATE TEMPORARY TABLE")
    catalogue = SnapshotCatalogue(queries.snapshots, queries.session)
    names = [column.name for column in tree.columns]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f"column {repeated} is given twice", "42701")
    kinds = [stored_type(column.type, column.name, catalogue) for column in tree.columns]
    schema = target_schema(tree.name, queries.session, snapshot)
    binding = Binding(queries.text, catalogue)
    columns = tuple(
        _column(node, kind, binding) for node, kind in zip(tree.columns, kinds, strict=True)
    )
    cluster = tree.cluster or ("lexical", ())
    _check_cluster_by(cluster[1], names)
    operation = NewTable(
        schema=schema,
        name=tree.name[-1],
        columns=columns,
        cluster_by=cluster[1],
        order=cluster[0],
        options=table_options(tree.options),
        checks=_checks(tree, names, kinds, binding),
        if_not_exists=tree.exists,
    )
    return WritePlan(operations=(operation,))


def stored_type(name: TypeName, column: str, catalogue: SnapshotCatalogue) -> SqlType:
    """The type of a column. Raises InvalidRequest for NUMERIC without a precision."""
    try:
        kind = resolve_type(name, catalogue.types, catalogue.path)
    except (InvalidRequest, NotYet) as error:
        raise type(error)(f"column {column}: {error}", error.sqlstate) from None
    if kind == NUMERIC:
        raise InvalidRequest(
            f"column {column}: DECIMAL needs a precision and a scale, for example DECIMAL(18, 2);"
            " PostgreSQL's NUMERIC of any length is not available",
            "42611",
        )
    return kind  # type: ignore[return-value]


def _column(node: commands.ColumnDef, kind: SqlType, binding: Binding) -> NewColumn:
    identity = None
    if node.identity is not None:
        if not is_integer(kind):
            raise InvalidRequest(
                "identity column type must be smallint, integer, or bigint", "22023"
            )
        identity = NewIdentity(
            always=node.identity.always,
            start=node.identity.start,
            increment=node.identity.increment,
        )
    if node.default_expr is not None:
        _check_default(node, kind, binding)
    return NewColumn(
        name=node.name, type=kind, nullable=node.nullable, default=node.default, identity=identity
    )


def _check_default(node: commands.ColumnDef, kind: SqlType, binding: Binding) -> None:
    binder = _binder(binding, Scope(), "DEFAULT expressions")
    try:
        assigned(binder.bind(node.default_expr), kind, node.name)
    except UnknownObject as error:
        if error.sqlstate == "42703":
            raise InvalidRequest(
                f"column {node.name}: cannot use column reference in DEFAULT expression", "0A000"
            ) from None
        raise


def _checks(
    tree: commands.CreateTable, names: Sequence[str], kinds: Sequence[SqlType], binding: Binding
) -> tuple[Check, ...]:
    scope = Scope()
    columns = tuple(
        ScopeColumn(name, binding.column(kind, name))
        for name, kind in zip(names, kinds, strict=True)
    )
    scope.add(ScopeTable(tree.name[-1], columns))
    owned = [(check, column.name) for column in tree.columns for check in column.checks]
    owned += [(check, "") for check in tree.checks]
    found: list[Check] = []
    for check, column in owned:
        expr = _binder(binding, scope, "check constraints").boolean(check.expr, "CHECK")
        assert expr.type == BOOLEAN
        taken = {known.name for known in found}
        base = "_".join(part for part in (tree.name[-1], column, "check") if part)
        name, number = check.name or base, 0
        while name in taken:
            if check.name is not None:
                raise InvalidRequest(f'check constraint "{name}" already exists', "42710")
            number += 1
            name = f"{base}{number}"
        found.append(Check(name=name, sql=check.text))
    return tuple(found)


def _binder(binding: Binding, scope: Scope, where: str) -> ExpressionBinder:
    def refuse(*_: Any) -> Any:
        raise InvalidRequest(f"cannot use subquery in {where}", "0A000")

    return ExpressionBinder(binding, scope, Collector(where=where), refuse)


def _check_cluster_by(cluster_by: tuple[str, ...], names: list[str]) -> None:
    for position, name in enumerate(cluster_by):
        if name not in names:
            raise UnknownObject(f"CLUSTER BY {name}: no such column{nearest(name, names)}", "42703")
        if name in cluster_by[:position]:
            raise InvalidRequest(f"CLUSTER BY names {name} twice", "42701")


def table_options(given: Sequence[tuple[str, Any]]) -> dict[str, int | str]:
    """WITH (…) of CREATE TABLE. Raises InvalidRequest for what is unknown or out of range."""
    options: dict[str, int | str] = {}
    for name, node in given:
        if name not in _OPTIONS:
            raise InvalidRequest(f"unknown table option {name}{nearest(name, _OPTIONS)}", "22023")
        if name in options:
            raise InvalidRequest(f"table option {name} is given twice", "42601")
        text = getattr(node, "value", "")
        low, high = _OPTIONS[name]
        value = int(text) if str(text).lstrip("-").isdigit() else None
        if getattr(node, "kind", "") != "number" or value is None or not low <= value <= high:
            raise InvalidRequest(f"{name} = {text}: expected {low} to {high:,}", "22023")
        options[name] = value
    return options


# --- schemas, types, comments ---------------------------------------------------------------------


def plan_create_schema(tree: commands.CreateSchema) -> WritePlan:
    """CREATE SCHEMA."""
    if tree.name.startswith("pg_") or tree.name == "information_schema":
        raise InvalidRequest(
            f'unacceptable schema name "{tree.name}": the prefix "pg_" is reserved', "42939"
        )
    return WritePlan(operations=(NewSchema(name=tree.name, if_not_exists=tree.exists),))


def plan_create_type(tree: commands.CreateType, session: Session, snapshot: Snapshot) -> WritePlan:
    """CREATE TYPE as an ENUM or a composite."""
    from actors.planner import Latest

    schema, name = target_schema(tree.name, session, snapshot), tree.name[-1]
    kind: EnumType | StructType
    if tree.labels is not None:
        for position, label in enumerate(tree.labels):
            if label in tree.labels[:position]:
                raise InvalidRequest(f'enum label "{label}" is given twice', "42710")
        kind = EnumType(name=name, labels=tree.labels)
    else:
        catalogue = SnapshotCatalogue({Latest(): snapshot}, session)
        fields = tuple((f, stored_type(t, f, catalogue)) for f, t in tree.fields)
        names = [field for field, _ in fields]
        if repeated := next((f for f in names if names.count(f) > 1), None):
            raise InvalidRequest(f'attribute "{repeated}" specified more than once', "42701")
        kind = StructType(name=name, fields=fields)
    return WritePlan(operations=(NewType(schema=schema, name=name, definition=kind),))


def plan_drop(tree: commands.Drop, session: Session, snapshot: Snapshot) -> WritePlan:
    """DROP TABLE, SCHEMA or TYPE of one or more. Raises UnknownObject unless IF EXISTS is said."""
    operations: list[Operation] = []
    for name in tree.names:
        if tree.kind == "schema":
            operations.append(
                DropSchema(name=name[-1], if_exists=tree.exists, cascade=tree.cascade)
            )
        elif tree.kind == "type":
            schema = _holder(name, session, snapshot)
            operations.append(DropType(schema=schema, name=name[-1], if_exists=tree.exists))
        else:
            operations.append(_drop_table(tree, name, session, snapshot))
    return WritePlan(operations=tuple(operations))


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


def plan_comment(tree: commands.CommentNode, session: Session, snapshot: Snapshot) -> WritePlan:
    """COMMENT ON TABLE or COLUMN."""
    if tree.kind == "schema":
        raise not_yet("COMMENT ON SCHEMA")
    column = tree.name[-1] if tree.kind == "column" else None
    name = tree.name[:-1] if column is not None else tree.name
    if not name:
        raise InvalidRequest("COMMENT ON COLUMN wants table.column", "42601")
    table = find_table(snapshot, name, session)
    if column is not None and table.schema.find(column) is None:
        hint = nearest(column, table.schema.names)
        raise UnknownObject(f"column {column} of table {table.name} does not exist{hint}", "42703")
    operation = CommentOnTable(
        schema=snapshot.schemas[table.schema_id],
        table=table.name,
        column=column,
        comment=tree.text,
    )
    return WritePlan(operations=(operation,))
