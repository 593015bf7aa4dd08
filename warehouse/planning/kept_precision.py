"""The precision of seconds that a query's outputs have, for CREATE TABLE … AS.

Expressions do not know it (`storage.schema.plain_type`). An output has one if it is a table's
column as it stands, behind any joins and conditions, or a cast `x::timestamp(p)`.
"""

from __future__ import annotations

from collections.abc import Mapping

from actors.planner import QueryPlan
from storage.schema import ScalarType, SqlType, plain_type
from warehouse.algebra.expressions import Call, ColumnRef, Expr, Literal
from warehouse.algebra.relations import Project, Relation, Scan
from warehouse.algebra.types import AnyType
from warehouse.algebra.walk import nodes
from warehouse.execution.program import Program

__all__ = ["precise_types"]

_CASTS = ("time(time,int4)", "timestamp(timestamp,int4)", "timestamptz(timestamptz,int4)")


def precise_types(plan: QueryPlan) -> list[AnyType]:
    """The types of the query's outputs, with the precision where it is known."""
    assert isinstance(plan.program, Program)
    query = plan.program.query
    tables = {
        scan.alias: {column.name: column.type for column in scan.table.columns}
        for scan in plan.scans
    }
    known: dict[int, SqlType | Expr] = {}
    for node in nodes(query.relation):
        known.update(_made(node, tables))
    return [_precise(output, known) or output.type for output in query.outputs]


def _made(node: Relation, tables: Mapping[str, Mapping[str, SqlType]]) -> dict[int, SqlType | Expr]:
    """What the columns of a node are."""
    match node:
        case Scan(input=name, outputs=outputs, sources=sources):
            table = tables.get(name, {})
            pairs = zip(outputs, sources, strict=True)
            return {output.id: table[source] for output, source in pairs if source in table}
        case Project(items=items):
            return {column.id: expr for column, expr in items if expr != column}
        case _:
            return {}


def _precise(expr: Expr, known: Mapping[int, SqlType | Expr]) -> SqlType | None:
    match expr:
        case ColumnRef(id=number):
            source = known.get(number)
            if source is None or isinstance(source, Expr):
                return None if source is None else _precise(source, known)
            return source if plain_type(source) == expr.type != source else None
        case Call(fn=fn, args=(_, Literal(value=int() as digits)), type=ScalarType(kind)) if (
            fn in _CASTS
        ):
            return ScalarType(kind=kind, precision=digits)
        case _:
            return None
