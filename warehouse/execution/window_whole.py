"""Aggregates whose frame is the whole partition: GROUP BY's own aggregations, spread over the rows.

Nothing needs sorting then, and Polars computes the aggregations of `warehouse.functions.aggregates`
by hash, several times faster than a sorted pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import polars as pl

from storage.errors import InternalError
from warehouse.algebra.expressions import ColumnRef, Expr, WindowCall
from warehouse.execution.groups import Aggregated, Group
from warehouse.execution.keys import equality_key, is_nested
from warehouse.execution.lowered import Context, Lowered, column_name, column_of
from warehouse.execution.value import Value, raised
from warehouse.functions.registry import function

__all__ = ["sees_whole_partition", "spread"]

NATIVE = frozenset({"avg", "bool_and", "bool_or", "count", "every", "max", "min", "sum"})


def sees_whole_partition(call: WindowCall) -> bool:
    """Is it an aggregate that `spread` computes, over all rows of the partition?"""
    if call.fn.partition("(")[0] not in NATIVE or any(is_nested(arg.type) for arg in call.args):
        return False
    frame = call.frame
    if frame is None:
        return not call.order
    if frame.exclude:
        return False
    # Without an order all rows are peers, and the current row reaches as far as they do.
    peers = ["current"] if not call.order and frame.mode != "rows" else []
    starts, ends = ["unbounded preceding", *peers], ["unbounded following", *peers]
    return frame.start.kind in starts and frame.end.kind in ends


def spread(
    calls: Sequence[tuple[ColumnRef, WindowCall]],
    input: Lowered,  # noqa: A002
    context: Context,
) -> Lowered:
    """The input's columns and one per call."""
    inputs = _Inputs(input, context)
    results: dict[int, Value] = {}
    for output, call in calls:
        kept = None
        if call.filter is not None:
            kept = inputs.column(call.filter, None).expr.fill_null(False)
        args = tuple(inputs.column(arg, call.filter) for arg in call.args)
        found = _implemented(call, Group(type=call.type, args=args, kept=kept, never_empty=True))
        keys = [inputs.key(expr) for expr in call.partition]
        parts = [part.over(keys) if keys else part for part in found.parts]
        results[output.id] = found.finish(*parts)
    made = [raised(value).alias(column_name(key)) for key, value in results.items()]
    frame = input.frame.with_columns(inputs.named()).with_columns(made).drop(list(inputs.made))
    columns: Mapping[int, Value] = {
        **input.columns,
        **{key: column_of(key, value) for key, value in results.items()},
    }
    return Lowered(frame, columns)


@dataclass
class _Inputs:
    """Keys and arguments as columns of their own, each computed once."""

    input: Lowered
    context: Context
    made: dict[str, pl.Expr] = field(default_factory=dict)
    known: dict[tuple[Expr, Expr | None], Value] = field(default_factory=dict)

    def named(self) -> list[pl.Expr]:
        return [expr.alias(name) for name, expr in self.made.items()]

    def column(self, expr: Expr, condition: Expr | None) -> Value:
        """An expression, NULL and without faults where the condition is not true."""
        found = self.known.get((expr, condition))
        if found is None:
            value = self.context.lower(expr, self.input.columns)
            if condition is not None:
                kept = raised(self.context.lower(condition, self.input.columns))
                fault = None if value.fault is None else pl.when(kept).then(value.fault)
                masked = pl.when(kept).then(value.expr)
                value = replace(value, expr=masked, fault=fault, nullable=True)
            found = self.known[expr, condition] = self._added(value)
        return found

    def key(self, expr: Expr) -> pl.Expr:
        """Equal in the rows of one partition."""
        return equality_key(self.column(expr, None))

    def _added(self, value: Value) -> Value:
        name = f"whole{len(self.made)}"
        self.made[name] = raised(value)
        return replace(value, expr=pl.col(name), fault=None)


def _implemented(call: WindowCall, group: Group) -> Aggregated:
    entry = function(call.fn)
    if entry.kind != "aggregate" or entry.implementation is None:
        raise InternalError(f"{call.fn} is not an aggregate function")
    found: Aggregated = entry.implementation(group)
    return found
