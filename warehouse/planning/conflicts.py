"""INSERT … ON CONFLICT: which keys decide, and the query that says what becomes of each row.

The rows to insert are in memory by then, with their defaults and numbers, under the name
`excluded`. They are LEFT JOINed with the table by the key that decides: a row without a match is
inserted, one with a match updates it or is left out.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from actors.planner import GivenRows, OnConflictPlan, RowAction, RowLayout
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import Column, Key, plain_type
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Call, Case, ColumnRef, Expr, Literal, both
from warehouse.algebra.relations import Filter, Join, Project, Query, Relation, Scan
from warehouse.algebra.types import BIGINT, BOOLEAN, INTEGER
from warehouse.binder.comparisons import compare
from warehouse.binder.context import Binding
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.planning.catalogue import GIVEN
from warehouse.planning.modifications import moves_keys, named, with_of
from warehouse.planning.query import QueryPlanner
from warehouse.planning.row_binder import (
    RowBinder,
    Target,
    Values,
    asking,
    query_of,
    target_columns,
)
from warehouse.syntax.modifications_tree import Insert, OnConflict

__all__ = ["plan_on_conflict"]

POSITION = "\x01position"  # of a row among those to insert: no column's name
_INSERT = Literal(type=INTEGER, value=int(RowAction.INSERT))
_UPDATE = Literal(type=INTEGER, value=int(RowAction.UPDATE))
_NOTHING = Literal(type=INTEGER, value=int(RowAction.NOTHING))


def plan_on_conflict(node: Insert, queries: QueryPlanner, target: Target) -> OnConflictPlan | None:
    """What is done with rows whose keys the table has; None: there can be none.

    Raises:
        InvalidRequest: DO UPDATE without a key (42601), columns that are no key (42P10); of SET as
            UPDATE does.
        UnknownObject: a constraint (42704), a column (42703).
    """
    clause, table = node.conflict, target.table
    if clause is None:
        return None
    arbiters = _arbiters(clause, table)
    if not arbiters:
        return None
    names = tuple(tuple(c.name for c in table.key_columns(key)) for key in arbiters)
    if clause.assignments is None and not node.returning and len(arbiters) == len(table.keys):
        return OnConflictPlan(arbiters=names, query=None, layout=None)
    position = Column(
        id=max(column.id for column in table.columns) + 1,
        name=POSITION,
        type=BIGINT,
        nullable=False,
    )
    given = GivenRows(alias=GIVEN, columns=(*table.columns, position))
    asks: list[str] = []

    def bind(binding: Binding) -> Query:
        binder = RowBinder(binding, target, with_of(node))
        rows = _Rows.of(binding, given)
        if clause.assignments is None:
            return _left_out(binder, rows, arbiters)
        return _updated(binder, rows, arbiters[0], clause, asks)

    query = queries.bound(bind, given)
    changed = frozenset(name for a in clause.assignments or () for name in a.columns)
    layout = RowLayout(
        action=None,
        old=tuple(name for name, _ in target.old),
        new=tuple(table.schema.names),
        asks=tuple(asks),
        extra=(position,),
    )
    return OnConflictPlan(
        arbiters=names,
        query=query,
        layout=layout,
        moves=moves_keys(table, changed),
        updates=clause.assignments is not None,
    )


# --- which keys -----------------------------------------------------------------------------------


def _arbiters(clause: OnConflict, table: TableState) -> tuple[Key, ...]:
    if clause.constraint is not None:
        found = [key for key in table.keys if key.name == clause.constraint]
        if not found:
            hint = nearest(clause.constraint, [key.name for key in table.keys])
            raise UnknownObject(
                f'constraint "{clause.constraint}" for table "{table.name}" does not exist{hint}',
                "42704",
            )
        return (found[0],)
    if clause.columns:
        ids = {column.id for column in target_columns(table, clause.columns)}
        found = [key for key in table.keys if set(key.column_ids) == ids]
        if not found:
            raise InvalidRequest(
                "there is no unique or exclusion constraint matching the ON CONFLICT specification",
                "42P10",
            )
        return (found[0],)
    if clause.assignments is not None:
        raise InvalidRequest(
            "ON CONFLICT DO UPDATE requires inference specification or constraint name, for"
            " example ON CONFLICT (column)",
            "42601",
        )
    return table.keys


# --- rows -----------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True)
class _Rows:
    """The rows to insert: their scan, columns by name, and position."""

    scan: Scan
    columns: dict[str, ColumnRef]
    position: ColumnRef

    @classmethod
    def of(cls, binding: Binding, given: GivenRows) -> _Rows:
        outputs = tuple(binding.column(plain_type(c.type), c.name) for c in given.columns)
        names = tuple(c.name for c in given.columns)
        scan = Scan(input=GIVEN, outputs=outputs, sources=names)
        own = dict(zip(names[:-1], outputs[:-1], strict=True))
        return cls(scan, own, outputs[-1])


def _left_out(binder: RowBinder, rows: _Rows, arbiters: Sequence[Key]) -> Query:
    """DO NOTHING: the rows without a match by any of the keys."""
    relation: Relation = rows.scan
    for key in arbiters:
        _, relation, there = _matched(binder, rows, relation, key)
        relation = Filter(input=relation, predicate=there)
    new = [rows.columns[column.name] for column in binder.target.table.columns]
    return query_of(binder.binding, relation, _outputs(binder.target, _INSERT, new, rows))


def _updated(
    binder: RowBinder, rows: _Rows, key: Key, clause: OnConflict, asks: list[str]
) -> Query:
    """DO UPDATE: a row with a match becomes an update of that, if WHERE holds."""
    scope, relation, absent = _matched(binder, rows, rows.scan, key)
    scope.add(ScopeTable("excluded", tuple(ScopeColumn(n, c) for n, c in rows.columns.items())))
    values = binder.assignments(clause.assignments or (), scope, "ON CONFLICT DO UPDATE")
    asks.extend(sorted(values.asks))
    matched: Expr = Literal(type=BOOLEAN, value=True)
    if clause.where is not None:
        matched = binder.expressions(scope, "WHERE").boolean(clause.where, "WHERE")
    which = Case(type=INTEGER, branches=((absent, _INSERT), (matched, _UPDATE)), default=_NOTHING)
    action = binder.binding.column(INTEGER, "action")
    items = (*((column, column) for column in relation.columns), (action, which))
    relation = Filter(
        input=Project(input=relation, items=items), predicate=compare(">", action, _NOTHING)
    )
    inserts = compare("=", action, _INSERT)
    outputs = _outputs(
        binder.target,
        action,
        _new(binder, rows, values, inserts),
        rows,
        [
            (name, Case(type=BOOLEAN, branches=((inserts, _FALSE),), default=flag))
            for name, flag in asking(asks, values.asks)
        ],
    )
    return query_of(binder.binding, relation, outputs)


_FALSE = Literal(type=BOOLEAN, value=False)


def _matched(
    binder: RowBinder, rows: _Rows, relation: Relation, key: Key
) -> tuple[Scope, Relation, Expr]:
    """The rows joined with the table by a key: its scope, and whether it has no such row."""
    target = binder.target
    scan, scope = binder.tables((target.reference,))
    columns = [column.name for column in target.table.key_columns(key)]
    condition = both([compare("=", target.columns[n], rows.columns[n]) for n in columns])
    joined = Join(kind="left", left=relation, right=scan, condition=condition)
    return scope, joined, Call(type=BOOLEAN, fn="is null", args=(target.old[0][1],))


def _new(binder: RowBinder, rows: _Rows, values: Values, inserts: Expr) -> list[Expr]:
    return [
        Case(type=kept.type, branches=((inserts, rows.columns[column.name]),), default=kept)
        for column, kept in zip(binder.target.table.columns, binder.kept(values), strict=True)
    ]


def _outputs(
    target: Target,
    action: Expr,
    new: Sequence[Expr],
    rows: _Rows,
    asks: Sequence[tuple[str, Expr]] = (),
) -> list[tuple[str, Expr]]:
    outputs: list[tuple[str, Expr]] = [("action", action), *target.old]
    outputs += zip(target.table.schema.names, new, strict=True)
    return named([*outputs, *asks, (POSITION, rows.position)])
