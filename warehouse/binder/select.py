"""SELECT: FROM, WHERE, grouping, windows, outputs, DISTINCT, in the order that SQL gives them.

    FROM -> WHERE -> Aggregate -> HAVING -> Window -> (functions returning rows) -> outputs
         -> DISTINCT -> ORDER BY -> LIMIT

The outputs are bound over the columns of FROM, aggregates and windows being columns of their own by
then (`Collector`). If the SELECT is grouped, every part that equals a group key becomes the key's
column, and what is left of FROM's columns is an error (42803).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from storage.errors import InvalidRequest, UnknownObject
from warehouse.algebra import relations as algebra
from warehouse.algebra.expressions import (
    Call,
    ColumnRef,
    Expr,
    SortKey,
    WindowCall,
)
from warehouse.algebra.relations import Relation
from warehouse.algebra.types import UNKNOWN, has_equality, shown
from warehouse.algebra.walk import columns_used
from warehouse.binder.calls import nulls_first
from warehouse.binder.coercion import settled
from warehouse.binder.context import Binding, Collector
from warehouse.binder.expressions import ExpressionBinder
from warehouse.binder.grouping import Grouping
from warehouse.binder.names import output_name
from warehouse.binder.presence import placed
from warehouse.binder.scope import Scope, ScopeColumn
from warehouse.syntax import tree

__all__ = ["Output", "SelectBinder", "position_of"]


@dataclass(frozen=True, slots=True)
class Output:
    """One column of a SELECT's result."""

    name: str
    expr: Expr


