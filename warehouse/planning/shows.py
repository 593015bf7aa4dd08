"""Statements answered from the catalogue, DESCRIBE and SHOW, and CALL."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from actors.messages import Session
from actors.observed import Observed
from actors.planner import CallPlan, Latest, RowsPlan
from actors.primary.warehouses import find_warehouse
from storage.collection.policy import RETENTION, RetentionPolicy
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import Column, type_name
from storage.snapshot.changes import VirtualWarehouse
from storage.snapshot.model import Snapshot, TableState
from warehouse.algebra.expressions import Literal
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.scope import Scope
from warehouse.catalogue_tables.observed import warehouse_records
from warehouse.catalogue_tables.server import SETTINGS, setting
from warehouse.optimizer.fold import folded
from warehouse.planning.catalogue import SnapshotCatalogue, dotted_name, find_table, visible_schemas
from warehouse.planning.durations import duration_ms, duration_text
from warehouse.planning.query import QueryPlanner
from warehouse.syntax import commands

__all__ = ["plan_call", "plan_describe", "plan_describe_warehouse", "plan_show"]

# Names of settings in more words, as SHOW takes them.
_SPOKEN = {
    "time zone": "timezone",
    "transaction isolation level": "transaction_isolation",
}
_ABOUT_TABLES = {
    "mobula.compact",
    "mobula.recluster",
    "mobula.flush",
    "mobula.repair_index",
}  # procedures that take a table


def plan_call(tree: commands.CallNode, queries: QueryPlanner) -> CallPlan:
    """CALL with constant arguments. Raises InvalidRequest for any other."""
    catalogue = SnapshotCatalogue(queries.snapshots, queries.session)
    binding = Binding(queries.text, catalogue, queries.parameters)

    def refuse(*_: object) -> None:
        raise InvalidRequest("CALL takes constants, not queries", "42601")

    binder = ExpressionBinder(binding, Scope(), Collector(where="CALL"), refuse)  # type: ignore[arg-type]
    values = []
    for node in tree.args:
        found = folded(binder.bind(node))
        if not isinstance(found, Literal):
            raise InvalidRequest(f"CALL: an argument is no constant{binding.place(node)}", "42601")
        values.append(found.value)
    procedure = ".".join(tree.name)
    if procedure == "mobula.vacuum":
        return CallPlan(procedure=procedure, arguments=_vacuum_arguments(values))
    if procedure in _ABOUT_TABLES:
        values = [_table_id(value, queries) for value in values]
    return CallPlan(procedure=procedure, arguments=tuple(values))


def _vacuum_arguments(values: Sequence[Any]) -> tuple[Any, ...]:
    """Retention and age of uploads in ms, and whether only to look. Raises InvalidRequest."""
    names = ("retention", "age of uploads")
    durations = [
        None if value is None else duration_ms(value, f"mobula.vacuum: {name}")
        for value, name in zip(values, names, strict=False)
    ]
    return (*durations, *values[2:])


def _table_id(value: object, queries: QueryPlanner) -> int:
    """Of a table that a text names, as SQL reads it. Raises InvalidRequest, UnknownObject."""
    if not isinstance(value, str):
        raise InvalidRequest(f"CALL: expected the name of a table as a text, found {value!r}")
    return find_table(queries.snapshots[Latest()], dotted_name(value), queries.session).id


def plan_describe(tree: commands.Describe, session: Session, snapshot: Snapshot) -> RowsPlan:
    """The columns of a table: name, type, nullable, default, the keys that it is part of, position
    in the clustering key from 1."""
    table = find_table(snapshot, tree.name, session)
    key = table.cluster_by.column_ids if table.cluster_by else ()
    positions = [key.index(c.id) + 1 if c.id in key else None for c in table.columns]
    rows = pa.table(
        {
            "column": pa.array([c.name for c in table.columns], pa.large_string()),
            "type": pa.array([type_name(c.type) for c in table.columns], pa.large_string()),
            "nullable": pa.array([c.nullable for c in table.columns], pa.bool_()),
            "default": pa.array([_default(c) for c in table.columns], pa.large_string()),
            "keys": pa.array([_keys(table, c) for c in table.columns], pa.large_string()),
            "cluster position": pa.array(positions, pa.int32()),
        }
    )
    return RowsPlan(rows=rows)


def _keys(table: TableState, column: Column) -> str | None:
    names = [key.name for key in table.keys if column.id in key.column_ids]
    return ", ".join(names) or None


def _default(column: object) -> str | None:
    identity = getattr(column, "identity", None)
    if identity is not None:
        return f"GENERATED {'ALWAYS' if identity.always else 'BY DEFAULT'} AS IDENTITY"
    return getattr(column, "default", None)


def plan_describe_warehouse(tree: commands.DescribeWarehouse, snapshot: Snapshot) -> RowsPlan:
    """Every setting of a virtual warehouse and its value, as texts. Raises UnknownObject."""
    found = find_warehouse(tree.name, snapshot)
    names = VirtualWarehouse.__struct_fields__
    values = [_text(getattr(found, name)) for name in names]
    return RowsPlan(
        rows=pa.table(
            {
                "setting": pa.array(names, pa.large_string()),
                "value": pa.array(values, pa.large_string()),
            }
        )
    )


def _text(value: Any) -> str | None:
    return value if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def plan_show(
    tree: commands.Show, session: Session, snapshot: Snapshot, observed: Sequence[Observed] = ()
) -> RowsPlan:
    """SHOW TABLES, SCHEMAS or WAREHOUSES, of them those whose name is LIKE the pattern whatever
    its case; or a setting. `observed`: the warehouses' records."""
    shows = {
        "tables": lambda: _tables(snapshot, session),
        "schemas": lambda: _schemas(snapshot, session),
        "warehouses": lambda: _warehouses(snapshot, observed),
    }
    if tree.kind in shows:
        rows = shows[tree.kind]()
        if tree.pattern is not None:
            matches = re.compile(_expression(tree.pattern), re.IGNORECASE | re.DOTALL).fullmatch
            names = rows.column(tree.kind.removesuffix("s")).to_pylist()
            rows = rows.filter(pa.array([matches(name) is not None for name in names], pa.bool_()))
        return RowsPlan(rows=rows)
    if tree.kind == RETENTION:
        kept_ms = int(snapshot.settings.get(RETENTION, RetentionPolicy().retention_ms))
        return RowsPlan(
            rows=pa.table({RETENTION: pa.array([duration_text(kept_ms)], pa.large_string())})
        )
    value = setting(_SPOKEN.get(tree.kind, tree.kind), session)
    if value is None:
        known = [*shows, *SETTINGS, "search_path"]
        raise UnknownObject(
            f'unrecognized configuration parameter "{tree.kind}"{nearest(tree.kind, known)}',
            "42704",
        )
    name = tree.kind.replace(" ", "_")
    return RowsPlan(rows=pa.table({name: pa.array([value], pa.large_string())}))


