"""INSERT INTO table [(columns)] VALUES … | query: a query whose rows the caller fits and appends.

The query's columns are cast to the table's as an assignment does. Columns that the statement leaves
out are left out of the plan, too: whoever appends the rows gives them their DEFAULT, the next
numbers of their identity, or NULL (`storage.target`).

`DEFAULT` in VALUES stands for the column's DEFAULT expression. For an identity column it asks for
the next number: if every row asks, the column is left out; if some do, the plan marks them
(`InsertPlan.numbered`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from actors.planner import InsertPlan
from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import Column, plain_type
from storage.snapshot.model import TableState
from storage.target import RowRules
from warehouse.algebra.expressions import ColumnRef, Expr, Literal
from warehouse.algebra.relations import Project, Query
from warehouse.algebra.types import BOOLEAN, TEXT, AnyType, category
from warehouse.binder.context import Binding
from warehouse.planning.assignment import assigned, assigned_constant
from warehouse.planning.conflicts import plan_on_conflict
from warehouse.planning.modifications import with_of
from warehouse.planning.query import QueryPlanner
from warehouse.planning.returning import plan_returning
from warehouse.planning.row_binder import Target
from warehouse.planning.rules import bind_default
from warehouse.syntax.modifications_tree import Insert
from warehouse.syntax.statements import StatementGrammar
from warehouse.syntax.tree import Constant, QueryNode, SelectNode, TableRef, ValuesNode

__all__ = ["given_columns", "plan_insert", "refuse_identities"]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Source:
    """The rows of an INSERT.

    Attributes:
        query: its first columns are for `columns`, the others say in which rows an identity
            column of `marked` asks for its number.
        direct: a VALUES list, whose cells are assigned one by one.
        dropped: columns whose values are not used, because the identity numbers all rows.
    """

    query: QueryNode
    columns: tuple[Column, ...]
    direct: bool
    dropped: frozenset[str] = frozenset()
    marked: tuple[str, ...] = ()


def plan_insert(
    tree: Insert, queries: QueryPlanner, rules: RowRules | None, table: TableState
) -> InsertPlan:
    """Plan the rows for `table`, which the statement names.

    Raises:
        UnknownObject: a column.
        InvalidRequest: repeated columns, too many or too few values, VALUES of unequal lengths,
            types that do not fit, values for a GENERATED ALWAYS column.
    """
    source = _source(tree, table)
    filled: list[str] = []
    marked: list[str] = []

    def finish(bound: Query, binding: Binding) -> Query:
        taken = _fitted(source.columns, len(bound.outputs) - len(source.marked), bool(tree.columns))
        if not source.direct:
            refuse_identities(taken, tree.overriding)
        dropped = source.dropped | _overridden(taken, tree.overriding)
        items = _items(bound, taken, dropped, binding)
        filled.extend(column.name for column in taken if column.name not in dropped)
        marked.extend(source.marked)
        if not filled:
            items = _filler(table, binding, filled, marked)
        project = Project(input=bound.relation, items=tuple(items))
        return msgspec.structs.replace(
            bound,
            relation=project,
            outputs=project.columns,
            names=(*filled, *marked),
            next_id=binding.next_id,
        )

    def cell(node: Any, position: int, bind: Callable[[Any], Expr]) -> Expr:
        if position >= len(source.columns):
            return bind(node)
        column = source.columns[position]
        found = assigned_constant(node, column.type) if isinstance(node, Constant) else None
        if found is not None:
            return found
        later = column.name not in source.dropped  # else execution never sees it
        return assigned(bind(node), column.type, column.name, later=later)

    plan = queries.plan(source.query, _wanted(source), finish, cell if source.direct else None)
    reference = TableRef(tree.at, tree.table, tree.alias)
    target = Target(table, reference, queries.schema_of(table))
    return InsertPlan(
        table=table,
        columns=tuple(filled),
        query=plan,
        numbered=tuple(marked),
        rules=rules,
        conflict=plan_on_conflict(tree, queries, target),
        returning=plan_returning(tree.returning, queries, target, with_of(tree)),
    )


# --- columns --------------------------------------------------------------------------------------


def given_columns(
    table: TableState, names: Sequence[str], values: Sequence[Any] | None
) -> tuple[Column, ...]:
    """The columns that a list of values is for; None: DEFAULT VALUES.

    Raises as `plan_insert`.
    """
    if values is None:
        return ()
    return _fitted(_target_columns(table, names), len(values), bool(names))


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


def _wanted(source: _Source) -> list[AnyType | None]:
    """Types for the untyped literals of a SELECT list. Texts of limited length stay TEXT: it is the
    assignment that looks at their length."""
    if not isinstance(source.query.body, SelectNode):
        return []
    return [TEXT if category(c.type) == "S" else plain_type(c.type) for c in source.columns]


def refuse_identities(columns: Sequence[Column], overriding: str) -> None:
    """Raises InvalidRequest (428C9) if one of these columns takes no values from statements."""
    for column in columns:
        if column.identity is not None and column.identity.always and not overriding:
            raise InvalidRequest(
                f'cannot insert a non-DEFAULT value into column "{column.name}": it is an identity'
                " column defined as GENERATED ALWAYS; use OVERRIDING SYSTEM VALUE to override",
                "428C9",
            )


def _overridden(columns: Sequence[Column], overriding: str) -> frozenset[str]:
    if overriding != "user":
        return frozenset()
    return frozenset(column.name for column in columns if column.identity is not None)


# --- rows -----------------------------------------------------------------------------------------


def _source(tree: Insert, table: TableState) -> _Source:
    columns = _target_columns(table, tree.columns)
    if tree.query is None:
        default = Constant(tree.at, "default", "default")
        body = ValuesNode(tree.at, ((default,),))
        return _of_values(QueryNode(tree.at, body), body, columns[:1], tree.overriding)
    query = tree.query
    body = query.body
    plain = not (query.with_ or query.order or query.limit is not None or query.offset is not None)
    if tree.with_:
        if query.with_:
            query = QueryNode(tree.at, query)
        query = msgspec.structs.replace(query, with_=tree.with_, recursive=tree.recursive)
    if not plain or not isinstance(body, ValuesNode):
        return _Source(query=query, columns=columns, direct=False)
    columns = _fitted(columns, max(map(len, body.rows)), bool(tree.columns))
    return _of_values(query, body, columns, tree.overriding)


def _of_values(
    query: QueryNode, body: ValuesNode, columns: tuple[Column, ...], overriding: str
) -> _Source:
    """A VALUES list, each DEFAULT replaced by what it stands for."""
    asking = {
        position: [len(row) > position and _is_default(row[position]) for row in body.rows]
        for position, column in enumerate(columns)
        if column.identity is not None
    }
    given = [columns[position] for position, rows in asking.items() if not all(rows)]
    refuse_identities(given, overriding)
    dropped = {columns[position].name for position, rows in asking.items() if all(rows)}
    dropped |= _overridden(columns, overriding)
    marks = {
        position: rows
        for position, rows in asking.items()
        if any(rows) and columns[position].name not in dropped
    }
    rows = tuple(
        (*_without_defaults(row, columns), *_marks(number, marks, body.at))
        for number, row in enumerate(body.rows)
    )
    values = msgspec.structs.replace(body, rows=rows)
    return _Source(
        query=msgspec.structs.replace(query, body=values),
        columns=columns,
        direct=True,
        dropped=frozenset(dropped),
        marked=tuple(columns[position].name for position in marks),
    )


def _is_default(node: Any) -> bool:
    return isinstance(node, Constant) and node.kind == "default"


def _without_defaults(row: tuple[Any, ...], columns: Sequence[Column]) -> tuple[Any, ...]:
    if not any(map(_is_default, row)):
        return row
    return tuple(
        _default_node(column, node) if _is_default(node) else node
        for node, column in zip(row, columns, strict=False)
    )


def _default_node(column: Column, node: Constant) -> Any:
    if column.default is None:
        return Constant(node.at, "null")
    return StatementGrammar(column.default).expression()


def _marks(number: int, marks: Mapping[int, list[bool]], at: int) -> list[Constant]:
    return [Constant(at, "bool", str(rows[number]).lower()) for rows in marks.values()]


def _items(
    bound: Query, taken: Sequence[Column], dropped: frozenset[str], binding: Binding
) -> list[tuple[ColumnRef, Expr]]:
    """The rows as the table's columns, and the marks behind them."""
    items: list[tuple[ColumnRef, Expr]] = []
    for column, output in zip(taken, bound.outputs, strict=False):
        value = assigned(output, column.type, column.name)
        if column.name not in dropped:
            items.append((binding.column(value.type, column.name), value))
    for output in bound.outputs[len(taken) :]:
        items.append((binding.column(BOOLEAN, "asks"), output))
    return items


def _filler(
    table: TableState, binding: Binding, filled: list[str], marked: list[str]
) -> list[tuple[ColumnRef, Expr]]:
    """A column with what it would get anyhow, for rows that have no other: something has to say how
    many there are."""
    column = next((c for c in table.columns if c.identity is None), table.columns[0])
    filled.append(column.name)
    kind = plain_type(column.type)
    value: Expr = Literal(type=kind, value=None)
    if column.default is not None:
        node = StatementGrammar(column.default).expression()
        value = bind_default(node, column.type, column.name, binding)
    items = [(binding.column(kind, column.name), value)]
    if column.identity is not None:
        marked.append(column.name)
        items.append((binding.column(BOOLEAN, "asks"), Literal(type=BOOLEAN, value=True)))
    return items