class SelectBinder:
    """Binds one SELECT.

    Args:
        queries: binds a subquery: (query, scope) -> relation.
        keep_unknown: untyped literals stay untyped (a branch of UNION, the rows of INSERT).
    """

    def __init__(
        self,
        binding: Binding,
        relation: Relation,
        scope: Scope,
        queries: Callable[[tree.QueryNode, Scope], Relation],
        *,
        keep_unknown: bool = False,
    ) -> None:
        self._binding = binding
        self._relation = relation
        self._scope = scope
        self._queries = queries
        self._keep_unknown = keep_unknown

    def bind(
        self, node: tree.SelectNode, order: Sequence[tree.OrderItem]
    ) -> tuple[Relation, tuple[str, ...], tuple[SortKey, ...]]:
        """The rows, the names of their columns, and the keys to sort them by.

        Columns that only the order needs come behind those with names.
        """
        collector = Collector(
            where="SELECT",
            aggregates=[],
            windows=[],
            tables=[],
            definitions=self._definitions(node.windows),
        )
        self._scope.collector = collector
        relation = self._where(node)
        binder = self._binder(collector)
        outputs = self._outputs(node, binder)
        grouping = Grouping(self._binding, self._scope, self._binder, outputs)
        grouping.read(node)
        having = self._having(node, collector)
        keys = [key for item in order for key in self._order_keys(item, outputs, binder, node)]
        distinct_on = self._distinct_on(node, outputs, binder)
        fix: Callable[[Expr], Expr] = _unchanged
        tables = collector.tables or []
        if node.group or collector.aggregates or node.having is not None:
            fix = grouping.rewritten
            below, tables = _split(tables, grouping.columns)
            relation = _spread(relation, below, _unchanged)
            relation = grouping.aggregate(relation, collector.aggregates or ())
            if having is not None:
                relation = algebra.Filter(input=relation, predicate=fix(having))
        if collector.windows:
            calls = tuple((column, _fixed_window(call, fix)) for column, call in collector.windows)
            relation = algebra.Window(input=relation, calls=calls)
        made = {column.id for columns, _ in tables for column in columns}
        asked = [*distinct_on, *(key.expr for key in keys)]
        if distinct_on and keys and made and not any(columns_used(e) & made for e in asked):
            # Functions returning rows come behind an order that does not look at them.
            relation = self._distinct_below(relation, distinct_on, keys, fix)
            distinct_on = []
        relation = _spread(relation, tables, fix)
        relation, names, order_by = self._finish(
            node, relation, outputs, keys, distinct_on, fix=fix
        )
        return self._with_presences(relation), names, order_by

    def _with_presences(self, relation: Relation) -> Relation:
        """The rows with the columns that whole rows of outer joins' sides need."""
        for number, presence in list(self._binding.presences.items()):
            found = placed(relation, presence)
            if found is not None:
                relation = found
                del self._binding.presences[number]
        return relation

    # --- clauses ----------------------------------------------------------------------------------

    def _binder(self, collector: Collector) -> ExpressionBinder:
        return ExpressionBinder(self._binding, self._scope, collector, self._queries)

    def _definitions(
        self, windows: Sequence[tuple[str, tree.WindowSpec]]
    ) -> Mapping[str, tree.WindowSpec]:
        found: dict[str, tree.WindowSpec] = {}
        for name, spec in windows:
            if name in found:
                raise InvalidRequest(f'window "{name}" is already defined', "42P20")
            found[name] = spec
        return found

    def _where(self, node: tree.SelectNode) -> Relation:
        if node.where is None:
            return self._relation
        own = Collector(where="WHERE")
        listed, self._scope.collector = self._scope.collector, own
        condition = self._binder(own).boolean(node.where, "WHERE")
        self._scope.collector = listed
        return algebra.Filter(input=self._relation, predicate=condition)

    def _having(self, node: tree.SelectNode, collector: Collector) -> Expr | None:
        if node.having is None:
            return None
        own = Collector(where="HAVING", aggregates=collector.aggregates)
        return self._binder(own).boolean(node.having, "HAVING")

    def _outputs(self, node: tree.SelectNode, binder: ExpressionBinder) -> list[Output]:
        outputs: list[Output] = []
        for item in node.items:
            if isinstance(item.expr, tree.Star):
                outputs += [Output(c.name, c.expr) for c in self._star(item.expr)]
                continue
            if isinstance(item.expr, tree.FieldAccess) and item.expr.name is None:
                outputs += self._fields(item.expr, binder)
                continue
            expr = binder.bind(item.expr)
            if expr.type != UNKNOWN or not self._keep_unknown:
                expr = settled(expr)
            outputs.append(Output(item.alias or output_name(item.expr), expr))
        return outputs

    def _fields(self, node: tree.FieldAccess, binder: ExpressionBinder) -> list[Output]:
        return [
            Output(name, binder.bind(tree.FieldAccess(node.at, node.arg, name)))
            for name in binder.row_names(node)
        ]

    def _star(self, node: tree.Star) -> list[ScopeColumn]:
        if node.parts:
            table = self._scope.find_table(node.parts)
            if table is None:
                raise self._scope.missing_table(node.parts, self._binding.place(node))
            return list(table.columns)
        if not self._scope.tables:
            raise InvalidRequest(
                f"SELECT * with no tables specified is not valid{self._binding.place(node)}",
                "42601",
            )
        return [
            column
            for table in self._scope.tables
            for column in table.columns
            if column.name not in table.hidden
        ]

    # --- ORDER BY and DISTINCT --------------------------------------------------------------------

    def _order_keys(
        self,
        item: tree.OrderItem,
        outputs: list[Output],
        binder: ExpressionBinder,
        node: tree.SelectNode,
    ) -> list[SortKey]:
        expr = self._output_or_expression(item.expr, outputs, binder, "ORDER BY")
        if node.distinct is True and expr not in [output.expr for output in outputs]:
            raise InvalidRequest(
                "for SELECT DISTINCT, ORDER BY expressions must appear in select list"
                f"{self._binding.place(item)}",
                "42P10",
            )
        if not has_equality(expr.type):
            raise UnknownObject(
                f"could not identify an ordering operator for type {shown(expr.type)}"
                f"{self._binding.place(item)}",
                "42883",
            )
        if isinstance(expr, Call) and expr.fn == "row":
            # A row sorts by its fields, NULL as the greatest.
            return [
                SortKey(expr=arg, descending=item.descending, nulls_first=item.descending)
                for arg in expr.args
            ]
        return [SortKey(expr=expr, descending=item.descending, nulls_first=nulls_first(item))]

    def _output_or_expression(
        self, node: Any, outputs: list[Output], binder: ExpressionBinder, clause: str
    ) -> Expr:
        """SQL92: an output's name or position; else an expression over FROM."""
        if isinstance(node, tree.NameRef) and len(node.parts) == 1:
            found = [o.expr for o in outputs if o.name == node.parts[0]]
            if found:
                if any(expr != found[0] for expr in found):
                    raise InvalidRequest(
                        f'{clause} "{node.parts[0]}" is ambiguous{self._binding.place(node)}',
                        "42702",
                    )
                return found[0]
        if isinstance(node, tree.Constant):
            return outputs[position_of(node, len(outputs), clause, self._binding)].expr
        return settled(binder.bind(node))

    def _distinct_on(
        self, node: tree.SelectNode, outputs: list[Output], binder: ExpressionBinder
    ) -> list[Expr]:
        if not isinstance(node.distinct, tuple):
            return []
        return [
            self._output_or_expression(part, outputs, binder, "DISTINCT ON")
            for part in node.distinct
        ]

    def _distinct_below(
        self,
        relation: Relation,
        distinct_on: Sequence[Expr],
        keys: Sequence[SortKey],
        fix: Callable[[Expr], Expr],
    ) -> Relation:
        """The first row of each, with all the columns that there are so far."""
        items: list[tuple[ColumnRef, Expr]] = [(column, column) for column in relation.columns]
        made: dict[Expr, ColumnRef] = {}

        def column_of(expr: Expr) -> ColumnRef:
            expr = fix(expr)
            if expr not in made:
                made[expr] = self._binding.column(expr.type, "key")
                items.append((made[expr], expr))
            return made[expr]

        on = tuple(column_of(expr) for expr in distinct_on)
        order = tuple(
            SortKey(
                expr=column_of(key.expr), descending=key.descending, nulls_first=key.nulls_first
            )
            for key in keys
        )
        project = algebra.Project(input=relation, items=tuple(items))
        return _first_of_each(project, on, order)

    # --- outputs ----------------------------------------------------------------------------------

    def _finish(
        self,
        node: tree.SelectNode,
        relation: Relation,
        outputs: list[Output],
        keys: list[SortKey],
        distinct_on: list[Expr],
        *,
        fix: Callable[[Expr], Expr],
    ) -> tuple[Relation, tuple[str, ...], tuple[SortKey, ...]]:
        exprs = [fix(output.expr) for output in outputs]
        items = [
            (self._binding.column(expr.type, output.name), expr)
            for output, expr in zip(outputs, exprs, strict=True)
        ]
        known = {expr: column for column, expr in reversed(items)}

        def column_of(expr: Expr) -> ColumnRef:
            expr = fix(expr)
            if expr not in known:
                known[expr] = self._binding.column(expr.type, "order")
                items.append((known[expr], expr))
            return known[expr]

        order = tuple(
            SortKey(
                expr=column_of(key.expr), descending=key.descending, nulls_first=key.nulls_first
            )
            for key in keys
        )
        on = tuple(column_of(expr) for expr in distinct_on)
        relation = algebra.Project(input=relation, items=tuple(items))
        unequal = [expr.type for expr in exprs if not has_equality(expr.type)]
        if node.distinct is True and unequal:
            raise UnknownObject(
                f"could not identify an equality operator for type {shown(unequal[0])}", "42883"
            )
        if node.distinct is True:
            relation = algebra.Distinct(input=relation)
        elif on:
            relation = _first_of_each(relation, on, order)
        return relation, tuple(output.name for output in outputs), order


