"""INSERT INTO table [(columns)] VALUES … | query: a query whose rows the caller fits and appends.

The query's columns are cast to the table's as an assignment does; columns that the statement leaves
out get their DEFAULT. Numbers of an IDENTITY are filled in where the rows are committed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from actors.planner import InsertPlan, Latest
from storage.errors import InvalidRequest, NotYet, UnknownObject
from storage.nearest import nearest
from storage.schema import Column
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import Expr
from warehouse.algebra.relations import Project, Query
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.scope import Scope
from warehouse.planning.assignment import assigned
from warehouse.planning.catalogue import find_table
from warehouse.planning.query import QueryPlanner
from warehouse.syntax import commands
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import Constant, QueryNode, ValuesNode

__all__ = ["plan_insert"]


def plan_insert(tree: commands.Insert, queries: QueryPlanner) -> InsertPlan:
    """Resolve table and columns, and plan the rows.

    Raises:
        UnknownObject: table or column.
        InvalidRequest: repeated columns, too many values, VALUES of unequal lengths, types that do
            not fit.
    """
    table = find_table(queries.snapshots[Latest()], tree.table, queries.session)
    columns = _target_columns(table, tree.columns)
    if tree.query is None:
        rows: tuple[tuple[Any, ...], ...] = ((Constant(tree.at, "default", "default"),),)
        query = QueryNode(tree.at, ValuesNode(tree.at, rows))
        columns = columns[:1]
    else:
        query = tree.query
    query = _with_defaults(query, columns)
    width = _width(query)
    if width is not None:
        columns = _fitted(columns, width, bool(tree.columns))
    filled: list[Column] = []

    def finish(bound: Query, binding: Binding) -> Query:
        taken = _fitted(columns, len(bound.outputs), bool(tree.columns))
        project, names, order = _assigned(bound, taken, table, binding)
        filled.extend(order)
        return msgspec.structs.replace(
            bound,
            relation=project,
            outputs=project.columns,
            names=names,
            next_id=binding.next_id,
        )

    def cell(value: Expr, position: int) -> Expr:
        column = columns[position]
        return assigned(value, column.type, column.name)

    plan = queries.plan(query, [column.type for column in columns], finish, cell)
    return InsertPlan(table=table, columns=tuple(c.name for c in filled), query=plan)


def _target_columns(table: TableState, named: Sequence[str]) -> tuple[Column, ...]:
    if not named:
        return table.columns
    columns: list[Column] = []
    for name in named:
        column = table.schema.find(name)
        if column is None:
            hint = nearest(name, table.schema.names)
            raise UnknownObject(
                f"column {name} of table {table.name} does not exist{hint}", "42703"
            )
        if column in columns:
            raise InvalidRequest(f"column {name} is named twice", "42701")
        columns.append(column)
    return tuple(columns)


def _fitted(columns: tuple[Column, ...], count: int, named: bool) -> tuple[Column, ...]:
    """The columns that get a value: without a list, the first `count`, as in PostgreSQL."""
    if count > len(columns):
        raise InvalidRequest(
            f"INSERT has {count} values for {len(columns)} columns"
            f" ({', '.join(c.name for c in columns)})",
            "42601",
        )
    if named and count < len(columns):
        raise InvalidRequest(
            f"INSERT names {len(columns)} columns and gives {count} values", "42601"
        )
    return columns[:count]


def _width(query: QueryNode) -> int | None:
    body = query.body
    return len(body.rows[0]) if isinstance(body, ValuesNode) and body.rows else None


def _assigned(
    bound: Query, taken: Sequence[Column], table: TableState, binding: Binding
) -> tuple[Project, tuple[str, ...], list[Column]]:
    """The rows as the table's columns: given ones cast, others with their DEFAULT."""
    items = []
    order: list[Column] = []
    for column, output in zip(taken, bound.outputs, strict=True):
        if column.identity is not None and column.identity.always:
            raise InvalidRequest(
                f'cannot insert a non-DEFAULT value into column "{column.name}": it is an identity'
                " column defined as GENERATED ALWAYS",
                "428C9",
            )
        items.append(
            (binding.column(column.type, column.name), assigned(output, column.type, column.name))
        )
        order.append(column)
    for column in table.columns:
        if column in order or column.default is None:
            continue
        value = _default_of(column, binding)
        items.append((binding.column(column.type, column.name), value))
        order.append(column)
    fixed = [(msgspec.structs.replace(made, type=expr.type), expr) for made, expr in items]
    project = Project(input=bound.relation, items=tuple(fixed))
    return project, tuple(column.name for column in order), order


def _default_of(column: Column, binding: Binding) -> Expr:
    assert column.default is not None
    node = StatementGrammar(column.default).expression()

    def refuse(*_: Any) -> Any:
        raise InvalidRequest("cannot use subquery in DEFAULT expressions", "0A000")

    binder = ExpressionBinder(binding, Scope(), Collector(where="DEFAULT"), refuse)
    return assigned(binder.bind(node), column.type, column.name)


def _with_defaults(query: QueryNode, columns: Sequence[Column]) -> QueryNode:
    """`VALUES (…, DEFAULT)` with what DEFAULT stands for in each column."""
    body = query.body
    if not isinstance(body, ValuesNode):
        return query
    rows = []
    for row in body.rows:
        cells = list(row)
        for position, cell in enumerate(cells):
            if isinstance(cell, Constant) and cell.kind == "default" and position < len(columns):
                cells[position] = _default_node(columns[position], cell)
        rows.append(tuple(cells))
    return msgspec.structs.replace(query, body=msgspec.structs.replace(body, rows=tuple(rows)))


def _default_node(column: Column, cell: Constant) -> Any:
    if column.identity is not None:
        raise NotYet(
            f"DEFAULT for the identity column {column.name} in VALUES is not available; leave the"
            " column out"
        )
    if column.default is None:
        return Constant(cell.at, "null")
    return StatementGrammar(column.default).expression()
