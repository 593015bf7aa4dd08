"""Statements that change or show the catalogue: CREATE TABLE, DROP TABLE, DESCRIBE, SHOW, CALL."""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import pyarrow.compute as pc
from sqlglot import exp
from sqlglot.optimizer.normalize_identifiers import normalize_identifiers

from actors.messages import DropTable, NewColumn, NewTable, Session
from actors.planner import CallPlan, RowsPlan, WritePlan
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import type_name
from storage.snapshot.model import PUBLIC, Snapshot, TableState
from warehouse.sql.bind import find_table
from warehouse.sql.constants import UNKNOWN, constant
from warehouse.sql.dialect import (
    CallProcedure,
    CreateTable,
    DescribeTable,
    DropTables,
    Mobula,
    ShowObjects,
    TableColumn,
)
from warehouse.sql.later import not_yet
from warehouse.sql.types import sql_type_of

__all__ = ["plan_call", "plan_create_table", "plan_describe", "plan_drop_table", "plan_show"]

MICROPARTITION_ROWS_MAX = 1_310_720
_OPTIONS: Mapping[str, tuple[int, int]] = {"micropartition_rows": (1, MICROPARTITION_ROWS_MAX)}


def plan_create_table(tree: CreateTable, session: Session, snapshot: Snapshot) -> WritePlan:
    """CREATE TABLE as one operation. Whether the table exists is for the primary to say.

    Raises:
        NotYet: clauses and types of later versions.
        InvalidRequest: repeated columns, unknown options, CLUSTER BY of no column.
        UnknownObject: the schema does not exist.
    """
    tree = normalize_identifiers(tree, dialect=Mobula)
    for clause in tree.args.get("refused") or []:
        raise not_yet(clause)
    columns = tuple(_column(node) for node in tree.expressions)
    names = [column.name for column in columns]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise InvalidRequest(f"column {repeated} is given twice", "42701")
    cluster = tree.args.get("cluster")
    cluster_by = tuple(node.name for node in cluster.expressions) if cluster else ()
    _check_cluster_by(cluster_by, names)
    schema, name = _target(tree.this, session, snapshot)
    operation = NewTable(
        schema=schema,
        name=name,
        columns=columns,
        cluster_by=cluster_by,
        order=cluster.args["order"] if cluster else "lexical",
        options=_options(tree.args.get("options") or []),
        if_not_exists=bool(tree.args.get("exists")),
    )
    return WritePlan(operations=(operation,))


def _column(node: TableColumn) -> NewColumn:
    if clause := node.args.get("refused"):
        raise NotYet(f"column {node.name}: {clause} is not available yet")
    nullable = node.args.get("nullable")
    return NewColumn(
        name=node.name,
        type=sql_type_of(node.args["type"], node.name),
        nullable=True if nullable is None else bool(nullable),
    )


def _check_cluster_by(cluster_by: tuple[str, ...], names: list[str]) -> None:
    for position, name in enumerate(cluster_by):
        if name not in names:
            raise UnknownObject(f"CLUSTER BY {name}: no such column{nearest(name, names)}", "42703")
        if name in cluster_by[:position]:
            raise InvalidRequest(f"CLUSTER BY names {name} twice", "42701")


def _options(nodes: list[exp.Expr]) -> dict[str, int | str]:
    options: dict[str, int | str] = {}
    for node in nodes:
        name, value = node.name, constant(node.args["value"])
        if name not in _OPTIONS:
            raise InvalidRequest(f"unknown table option {name}{nearest(name, _OPTIONS)}", "22023")
        if name in options:
            raise InvalidRequest(f"table option {name} is given twice", "42601")
        low, high = _OPTIONS[name]
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise InvalidRequest(
                f"{name} = {node.args['value'].sql()}: expected {low} to {high:,}", "22023"
            )
        options[name] = value
    return options


def _target(table: exp.Table, session: Session, snapshot: Snapshot) -> tuple[str, str]:
    """The schema and name of a table to create."""
    if table.catalog:
        raise NotYet(f"{table.catalog}.{table.db}.…: other databases are not available yet")
    schema = table.db or (session.schema_path[0] if session.schema_path else PUBLIC)
    if snapshot.schema_id(schema) is None:
        hint = nearest(schema, snapshot.schemas.values())
        raise UnknownObject(f"schema {schema} does not exist{hint}", "3F000")
    return schema, table.name


