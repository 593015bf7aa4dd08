"""RETURNING: a query over the rows as they are stored, which are in memory by then.

Those rows are its input, with columns of FROM's other tables behind them, as far as RETURNING may
ask for them (`Extra`). Subqueries in it see the snapshot from before the statement.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

from actors.planner import GivenRows, QueryPlan
from storage.schema import ArrayType, Column, StructType, plain_type
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Cast, ColumnRef, Expr
from warehouse.algebra.relations import Query, Scan
from warehouse.algebra.types import DOUBLE, NUMERIC, AnyType, NumericType, RecordType
from warehouse.binder.context import Binding, Collector
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.binder.select import Output, SelectBinder
from warehouse.planning.catalogue import GIVEN
from warehouse.planning.query import QueryPlanner
from warehouse.planning.row_binder import RowBinder, Target, query_of
from warehouse.syntax import tree

__all__ = ["Extra", "Others", "others_of", "plan_returning"]


@dataclass(frozen=True, slots=True)
class Extra:
    """A column of FROM that RETURNING may name: `column` among the rows in memory, made of `expr`.

    `at`: the table and column of the scope, by position.
    """

    column: Column
    expr: Expr
    kind: AnyType
    at: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Others:
    """The tables of FROM beside the one whose rows change, and their columns in memory."""

    tables: tuple[ScopeTable, ...] = ()
    extras: tuple[Extra, ...] = ()


def others_of(table: TableState, tables: Sequence[ScopeTable]) -> Others:
    """A column in memory for each column of the other tables. Rows without a type of their own
    cannot be kept, and are not there for RETURNING."""
    found: list[Extra] = []
    first = max(column.id for column in table.columns) + 1
    for number, other in enumerate(tables):
        for position, known in enumerate(other.columns):
            kind = known.expr.type
            if _is_anonymous(kind):
                continue
            stored = DOUBLE if kind == NUMERIC else kind
            column = Column(
                id=first + len(found),
                name=f"\x01extra {len(found)}",
                type=stored,  # type: ignore[arg-type]
            )
            found.append(Extra(column, known.expr, kind, (number, position)))
    return Others(tuple(tables), tuple(found))


def _is_anonymous(kind: AnyType) -> bool:
    match kind:
        case RecordType():
            return True
        case ArrayType(element):
            return isinstance(element, NumericType) or _is_anonymous(element)
        case StructType(_, fields):
            return any(_is_anonymous(field) for _, field in fields)
        case _:
            return False


def plan_returning(
    items: Sequence[tree.SelectItem],
    queries: QueryPlanner,
    target: Target,
    with_: tree.QueryNode,
    others: Others | None = None,
) -> QueryPlan | None:
    """The plan of RETURNING; None without it.

    Raises UnknownObject, InvalidRequest, NotYet as queries do; aggregates and window functions are
    refused (42803, 42P20).
    """
    if not items:
        return None
    table, others = target.table, others or Others()
    extras = tuple(extra.column for extra in others.extras)
    given = GivenRows(alias=GIVEN, columns=(*table.columns, *extras))

    def bind(binding: Binding) -> Query:
        own = dataclasses.replace(target)
        binder = RowBinder(binding, own, with_)
        outputs = tuple(binding.column(plain_type(c.type), c.name) for c in given.columns)
        scan = Scan(input=GIVEN, outputs=outputs, sources=tuple(c.name for c in given.columns))
        scope = _scope(target, outputs, others)
        select = _Returning(binding, scan, scope, lambda q, s: binder.subquery(q, s)[0])
        found = select.outputs(items)
        return query_of(binding, scan, [(output.name, output.expr) for output in found])

    return queries.bound(bind, given)


class _Returning(SelectBinder):
    """The items of RETURNING: a SELECT list without aggregates."""

    def outputs(self, items: Sequence[tree.SelectItem]) -> list[Output]:
        node = tree.SelectNode(items[0].at, tuple(items))
        return self._outputs(node, self._binder(Collector(where="RETURNING")))


def _scope(target: Target, outputs: Sequence[ColumnRef], others: Others) -> Scope:
    columns = target.table.columns
    scope = Scope()
    own = zip((c.name for c in columns), outputs, strict=False)
    schema = target.schema if not target.reference.alias else None
    scope.add(ScopeTable(target.alias, tuple(ScopeColumn(n, c) for n, c in own), schema))
    for number, other in enumerate(others.tables):
        kept = []
        for extra, output in zip(others.extras, outputs[len(columns) :], strict=True):
            if extra.at[0] == number:
                known = other.columns[extra.at[1]]
                value = output if extra.kind == output.type else Cast(type=extra.kind, arg=output)
                kept.append(ScopeColumn(known.name, value))
        scope.add(dataclasses.replace(other, columns=tuple(kept)))
    return scope
