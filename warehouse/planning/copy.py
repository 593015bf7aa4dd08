"""COPY: files into a table as one commit, and rows of a table or query into one file.

    COPY t (a, b) FROM 'in/*.csv' WITH (FORMAT csv, HEADER)
    COPY (SELECT … ) TO 's3://bucket/out.parquet'

CSV goes by position, as in PostgreSQL; Parquet and NDJSON by name. Without FORMAT the file's name
decides.
"""

from __future__ import annotations

import msgspec

from actors.planner import CopyFromPlan, CopyToPlan, Latest
from storage.errors import InvalidRequest, UnknownObject
from storage.exports import ExportTarget, JsonKind
from storage.nearest import nearest
from storage.schema import ArrayType, EnumType, Kind, ScalarType, StructType
from storage.snapshot.model import TableState
from storage.sources import expand_source, local_path
from storage.sources_format import SourceFormat, SourceReading
from warehouse.algebra.expressions import Call, Cast, ColumnRef, Expr
from warehouse.algebra.relations import Project, Query
from warehouse.algebra.types import (
    BOOLEAN,
    JSON,
    JSONB,
    TEXT,
    AnyType,
    RecordType,
    category,
    is_numeric,
)
from warehouse.binder.context import Binding
from warehouse.planning.catalogue import find_table
from warehouse.planning.files import absolute
from warehouse.planning.query import QueryPlanner
from warehouse.planning.source_options import copy_format
from warehouse.planning.texts import SqlTextParser
from warehouse.syntax import commands
from warehouse.syntax.quoting import quoted
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import QueryNode

__all__ = ["plan_copy"]


def plan_copy(tree: commands.CopyNode, queries: QueryPlanner) -> CopyFromPlan | CopyToPlan:
    """COPY … FROM or TO.

    Raises:
        UnknownObject: table or column. NotYet: formats and options that are not available.
        InvalidRequest: no file, options that make no sense, columns that are named twice.
    """
    return _from(tree, queries) if tree.reads else _to(tree, queries)


def _from(tree: commands.CopyNode, queries: QueryPlanner) -> CopyFromPlan:
    snapshot = queries.snapshots[Latest()]
    table = find_table(snapshot, tree.table, queries.session)
    columns = _columns(table, tree.columns)
    kind = copy_format(tree.path, tree.options, reads=True)
    path = absolute(tree.path, queries.session.directory)
    by_position = kind.kind == "csv"
    reading = SourceReading(
        format=kind,
        columns=columns if by_position or tree.columns else None,
        parser=SqlTextParser(queries.now),
    )
    return CopyFromPlan(
        table=table,
        schema=snapshot.schemas[table.schema_id],
        files=tuple(expand_source(path, queries.store, kind.kind)),
        reading=reading,
    )


def _columns(table: TableState, named: tuple[str, ...]) -> tuple[str, ...]:
    known = table.schema.names
    for position, name in enumerate(named):
        if name not in known:
            raise UnknownObject(
                f'column "{name}" of relation "{table.name}" does not exist{nearest(name, known)}',
                "42703",
            )
        if name in named[:position]:
            raise InvalidRequest(f'column "{name}" specified more than once', "42701")
    return named or tuple(known)


# --- TO -------------------------------------------------------------------------------------------


def _to(tree: commands.CopyNode, queries: QueryPlanner) -> CopyToPlan:
    kind = copy_format(tree.path, tree.options, reads=False)
    query = tree.query
    if query is None:
        table = find_table(queries.snapshots[Latest()], tree.table, queries.session)
        query = _select(tree.table, _columns(table, tree.columns))
    kinds: list[JsonKind] = []

    def finish(bound: Query, binding: Binding) -> Query:
        _check_names(bound.names, kind)
        return _as_texts(bound, binding, kind, kinds)

    plan = queries.plan(query, finish=finish)
    url = absolute(tree.path, queries.session.directory)
    _check_outside(url, queries.root)
    target = ExportTarget(
        url=url,
        format=kind,
        names=plan.result_names,
        kinds=tuple(kinds),
        options=queries.store,
    )
    return CopyToPlan(query=plan, target=target)


def _check_outside(url: str, root: str) -> None:
    """Raises InvalidRequest (42501) for a place among the database's own objects."""
    if root and _plain(url).startswith(_plain(root).rstrip("/") + "/"):
        raise InvalidRequest(
            f"{url} lies in the root of the database, {root}; write to another place", "42501"
        )


def _plain(url: str) -> str:
    remote = "://" in url and not url.startswith("file://")
    return url if remote else str(local_path(url).resolve())


def _select(table: tuple[str, ...], columns: tuple[str, ...]) -> QueryNode:
    listed = ", ".join(quoted(name) for name in columns)
    place = quoted(*table)
    return StatementGrammar(f"SELECT {listed} FROM {place}").query()


def _check_names(names: tuple[str, ...], kind: SourceFormat) -> None:
    if kind.kind == "csv":
        return
    doubled = next((name for name in names if names.count(name) > 1), None)
    if doubled is not None:
        raise InvalidRequest(
            f'COPY TO {kind.kind} writes columns by name, and "{doubled}" is there twice; give one'
            " another name with AS",
            "42701",
        )


def _as_texts(bound: Query, binding: Binding, kind: SourceFormat, kinds: list[JsonKind]) -> Query:
    """The rows as the format has them: texts for CSV and NDJSON."""
    if kind.kind == "parquet":
        return bound
    items: list[tuple[ColumnRef, Expr]] = []
    for output, name in zip(bound.outputs, bound.names, strict=True):
        value: Expr = output
        if kind.kind == "ndjson":
            value, json_kind = _json_value(output)
            kinds.append(json_kind)
        elif output.type != BOOLEAN and category(output.type) != "S":
            value = Cast(type=TEXT, arg=output)
        items.append((binding.column(value.type, name), value))
    made = Project(input=bound.relation, items=tuple(items))
    return msgspec.structs.replace(
        bound, relation=made, outputs=made.columns, next_id=binding.next_id
    )


def _json_value(output: ColumnRef) -> tuple[Expr, JsonKind]:
    """What `to_json` makes of a value; texts become JSON where they are written, which is faster
    than one by one."""
    kind = output.type
    if kind == BOOLEAN or is_numeric(kind):
        return Cast(type=TEXT, arg=output), "number"
    if kind in (JSON, JSONB):
        return Cast(type=TEXT, arg=output), "json"
    if category(kind) == "S":
        return output, "text"
    if isinstance(kind, EnumType) or not _is_made_json(kind):
        return Cast(type=TEXT, arg=output), "text"
    made = Call(type=JSON, fn="to_json(anyelement)", args=(output,))
    return Cast(type=TEXT, arg=made), "json"


def _is_made_json(kind: AnyType) -> bool:
    moments = (ScalarType(kind=Kind.TIMESTAMP), ScalarType(kind=Kind.TIMESTAMPTZ))
    return isinstance(kind, ArrayType | StructType | RecordType) or kind in moments
