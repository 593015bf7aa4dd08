"""GROUP BY: keys, grouping sets, and what the rest of the SELECT may still refer to."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from storage.errors import InvalidRequest, NotYet, UnknownObject
from warehouse.algebra.expressions import AggregateCall, ColumnRef, Expr, Subquery
from warehouse.algebra.relations import Aggregate, Relation
from warehouse.algebra.types import has_equality, shown
from warehouse.algebra.walk import (
    columns_used,
    map_children,
    map_expressions,
    transform_relation,
)
from warehouse.binder.coercion import settled
from warehouse.binder.context import Binding, Collector
from warehouse.binder.scope import Scope
from warehouse.syntax import tree

if TYPE_CHECKING:
    from warehouse.binder.expressions import ExpressionBinder
    from warehouse.binder.select import Output

__all__ = ["Grouping"]

SETS_MAX = 4096

_Sets = list[tuple[Expr, ...]]


class Grouping:
    """The grouping of one SELECT."""

    def __init__(
        self,
        binding: Binding,
        scope: Scope,
        binder: Callable[[Collector], ExpressionBinder],
        outputs: Sequence[Output],
    ) -> None:
        self._binding = binding
        self._scope = scope
        self._binder = binder(Collector(where="GROUP BY"))
        self._outputs = outputs
        self._keys: dict[Expr, ColumnRef] = {}
        self._sets: list[tuple[int, ...]] | None = None
        self._named: dict[Expr, set[str]] = {}  # keys that are outputs, and by which names

    def read(self, node: tree.SelectNode) -> None:
        """The keys and sets of GROUP BY. Raises InvalidRequest, UnknownObject."""
        parts = [self._sets_of(item) for item in node.group]
        count = 1
        for part in parts:
            count *= len(part)
        if count > SETS_MAX:
            raise InvalidRequest(f"too many grouping sets present (maximum {SETS_MAX})", "54001")
        combined = [
            tuple(dict.fromkeys(expr for piece in pieces for expr in piece))
            for pieces in itertools.product(*parts)
        ]
        for expr in (expr for exprs in combined for expr in exprs):
            if expr not in self._keys:
                self._keys[expr] = self._binding.column(expr.type, "key")
        if any(len(names) > 1 for names in self._named.values()) and len(combined) > 1:
            raise NotYet("GROUPING SETS with two outputs of the same expression are not available")
        if any(isinstance(item, tree.GroupingSets) for item in node.group) or (
            node.group and combined == [()]
        ):
            order = list(self._keys)
            sets = [tuple(sorted(order.index(expr) for expr in exprs)) for exprs in combined]
            self._sets = list(dict.fromkeys(sets)) if node.group_distinct else sets

    @property
    def columns(self) -> set[int]:
        """Ids of the columns that the keys are made of."""
        return {used for expr in self._keys for used in columns_used(expr)}

    def aggregate(
        self, relation: Relation, calls: Sequence[tuple[ColumnRef, AggregateCall]]
    ) -> Relation:
        """The grouped relation."""
        keys = tuple((column, expr) for expr, column in self._keys.items())
        made = tuple((column, self._checked_call(call)) for column, call in calls)
        sets = None if self._sets is None else tuple(self._sets)
        return Aggregate(input=relation, keys=keys, calls=made, sets=sets)

    def _checked_call(self, call: AggregateCall) -> AggregateCall:
        """The call over what its clauses may refer to. Raises InvalidRequest, NotYet."""
        if call.fn == "grouping":
            return self._grouping(call)
        if call.within:
            used = {column for arg in call.args for column in columns_used(arg)}
            for arg in call.args:
                self.rewritten(arg)
            if self._sets is not None and used & self._scope.columns:
                raise NotYet(
                    "direct arguments of an aggregate WITHIN GROUP that vary with GROUPING SETS"
                )
        return call

    def _grouping(self, call: AggregateCall) -> AggregateCall:
        if any(arg not in self._keys for arg in call.args):
            raise InvalidRequest(
                "arguments to GROUPING must be grouping expressions of the associated query level",
                "42803",
            )
        args = tuple(self._keys[arg] for arg in call.args)
        return AggregateCall(type=call.type, fn="grouping", args=args)

    def rewritten(self, expr: Expr) -> Expr:
        """An expression over the groups. Raises InvalidRequest (42803) for an ungrouped column."""
        key = self._keys.get(expr)
        if key is not None:
            return key
        if isinstance(expr, ColumnRef) and expr.id in self._scope.columns:
            name = self._binding.labels.get(expr.id, "?")
            owner = next(
                (
                    f"{table.alias}."
                    for table in self._scope.tables
                    if table.alias and any(c.expr == expr for c in table.columns)
                ),
                "",
            )
            raise InvalidRequest(
                f'column "{owner}{name}" must appear in the GROUP BY clause or be used in an'
                " aggregate function",
                "42803",
            )
        changed = map_children(expr, self.rewritten)
        if isinstance(changed, Subquery):
            inside = transform_relation(
                changed.relation, lambda node: map_expressions(node, self.rewritten)
            )
            changed = msgspec.structs.replace(changed, relation=inside)
        return changed

    # --- grouping sets ----------------------------------------------------------------------------

    def _sets_of(self, item: Any) -> _Sets:
        """The sets that one element of GROUP BY stands for."""
        if not isinstance(item, tree.GroupingSets):
            return [self._exprs(item)]
        if item.kind == "sets":
            return [found for part in item.items for found in self._sets_of(part)]
        parts = [self._exprs(part) for part in item.items]
        if item.kind == "rollup":
            prefixes = [parts[:count] for count in range(len(parts), -1, -1)]
        else:
            if len(parts) > 12:
                raise InvalidRequest("CUBE is limited to 12 elements", "54011")
            prefixes = [
                list(chosen)
                for count in range(len(parts), -1, -1)
                for chosen in itertools.combinations(parts, count)
            ]
        return [tuple(e for part in prefix for e in part) for prefix in prefixes]

    def _exprs(self, node: Any) -> tuple[Expr, ...]:
        if isinstance(node, tree.GroupingSets):
            raise InvalidRequest("ROLLUP and CUBE do not nest", "42601")
        if isinstance(node, tree.RowExpr):
            return tuple(expr for item in node.items for expr in self._exprs(item))
        return (self._key(node),)

    def _key(self, node: Any) -> Expr:
        from warehouse.binder.select import position_of

        if isinstance(node, tree.Constant):
            position = position_of(node, len(self._outputs), "GROUP BY", self._binding)
            return self._checked(self._outputs[position].expr, node)
        if isinstance(node, tree.NameRef) and len(node.parts) == 1 and not self._own(node.parts[0]):
            found = [o.expr for o in self._outputs if o.name == node.parts[0]]
            if found:
                if any(expr != found[0] for expr in found):
                    raise InvalidRequest(
                        f'GROUP BY "{node.parts[0]}" is ambiguous{self._binding.place(node)}',
                        "42702",
                    )
                self._named.setdefault(found[0], set()).add(node.parts[0])
                return self._checked(found[0], node)
        expr = settled(self._binder.bind(node))
        if not has_equality(expr.type):
            raise UnknownObject(
                f"could not identify an equality operator for type {shown(expr.type)}", "42883"
            )
        return expr

    def _own(self, name: str) -> bool:
        """Has FROM a column of that name? Then it is meant, and not an output."""
        return any(column.name == name for table in self._scope.tables for column in table.columns)

    def _checked(self, expr: Expr, node: tree.Node) -> Expr:
        """An output as a key: it may not hold an aggregate or window function."""
        collector = self._scope.collector
        assert collector is not None
        made = {
            column.id: word
            for calls, word in (
                (collector.aggregates, "aggregate functions"),
                (collector.windows, "window functions"),
            )
            for column, _ in calls or ()
        }
        for used in columns_used(expr):
            if used in made:
                sqlstate = "42803" if made[used].startswith("agg") else "42P20"
                raise InvalidRequest(
                    f"{made[used]} are not allowed in GROUP BY{self._binding.place(node)}", sqlstate
                )
        return expr
