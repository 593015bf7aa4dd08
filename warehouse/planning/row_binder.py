"""What UPDATE, DELETE, MERGE and ON CONFLICT bind alike: the table whose rows change, the values
that its columns get, and the columns of the query that says so (`actors.planner.RowLayout`).

The table is scanned with all its columns, and, if it has no primary key, with the location of each
row. Names of CTEs do not hide it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from storage.errors import InvalidRequest, UnknownObject
from storage.nearest import nearest
from storage.schema import Column, plain_type
from storage.snapshot.model import TableState
from warehouse.algebra.expressions import ColumnRef, Expr, Literal, Subquery
from warehouse.algebra.relations import Project, Query, Relation, Scan
from warehouse.algebra.types import BIGINT, BOOLEAN
from warehouse.binder.coercion import settled
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.inlining import inlined
from warehouse.binder.queries import QueryBinder
from warehouse.binder.scope import Scope, ScopeColumn, ScopeTable
from warehouse.binder.tables import Bound, TableBinder
from warehouse.planning.assignment import assigned
from warehouse.planning.catalogue import LOCATION
from warehouse.planning.rules import bind_default
from warehouse.syntax import tree
from warehouse.syntax.modifications_tree import Assignment
from warehouse.syntax.statements import StatementGrammar

__all__ = ["RowBinder", "Target", "Values", "asking", "query_of", "target_columns"]


@dataclass(frozen=True, slots=True)
class Values:
    """What columns get, by name. `asks`: identity columns that ask for their next number."""

    exprs: Mapping[str, Expr] = field(default_factory=dict)
    asks: frozenset[str] = frozenset()


@dataclass(slots=True)
class Target:
    """The table whose rows change, as the statement names it.

    `columns` and `location` are known once it is bound.
    """

    table: TableState
    reference: tree.TableRef
    schema: str
    columns: Mapping[str, ColumnRef] = field(default_factory=dict)
    location: ColumnRef | None = None

    @property
    def alias(self) -> str:
        return self.reference.alias or self.reference.name[-1]

    @property
    def old(self) -> list[tuple[str, ColumnRef]]:
        """What tells a row from others: the columns of the primary key, or its location."""
        key = self.table.primary_key
        if key is None:
            assert self.location is not None
            return [(LOCATION, self.location)]
        return [(c.name, self.columns[c.name]) for c in self.table.key_columns(key)]


class RowBinder(QueryBinder):
    """Binds the parts of one statement that changes rows of `target`."""

    def __init__(self, binding: Binding, target: Target, with_: tree.QueryNode) -> None:
        """Args: with_: a query whose WITH is the statement's; its body is not looked at."""
        super().__init__(binding)
        self.binding = binding
        self.target = target
        self._ctes_known = self._with(with_, None, {}) if with_.with_ else {}

    def tables(self, items: Sequence[Any]) -> tuple[Relation, Scope]:
        """FROM, in which the target's reference is the target."""
        return _Tables(self.target, self.binding, None, self._ctes_known, self.subquery).bind(items)

    def expressions(self, scope: Scope, where: str) -> ExpressionBinder:
        """A binder for expressions over `scope`; `where` names the clause in refusals."""
        return ExpressionBinder(
            self.binding, scope, Collector(where=where), lambda q, s: self.subquery(q, s)[0]
        )

    def subquery(
        self, node: tree.QueryNode, scope: Scope | None
    ) -> tuple[Relation, tuple[str, ...]]:
        """A query inside the statement, which may name its CTEs."""
        return self.query(node, scope, self._ctes_known)

    # --- values -----------------------------------------------------------------------------------

    def assignments(self, nodes: Iterable[Assignment], scope: Scope, where: str) -> Values:
        """SET: what each column gets.

        Raises:
            UnknownObject: no such column. InvalidRequest: a column twice, too many or too few
            values (42601), a value for a GENERATED ALWAYS column (428C9).
        """
        binder = self.expressions(scope, where)
        exprs: dict[str, Expr] = {}
        asks: set[str] = set()
        for node in nodes:
            columns = target_columns(self.target.table, node.columns)
            for column, value in zip(columns, self._parts(node, binder), strict=True):
                if column.name in exprs:
                    raise InvalidRequest(
                        f'multiple assignments to same column "{column.name}"', "42601"
                    )
                exprs[column.name] = self._value(column, value, binder.bind)
                if _is_default(value) and column.identity is not None:
                    asks.add(column.name)
        return Values(exprs, frozenset(asks))

    def _parts(self, node: Assignment, binder: ExpressionBinder) -> list[Any]:
        """A node or a bound expression per column."""
        if not node.several:
            return [node.value]
        if isinstance(node.value, tree.RowExpr):
            parts = list(node.value.items)
        else:
            parts = [self._column_of(node, position, binder) for position in range(_width(node))]
        if len(parts) != len(node.columns):
            raise InvalidRequest(
                f"number of columns does not match number of values{self.binding.place(node)}",
                "42601",
            )
        return parts

    def _column_of(self, node: Assignment, position: int, binder: ExpressionBinder) -> Expr:
        """A column of `(c, d) = (SELECT …)`, as a scalar subquery of its own."""
        relation = self.subquery(node.value.query, binder.scope)[0]
        if len(relation.columns) != len(node.columns):
            raise InvalidRequest(
                f"number of columns does not match number of values{self.binding.place(node)}",
                "42601",
            )
        column = relation.columns[position]
        single = Project(input=relation, items=((column, column),))
        return Subquery(type=column.type, kind="scalar", relation=single, columns=(column,))

    def _value(self, column: Column, node: Any, bind: Callable[[Any], Expr]) -> Expr:
        if _is_default(node):
            return self.default(column)
        if column.identity is not None and column.identity.always:
            raise InvalidRequest(
                f'column "{column.name}" can only be updated to DEFAULT: it is an identity column'
                " defined as GENERATED ALWAYS",
                "428C9",
            )
        expr = node if isinstance(node, Expr) else bind(node)
        return assigned(expr, column.type, column.name)

    def default(self, column: Column) -> Expr:
        """What a column gets that is left out, its identity apart."""
        if column.default is None:
            return Literal(type=plain_type(column.type), value=None)
        node = StatementGrammar(column.default).expression()
        return bind_default(node, column.type, column.name, self.binding)

    def kept(self, values: Values) -> list[Expr]:
        """The new row: columns that get nothing stay as they are."""
        return [
            values.exprs.get(column.name, self.target.columns[column.name])
            for column in self.target.table.columns
        ]

    # --- extras -----------------------------------------------------------------------------------

    def others(self, scope: Scope) -> list[ScopeTable]:
        """The tables of FROM beside the target."""
        own = set(self.target.columns.values())
        return [
            table
            for table in scope.tables
            if not (table.columns and all(column.expr in own for column in table.columns))
        ]


