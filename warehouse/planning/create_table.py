"""CREATE TABLE, with columns of its own or AS a query; temporary or not.

A temporary table is a table in the schema of its session, which comes with the first of them in the
same transaction (`actors.temporary`).

Types of CREATE TABLE … AS are the query's. What has no type of a column becomes the nearest: an
untyped literal TEXT, a numeric whose scale its values decide (a quotient, an average) DOUBLE
PRECISION.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from typing import Any

import msgspec

from actors.messages import Session
from actors.operations import (
    NewColumn,
    NewIdentity,
    NewSchema,
    NewTable,
    Operation,
)
from actors.planner import CreateAsPlan, WritePlan
from actors.temporary import TEMPORARY, temporary_schema
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import ArrayType, Check, SqlType, StructType, named_types
from storage.snapshot.model import Snapshot
from warehouse.algebra.types import (
    DOUBLE,
    JSONPATH,
    NUMERIC,
    TEXT,
    UNKNOWN,
    AnyType,
    RecordType,
    is_collatable,
    is_integer,
    shown,
)
from warehouse.binder.context import Binding
from warehouse.binder.types import resolve_type
from warehouse.planning.catalogue import SnapshotCatalogue, target_schema
from warehouse.planning.kept_precision import precise_types
from warehouse.planning.keys import relation_names, table_keys
from warehouse.planning.partition_bounds import Constants, new_partitioning
from warehouse.planning.query import QueryPlanner
from warehouse.planning.rules import (
    bind_check,
    bind_default,
    definition_binding,
    qualified_text,
)
from warehouse.planning.table_options import table_options
from warehouse.syntax import commands
from warehouse.syntax.collations import check_collation
from warehouse.syntax.tree import NameRef, TypeName

__all__ = ["plan_create_table", "plan_create_table_as", "stored_type"]

_Clustering = tuple[str, tuple[str, ...]] | None


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
    catalogue = SnapshotCatalogue(queries.snapshots, queries.session)
    names = [column.name for column in tree.columns]
    _check_names(names)
    kinds = [stored_type(column.type, column.name, catalogue) for column in tree.columns]
    schema, before = _place(tree, queries.session, snapshot)
    binding = definition_binding(queries.text, catalogue)
    columns = tuple(
        _column(node, kind, binding, catalogue)
        for node, kind in zip(tree.columns, kinds, strict=True)
    )
    order, cluster_by = _clustering(tree.cluster, names)
    checks = _checks(tree, kinds, binding, catalogue)
    keys = table_keys(
        tree, kinds, [check.name for check in checks], relation_names(snapshot, schema)
    )
    operation = NewTable(
        schema=schema,
        name=tree.name[-1],
        partitioning=new_partitioning(
            tree.partition,
            dict(zip(names, kinds, strict=True)),
            [name for key in keys if key.primary for name in key.columns],
            Constants(binding, _now(queries)),
        ),
        columns=columns,
        cluster_by=cluster_by,
        order=order,
        options=table_options(tree.name[-1], tree.options),
        checks=checks,
        keys=keys,
        if_not_exists=tree.exists,
    )
    return WritePlan(
        operations=(*before, operation), tag="CREATE TABLE", temporary=_is_temporary(schema)
    )


def plan_create_table_as(
    tree: commands.CreateTableAs, queries: QueryPlanner, snapshot: Snapshot
) -> CreateAsPlan:
    """CREATE TABLE … AS: the query and the table of its columns.

    Raises:
        InvalidRequest: the table exists (42P07), a name is repeated (42701), there are more names
            than columns (42601), a column is a row (42P16).
        NotYet, UnknownObject: as queries and CREATE TABLE do.
    """
    schema, before = _place(tree, queries.session, snapshot)
    name = tree.name[-1]
    exists = snapshot.find_table(name, schema) is not None
    if exists and not tree.exists:
        raise InvalidRequest(f'relation "{name}" already exists', "42P07")
    query = queries.plan(tree.query)
    names, kinds = query.result_names, precise_types(query)
    if len(tree.columns) > len(names):
        raise InvalidRequest("too many column names were specified", "42601")
    names = (*tree.columns, *names[len(tree.columns) :])
    _check_names(names)
    if not names:
        raise NotYet(f"table {name}: tables without columns are not available")
    known = [found.definition for found in snapshot.types.values()]
    columns = tuple(
        NewColumn(name=name, type=_kept(kind, name, known))
        for name, kind in zip(names, kinds, strict=True)
    )
    order, cluster_by = _clustering(tree.cluster, names)
    binding = definition_binding(
        queries.text, SnapshotCatalogue(queries.snapshots, queries.session)
    )
    table = NewTable(
        schema=schema,
        name=name,
        partitioning=new_partitioning(
            tree.partition,
            {column.name: column.type for column in columns},
            (),
            Constants(binding, _now(queries)),
        ),
        columns=columns,
        cluster_by=cluster_by,
        order=order,
        options=table_options(tree.name[-1], tree.options),
        if_not_exists=tree.exists,
    )
    return CreateAsPlan(
        table=table,
        query=query if tree.data and not exists else None,
        before=before,
        temporary=_is_temporary(schema),
    )


def _now(queries: QueryPlanner) -> datetime.datetime:
    assert queries.now is not None  # it is a statement's
    return queries.now


# --- where ----------------------------------------------------------------------------------------


def _place(
    tree: commands.CreateTable | commands.CreateTableAs, session: Session, snapshot: Snapshot
) -> tuple[str, tuple[Operation, ...]]:
    """The table's schema, and what must be done before the table is made."""
    own = temporary_schema(session)
    written = tree.name[0] if len(tree.name) > 1 else None
    if not tree.temporary and (written is None or written not in (TEMPORARY, own)):
        return target_schema(tree.name, session, snapshot), ()
    if written not in (None, TEMPORARY, own):
        raise InvalidRequest("cannot create temporary relation in non-temporary schema", "42P16")
    if own is None:
        raise NotYet("temporary tables need a session; connect with warehouse.connect")
    return own, (NewSchema(name=own, if_not_exists=True, temporary=True),)