def plan_drop_table(tree: DropTables, session: Session, snapshot: Snapshot) -> WritePlan:
    """DROP TABLE as one operation. Raises UnknownObject unless IF EXISTS is said."""
    tree = normalize_identifiers(tree, dialect=Mobula)
    exists = bool(tree.args.get("exists"))
    try:
        found = find_table(snapshot, tree.this, session)
        schema = snapshot.schemas[found.schema_id]
    except UnknownObject:
        if not exists:
            raise
        schema = tree.this.db or (session.schema_path[0] if session.schema_path else PUBLIC)
    return WritePlan(operations=(DropTable(schema=schema, name=tree.this.name, if_exists=exists),))


def plan_call(tree: CallProcedure) -> CallPlan:
    """CALL with constant arguments. Raises InvalidRequest for any other."""
    arguments = [constant(node) for node in tree.expressions]
    for node, value in zip(tree.expressions, arguments, strict=True):
        if value is UNKNOWN:
            raise InvalidRequest(f"CALL: {node.sql(dialect=Mobula)} is no constant", "42601")
    parts = [part.name if part.quoted else part.name.lower() for part in tree.args["name"]]
    return CallPlan(procedure=".".join(parts), arguments=tuple(arguments))


# --- what there is --------------------------------------------------------------------------------


def plan_describe(tree: DescribeTable, session: Session, snapshot: Snapshot) -> RowsPlan:
    """The columns of a table: name, type, nullable, position in the clustering key from 1."""
    tree = normalize_identifiers(tree, dialect=Mobula)
    table = find_table(snapshot, tree.this, session)
    key = table.cluster_by.column_ids if table.cluster_by else ()
    positions = [key.index(c.id) + 1 if c.id in key else None for c in table.columns]
    rows = pa.table(
        {
            "column": pa.array([c.name for c in table.columns], pa.large_string()),
            "type": pa.array([type_name(c.type) for c in table.columns], pa.large_string()),
            "nullable": pa.array([c.nullable for c in table.columns], pa.bool_()),
            "cluster position": pa.array(positions, pa.int32()),
        }
    )
    return RowsPlan(rows=rows)


def plan_show(tree: ShowObjects, snapshot: Snapshot) -> RowsPlan:
    """SHOW TABLES, SCHEMAS or WAREHOUSES."""
    show = {"TABLES": _tables, "SCHEMAS": _schemas, "WAREHOUSES": _warehouses}
    return RowsPlan(rows=show[tree.args["kind"]](snapshot))


def _tables(snapshot: Snapshot) -> pa.Table:
    found = sorted(
        ((snapshot.schemas[t.schema_id], t) for t in snapshot.tables.values()),
        key=lambda pair: (pair[0], pair[1].name),
    )
    tables = [table for _, table in found]
    return pa.table(
        {
            "schema": pa.array([schema for schema, _ in found], pa.large_string()),
            "table": pa.array([t.name for t in tables], pa.large_string()),
            "rows": pa.array([t.row_count for t in tables], pa.int64()),
            "micropartitions": pa.array([len(t.files) for t in tables], pa.int64()),
            "deltas": pa.array([len(t.deltas) for t in tables], pa.int64()),
            "bytes": pa.array([_size_bytes(t) for t in tables], pa.int64()),
        }
    )


def _size_bytes(table: TableState) -> int:
    return table.files.size_bytes + sum(len(delta.rows) for delta in table.deltas)


def _schemas(snapshot: Snapshot) -> pa.Table:
    counts = pc.value_counts(pa.array([t.schema_id for t in snapshot.tables.values()], pa.int64()))
    tables = {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
    found = sorted(snapshot.schemas.items(), key=lambda item: item[1])
    return pa.table(
        {
            "schema": pa.array([name for _, name in found], pa.large_string()),
            "tables": pa.array([tables.get(i, 0) for i, _ in found], pa.int64()),
        }
    )


def _warehouses(snapshot: Snapshot) -> pa.Table:
    found = [w for _, w in sorted(snapshot.virtual_warehouses.items())]
    return pa.table(
        {
            "warehouse": pa.array([w.name for w in found], pa.large_string()),
            "size": pa.array([w.size for w in found], pa.int64()),
            "min_clusters": pa.array([w.min_clusters for w in found], pa.int64()),
            "max_clusters": pa.array([w.max_clusters for w in found], pa.int64()),
            "scaling_policy": pa.array([w.scaling_policy for w in found], pa.large_string()),
            "auto_suspend_s": pa.array([w.auto_suspend_s for w in found], pa.int64()),
        }
    )
