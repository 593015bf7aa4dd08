"""What an aggregate function is given, and what it gives back.

An implementation is called once per call, with a `Group`: the arguments as plain columns of the
rows to aggregate. It answers with an `Aggregated`: Polars aggregations (`parts`), each one value
per group, and `finish`, which makes the result of them. Parts that several calls share (the sum of
sum(x) and avg(x)) are computed once. Whatever may fail, or costs per group rather than per row,
belongs into `finish`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import polars as pl

from warehouse.algebra.expressions import SortKey
from warehouse.algebra.types import AnyType
from warehouse.execution.keys import Order, equality_key
from warehouse.execution.value import Value

__all__ = ["Aggregated", "Group", "once"]


def once(values: pl.Expr, keys: pl.Expr) -> pl.Expr:
    """Of the values with equal keys one."""
    return values.unique() if values is keys else values.filter(keys.is_first_distinct())


@dataclass(frozen=True, slots=True)
class Aggregated:
    """`finish` takes one expression per part and returns the result."""

    parts: tuple[pl.Expr, ...]
    finish: Callable[..., Value]


@dataclass(frozen=True, slots=True)
class Group:
    """The rows that a call aggregates.

    Attributes:
        type: of the result.
        args: columns; NULL in rows that FILTER drops. `constant` and `literal` say what a constant
            argument was.
        within, within_keys: the keys of WITHIN GROUP, likewise, and how they are ordered.
        kept: the FILTER, never NULL; None if there is none.
        distinct: DISTINCT.
        order: the ORDER BY inside the call, over the same columns.
        never_empty: each group has a row, as with GROUP BY.
    """

    type: AnyType
    args: tuple[Value, ...] = ()
    within: tuple[Value, ...] = ()
    within_keys: tuple[SortKey, ...] = ()
    kept: pl.Expr | None = None
    distinct: bool = False
    order: Order = Order()  # noqa: RUF009 - never changed
    never_empty: bool = False

    def values(self, position: int = 0) -> pl.Expr:
        """An argument for an aggregate that ignores NULL and order; DISTINCT is done."""
        arg = self.args[position]
        return once(arg.expr, equality_key(arg)) if self.distinct else arg.expr

    def filled(self, position: int = 0) -> bool:
        """Does every group have a value that is not NULL?"""
        return self.never_empty and not self.args[position].nullable

    def count(self, position: int = 0) -> pl.Expr:
        """How many values are not NULL; DISTINCT is done."""
        arg = self.args[position]
        if self.distinct:
            return equality_key(arg).drop_nulls().n_unique()
        return arg.expr.count() if arg.nullable else pl.len()

    def rows(self, expr: pl.Expr) -> pl.Expr:
        """A column in the rows that FILTER keeps, in the order of the call."""
        kept = expr if self.kept is None else expr.filter(self.kept)
        if not self.order.by:
            return kept
        by = [key if self.kept is None else key.filter(self.kept) for key in self.order.by]
        return kept.sort_by(
            by,
            descending=self.order.descending,
            nulls_last=self.order.nulls_last,
            maintain_order=True,
        )

    def chosen(self, part: pl.Expr) -> Aggregated:
        """The result is one of the argument's values, NULL if there is none."""
        made = replace(self.args[0], type=self.type, nullable=not self.filled())
        made = replace(made, constant=False, literal=None)
        return Aggregated((part,), lambda found: replace(made, expr=found))

    def plain(self, part: pl.Expr) -> Aggregated:
        """The result is this aggregation as it is."""
        nullable = not self.filled()
        return Aggregated((part,), lambda found: Value(found, self.type, nullable=nullable))