def _first_of_each(
    relation: Relation, on: tuple[ColumnRef, ...], order: tuple[SortKey, ...]
) -> Relation:
    """DISTINCT ON. Raises InvalidRequest (42P10) if the order begins with something else."""
    if any(key.expr not in on for key in order[: len(set(on))]):
        raise InvalidRequest(
            "SELECT DISTINCT ON expressions must match initial ORDER BY expressions", "42P10"
        )
    return algebra.Distinct(input=relation, keys=on, order=order)


def position_of(node: tree.Constant, count: int, clause: str, binding: Binding) -> int:
    """`ORDER BY 2`: the index of the output. Raises InvalidRequest."""
    if node.kind != "number" or not node.value.lstrip("-").isdigit():
        raise InvalidRequest(f"non-integer constant in {clause}{binding.place(node)}", "42601")
    if not 1 <= int(node.value) <= count:
        raise InvalidRequest(
            f"{clause} position {node.value} is not in select list{binding.place(node)}", "42P10"
        )
    return int(node.value) - 1


_Tables = list[tuple[tuple[ColumnRef, ...], Expr]]


def _split(tables: _Tables, keys: set[int]) -> tuple[_Tables, _Tables]:
    """Functions returning rows: those that group keys are made of, and the others."""
    wanted = set(keys)
    for columns, array in reversed(tables):
        if wanted & {column.id for column in columns}:
            wanted |= columns_used(array)
    own = [item for item in tables if wanted & {column.id for column in item[0]}]
    return own, [item for item in tables if item not in own]


def _spread(relation: Relation, tables: _Tables, fix: Callable[[Expr], Expr]) -> Relation:
    """The rows once for each that the functions return: side by side, arguments before calls."""
    while tables:
        open_ = {column.id for columns, _ in tables for column in columns}
        now = [item for item in tables if not columns_used(item[1]) & open_]
        items = tuple((columns, fix(array)) for columns, array in now)
        relation = algebra.Unnest(input=relation, items=items)
        tables = [item for item in tables if item not in now]
    return relation


def _fixed_window(call: WindowCall, fix: Callable[[Expr], Expr]) -> WindowCall:
    found = fix(call)
    assert isinstance(found, WindowCall)
    return found


def _unchanged(expr: Expr) -> Expr:
    return expr