def _tables(snapshot: Snapshot, session: Session) -> pa.Table:
    schemas = visible_schemas(snapshot, session)
    found = sorted(
        ((schemas[t.schema_id], t) for t in snapshot.tables.values() if t.schema_id in schemas),
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


def _schemas(snapshot: Snapshot, session: Session) -> pa.Table:
    counts = pc.value_counts(pa.array([t.schema_id for t in snapshot.tables.values()], pa.int64()))
    tables = {entry["values"]: entry["counts"] for entry in counts.to_pylist()}
    found = sorted(visible_schemas(snapshot, session).items(), key=lambda item: item[1])
    return pa.table(
        {
            "schema": pa.array([name for _, name in found], pa.large_string()),
            "tables": pa.array([tables.get(i, 0) for i, _ in found], pa.int64()),
        }
    )


def _expression(pattern: str) -> str:
    """LIKE as a regular expression; a backslash takes the character behind it as it is."""
    units = re.findall(r"\\.|.", pattern, re.DOTALL)
    wild = {"%": ".*", "_": "."}
    return "".join(wild.get(unit) or re.escape(unit.removeprefix("\\") or unit) for unit in units)


_ARROW = {str: pa.large_string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}


def _warehouses(snapshot: Snapshot, observed: Sequence[Observed]) -> pa.Table:
    """What there is of each now, and a column per setting of the catalogue."""
    found = [w for _, w in sorted(snapshot.virtual_warehouses.items())]
    fields = {field.name: field.type for field in msgspec.structs.fields(VirtualWarehouse)}
    columns = {
        "warehouse" if name == "name" else name: pa.array(
            [getattr(w, name) for w in found], _arrow_type(kind)
        )
        for name, kind in fields.items()
    }
    return pa.table({"warehouse": columns.pop("warehouse"), **_live(found, observed), **columns})


def _arrow_type(kind: Any) -> pa.DataType:
    """Of a field's type: `int`, `str | None`, …"""
    kinds = [kind, *getattr(kind, "__args__", ())]
    return next(_ARROW[one] for one in kinds if one in _ARROW)


def _live(
    warehouses: Sequence[VirtualWarehouse], observed: Sequence[Observed]
) -> dict[str, pa.Array]:
    """What there is of each of these warehouses now, column by column."""
    records = warehouse_records(warehouses, observed)
    return {
        "state": pa.array([r.state for r in records], pa.large_string()),
        "clusters": pa.array([r.clusters for r in records], pa.int64()),
        "workers": pa.array([r.workers for r in records], pa.int64()),
        "busy": pa.array([r.busy for r in records], pa.int64()),
        "queued": pa.array([r.queued for r in records], pa.int64()),
    }
