"""GROUP BY: keys and arguments first, then one group_by, then what the functions make of it.

1. One frame holds exactly the keys, the arguments, the filters and the orders of all calls, each
   computed once, with their faults raised: `_Prepared`.
2. Every call adds its Polars aggregations (`groups.Aggregated.parts`); equal ones are shared.
3. The results are computed from those, row by row of the groups.

NULLs are one group, NaNs are one, and -0 is 0, for Polars as for PostgreSQL. GROUPING SETS repeat
steps 2 and 3 per set over the cached frame of step 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import polars as pl

import warehouse.functions.aggregates  # noqa: F401 - registers them
from storage.errors import InternalError
from warehouse.algebra.expressions import AggregateCall, ColumnRef, Expr
from warehouse.algebra.relations import Aggregate
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.keys import Order, equality_key, order_key
from warehouse.execution.lowered import (
    PRESENT,
    Context,
    Lowered,
    column_name,
    column_of,
    exactly,
    materialised,
)
from warehouse.execution.relations import lower_relation
from warehouse.execution.value import Range, Value, carrier, raised
from warehouse.functions.registry import function

__all__ = ["lower_aggregate"]

Positions = tuple[int, ...]


def lower_aggregate(node: Aggregate, context: Context) -> Lowered:
    """The groups of the input. Without keys and sets there is one, also of no rows."""
    below = lower_relation(node.input, context)
    prepared = _Prepared(below, context)
    keys = [prepared.key(column.id, expr) for column, expr in node.keys]
    every: Positions = tuple(range(len(keys)))
    sets = (every,) if node.sets is None else node.sets
    seen = [(call, prepared.call(call)) for _, call in node.calls if call.fn != "grouping"]
    frame = prepared.frame()
    if len(sets) > 1:
        frame = frame.cache()
    groups = dict(zip(map(id, (call for call, _ in seen)), (g for _, g in seen), strict=True))
    parts = [_grouped(node, frame, keys, positions, groups) for positions in sets]
    if len(parts) == 1:
        return parts[0]
    columns = {
        key: replace(value, nullable=any(part.columns[key].nullable for part in parts))
        for key, value in parts[0].columns.items()
    }
    return Lowered(pl.concat([part.frame for part in parts], how="vertical"), columns)


class _Prepared:
    """The frame over which the groups are formed, as it is put together."""

    def __init__(self, below: Lowered, context: Context) -> None:
        self._below = below
        self._context = context
        self._made: dict[str, pl.Expr] = {}
        self._known: dict[tuple[Expr, Expr | None], Value] = {}

    def frame(self) -> pl.LazyFrame:
        """Exactly the columns asked for."""
        return exactly(self._below.frame, [e.alias(name) for name, e in self._made.items()])

    def key(self, column_id: int, expr: Expr) -> Value:
        """A key under its own name."""
        value = self._context.lower(expr, self._below.columns)
        self._made[column_name(column_id)] = raised(value)
        return column_of(column_id, value)

    def call(self, call: AggregateCall) -> Group:
        """The columns of a call. Rows that its FILTER drops are NULL, and raise nothing."""
        kept = None
        if call.filter is not None:
            value = self.column(call.filter, None)
            kept = value.expr.fill_null(False)
        order = Order()
        for key in call.order:
            ordered = self.column(key.expr, call.filter)
            order.add(order_key(ordered), key)
        return Group(
            type=call.type,
            args=tuple(self.column(arg, call.filter) for arg in call.args),
            within=tuple(self.column(key.expr, call.filter) for key in call.within),
            within_keys=call.within,
            kept=kept,
            distinct=call.distinct,
            order=order,
        )

    def column(self, expr: Expr, condition: Expr | None) -> Value:
        """An expression as a column, NULL where the condition is not true."""
        found = self._known.get((expr, condition))
        if found is not None:
            return found
        value = self._context.lower(expr, self._below.columns)
        if condition is not None:
            kept = self.column(condition, None).expr
            # The name of that column is of the frame that is being made: use its expression.
            kept = self._made[kept.meta.output_name()]
            fault = None if value.fault is None else pl.when(kept).then(value.fault)
            masked = pl.when(kept).then(value.expr)
            value = replace(value, expr=masked, fault=fault, nullable=True)
        if condition is None and isinstance(expr, ColumnRef):
            name = column_name(expr.id)
        else:
            name = f"a{len(self._made)}"
        self._made[name] = raised(value)
        found = replace(value, expr=pl.col(name), fault=None)
        self._known[expr, condition] = found
        return found


# --- one set --------------------------------------------------------------------------------------


class _Parts:
    """Aggregations under names of their own; equal ones under one."""

    def __init__(self) -> None:
        self.made: list[pl.Expr] = []
        self._names: dict[str, list[tuple[pl.Expr, str]]] = {}

    def add(self, part: pl.Expr) -> pl.Expr:
        """The column that will hold the aggregation."""
        alike = self._names.setdefault(str(part), [])
        for known, name in alike:
            if known.meta.eq(part):
                return pl.col(name)
        name = f"p{len(self.made)}"
        self.made.append(part.alias(name))
        alike.append((part, name))
        return pl.col(name)


def _grouped(
    node: Aggregate,
    frame: pl.LazyFrame,
    keys: Sequence[Value],
    positions: Positions,
    groups: dict[int, Group],
) -> Lowered:
    """The groups of one set of keys, with all columns of the node."""
    parts = _Parts()
    results: dict[int, Value] = {}
    for column, call in node.calls:
        if call.fn == "grouping":
            results[column.id] = _grouping(node, call, positions)
            continue
        group = replace(groups[id(call)], never_empty=bool(positions))
        found = _implemented(call, group)
        results[column.id] = found.finish(*[parts.add(part) for part in found.parts])
    own = {i: keys[i] for i in sorted(set(positions))}
    items = {
        column.id: own[i] if i in own else _absent(keys[i])
        for i, (column, _) in enumerate(node.keys)
    }
    return materialised(_aggregated(frame, list(own.values()), parts.made), {**items, **results})


def _implemented(call: AggregateCall, group: Group) -> Aggregated:
    entry = function(call.fn)
    if entry.kind != "aggregate" or entry.implementation is None:
        raise InternalError(f"{call.fn} is not an aggregate function")
    found: Aggregated = entry.implementation(group)
    return found


def _aggregated(
    frame: pl.LazyFrame, keys: Sequence[Value], parts: Sequence[pl.Expr]
) -> pl.LazyFrame:
    if not keys:
        return frame.select(parts) if parts else pl.LazyFrame({PRESENT: [True]})
    by, kept = [], []
    for key in keys:
        equal = equality_key(key)
        if equal is not key.expr:
            name = key.expr.meta.output_name()
            by.append(equal.alias(f"k_{name}"))
            kept.append(pl.col(name).first())
        else:
            by.append(key.expr)
    return frame.group_by(by).agg(*kept, *parts)


def _absent(key: Value) -> Value:
    """A key that is not in the set: NULL."""
    nothing = pl.lit(None, dtype=carrier(key.type, wide=key.wide))
    return replace(key, expr=nothing, nullable=True)


def _grouping(node: Aggregate, call: AggregateCall, positions: Positions) -> Value:
    """A bit for each argument, the last one lowest: is it a key that the set does not have?"""
    ids = [column.id for column, _ in node.keys]
    bits = 0
    for arg in call.args:
        if not isinstance(arg, ColumnRef) or arg.id not in ids:
            raise InternalError("an argument of grouping is no key")
        bits = bits * 2 + (ids.index(arg.id) not in positions)
    limit = Range(0, 2 ** len(call.args) - 1)
    return Value(pl.lit(bits, dtype=pl.Int64), call.type, limit, nullable=False)