def _is_temporary(schema: str) -> bool:
    return schema.startswith(TEMPORARY)


# --- columns --------------------------------------------------------------------------------------


def _check_names(names: Sequence[str]) -> None:
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f'column "{repeated}" specified more than once', "42701")


def stored_type(
    name: TypeName, column: str, catalogue: SnapshotCatalogue, *, precise: bool = True
) -> SqlType:
    """The type of a column. Raises InvalidRequest for NUMERIC without a precision.

    Args: precise: as of `resolve_type`.
    """
    try:
        kind = resolve_type(name, catalogue.types, catalogue.path, precise=precise)
    except (InvalidRequest, NotYet) as error:
        raise type(error)(f"column {column}: {error}", error.sqlstate) from None
    if kind == JSONPATH:
        raise NotYet(f"column {column}: columns of the type jsonpath are not available; use text")
    if kind == NUMERIC:
        raise InvalidRequest(
            f"column {column}: DECIMAL needs a precision and a scale, for example DECIMAL(18, 2);"
            " PostgreSQL's NUMERIC of any length is not available",
            "42611",
        )
    return kind  # type: ignore[return-value]


def _kept(kind: AnyType, column: str, known: Sequence[SqlType]) -> SqlType:
    """The type that a column keeps values of a query's type in."""
    if kind == UNKNOWN:
        return TEXT
    if kind == NUMERIC:
        return DOUBLE
    if kind == JSONPATH:
        raise NotYet(f'column "{column}" is a jsonpath, which no column holds; cast it to text')
    if isinstance(kind, RecordType):
        raise InvalidRequest(f'column "{column}" has pseudo-type record', "42P16")
    if isinstance(kind, ArrayType):
        return ArrayType(element=_kept(kind.element, column, known))
    if isinstance(kind, StructType) and any(part not in known for part in named_types(kind)):
        raise NotYet(f'column "{column}" is a row of a table; name the columns that you want')
    return kind  # type: ignore[return-value]


def _column(
    node: commands.ColumnDef, kind: SqlType, binding: Binding, catalogue: SnapshotCatalogue
) -> NewColumn:
    if node.collation:
        if not is_collatable(kind):
            raise InvalidRequest(
                f"column {node.name}: collations are not supported by type {shown(kind)}", "42804"
            )
        check_collation(node.collation)
    identity = None
    if node.identity is not None:
        if not is_integer(kind):
            raise InvalidRequest(
                "identity column type must be smallint, integer, or bigint", "22023"
            )
        found = node.identity
        identity = NewIdentity(
            always=found.always,
            start=found.start,
            increment=found.increment,
            low=found.low,
            high=found.high,
        )
    default = node.default
    if default is not None:
        bind_default(node.default_expr, kind, node.name, binding)
        default = qualified_text(default, catalogue)
    return NewColumn(
        name=node.name, type=kind, nullable=node.nullable, default=default, identity=identity
    )


def _checks(
    tree: commands.CreateTable,
    kinds: Sequence[SqlType],
    binding: Binding,
    catalogue: SnapshotCatalogue,
) -> tuple[Check, ...]:
    columns = [
        (node.name, kind, number)
        for number, (node, kind) in enumerate(zip(tree.columns, kinds, strict=True), 1)
    ]
    owned = [(check, column.name) for column in tree.columns for check in column.checks]
    owned += [(check, _only_column(check.expr, tree)) for check in tree.checks]
    taken = {check.name for check, _ in owned if check.name is not None}
    found: list[Check] = []
    for check, column in owned:
        bind_check(check.expr, tree.name[-1], columns, binding)
        name = check.name
        if name is None:
            name = _free("_".join(p for p in (tree.name[-1], column, "check") if p), taken)
            taken.add(name)
        elif name in [known.name for known in found]:
            raise InvalidRequest(f'check constraint "{name}" already exists', "42710")
        found.append(Check(name=name, sql=qualified_text(check.text, catalogue)))
    return tuple(found)


def _only_column(expr: Any, tree: commands.CreateTable) -> str:
    """The column of a table's CHECK that is about one alone: its name is part of the check's."""
    used = {name for name in _names(expr) if any(c.name == name for c in tree.columns)}
    return used.pop() if len(used) == 1 else ""


def _names(node: Any) -> list[str]:
    if isinstance(node, NameRef):
        return [node.parts[-1]]
    if isinstance(node, msgspec.Struct):
        return [n for f in node.__struct_fields__ for n in _names(getattr(node, f))]
    if isinstance(node, tuple):
        return [n for item in node for n in _names(item)]
    return []


def _free(name: str, taken: set[str]) -> str:
    number, free = 0, name
    while free in taken:
        number += 1
        free = f"{name}{number}"
    return free


# --- behind the columns ---------------------------------------------------------------------------


def _clustering(given: _Clustering, names: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    order, cluster_by = given or ("lexical", ())
    for position, name in enumerate(cluster_by):
        if name not in names:
            raise UnknownObject(f"CLUSTER BY {name}: no such column{nearest(name, names)}", "42703")
        if name in cluster_by[:position]:
            raise InvalidRequest(f"CLUSTER BY names {name} twice", "42701")
    return order, cluster_by