class _Tables(TableBinder):
    """FROM of a statement that changes rows."""

    def __init__(self, target: Target, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._target = target

    def _table(self, node: tree.TableRef) -> Bound:
        target = self._target
        if node is not target.reference:
            return super()._table(node)
        source = self._binding.catalogue.table(node.name, None)
        outputs = [self._binding.column(kind, name) for name, kind in source.columns]
        names = [name for name, _ in source.columns]
        target.columns = dict(zip(names, outputs, strict=True))
        own = ScopeTable(
            target.alias,
            tuple(ScopeColumn(name, column) for name, column in target.columns.items()),
            target.schema if not node.alias else None,
        )
        if target.table.primary_key is None:
            target.location = self._binding.column(BIGINT, "location")
            outputs.append(target.location)
            names.append(LOCATION)
        return Scan(input=source.input, outputs=tuple(outputs), sources=tuple(names)), [own]


def _is_default(node: Any) -> bool:
    return isinstance(node, tree.Constant) and node.kind == "default"


def _width(node: Assignment) -> int:
    return len(node.columns)


def target_columns(table: TableState, names: Iterable[str]) -> list[Column]:
    """The columns of these names. Raises UnknownObject (42703)."""
    found = []
    for name in names:
        column = table.schema.find(name)
        if column is None:
            raise UnknownObject(
                f'column "{name}" of relation "{table.name}" does not exist'
                f"{nearest(name, table.schema.names)}",
                "42703",
            )
        found.append(column)
    return found


def query_of(binding: Binding, relation: Relation, outputs: Sequence[tuple[str, Expr]]) -> Query:
    """A query of these columns over a relation."""
    items = tuple(
        (binding.column(value.type, name), value)
        for name, value in ((name, settled(expr)) for name, expr in outputs)
    )
    project = Project(input=relation, items=items)
    return inlined(
        Query(
            relation=project,
            outputs=project.columns,
            names=tuple(name for name, _ in outputs),
            ctes=dict(binding.ctes),
            labels=dict(binding.labels),
            next_id=binding.next_id,
        )
    )


def asking(names: Sequence[str], chosen: frozenset[str]) -> list[tuple[str, Expr]]:
    """A BOOLEAN column per identity column: does every row ask for its number?"""
    return [(name, Literal(type=BOOLEAN, value=name in chosen)) for name in names]
